// Programs of the machine that make guests: how they are run, and what to do if they are not there.
import { execFile } from 'node:child_process';

/** The machine cannot have guests, or not this one: one line says why and what helps. */
export class GuestError extends Error {
  override readonly name = 'GuestError';
}

/** What each program belongs to, for people who do not have it. */
const CURES: Readonly<Record<string, string>> = {
  'apt-get': 'guests are made from Debian packages: use a Debian machine',
  'apt-cache': 'guests are made from Debian packages: use a Debian machine',
  'dpkg-deb': 'guests are made from Debian packages: use a Debian machine',
  'qemu-system-x86_64': 'apt-get install qemu-system-x86',
  setpriv: 'apt-get install util-linux',
};

export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const MAX_OUTPUT = 64 << 20;

/** Standard output of a program. Rejects with GuestError if it is missing or fails; what it wrote says why. */
export async function runTool(name: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  return (await runToolForBytes(name, args, options)).toString('utf8');
}

/** As runTool, for output that is no text. */
export function runToolForBytes(name: string, args: readonly string[], options: ToolOptions = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const how = { ...options, maxBuffer: MAX_OUTPUT, encoding: 'buffer' as const };
    execFile(name, args, how, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else reject(new GuestError(complaint(name, error, stderr.toString('utf8')), { cause: error }));
    });
  });
}

function complaint(name: string, error: Error & { code?: unknown }, stderr: string): string {
  if (error.code === 'ENOENT') return missing(name);
  const said = stderr.split('\n').filter((line) => line.trim() !== '');
  const errors = said.filter((line) => line.startsWith('E:'));
  const words = errors[0]?.slice(2).trim() ?? said.at(-1)?.trim();
  return `${name.replace(/^.*\//, '')}: ${words ?? error.message}`;
}

/** "X is not installed: what to do". */
export function missing(name: string): string {
  return `${name} is not installed: ${CURES[name] ?? `find the package of ${name}`}`;
}
