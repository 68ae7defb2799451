// Static programs, built by the machine's own C compiler; the executor at first use, and kept.
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The machine lacks something; the message says in one line what, and how to get it. */
export class MissingError extends Error {
  override readonly name = 'MissingError';
}

const FLAGS = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-static'];
/** dist/src/conform/ to the sources, in a checkout and in a package alike. */
const SOURCES = fileURLToPath(new URL('../../../src/conform/executor/', import.meta.url));

/** Directory for what can be made again: $XDG_CACHE_HOME/breakcow, or ~/.cache/breakcow. */
export function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base?.startsWith('/') ? base : join(homedir(), '.cache'), 'breakcow');
}

function compiler(what = 'the executor'): { readonly name: string; readonly version: string } {
  const name = process.env.CC || 'cc';
  const { stdout, status } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  if (status !== 0) {
    const cure = process.env.CC ? 'CC names it' : 'for example: apt-get install gcc libc6-dev; CC names another one';
    throw new MissingError(`no C compiler "${name}" for ${what} (${cure})`);
  }
  return { name, version: stdout };
}

/** Is there a compiler for the executor? If not, why, in one line. */
export function missingCompiler(): string | undefined {
  try {
    compiler();
    return undefined;
  } catch (error) {
    if (error instanceof MissingError) return error.message;
    throw error;
  }
}

/** Path of the executor, built if need be. Throws MissingError without a compiler, Error if it does not compile. */
export function buildExecutor(directory = join(cacheDirectory(), 'executor'), sources = SOURCES): string {
  const { name, version } = compiler();
  const files = existsSync(sources)
    ? readdirSync(sources)
        .filter((file) => /\.[ch]$/.test(file))
        .sort()
    : [];
  const units = files.filter((file) => file.endsWith('.c'));
  if (units.length === 0) throw new Error(`no sources of the executor in ${sources}`);
  const hash = createHash('sha256').update(JSON.stringify([name, version, FLAGS]));
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(sources, file)));
  const binary = join(directory, `executor-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  mkdirSync(directory, { recursive: true });
  // Under another name first: a build that is cut short, or two at once, leave nothing half done.
  const draft = `${binary}.${randomBytes(4).toString('hex')}`;
  const paths = units.map((file) => join(sources, file));
  compile(name, [...FLAGS, '-o', draft, ...paths], 'the executor', draft);
  renameSync(draft, binary);
  return binary;
}

/**
 * One C file as a static program; what a compiler that we do not know warns of does not matter.
 * Throws MissingError without a compiler, Error if it does not compile.
 */
export function buildProgram(file: string, binary: string): void {
  const { name } = compiler('the test');
  compile(name, [...FLAGS.filter((flag) => flag !== '-Werror'), '-pthread', '-o', binary, file], file, binary);
}

function compile(name: string, args: readonly string[], what: string, made: string): void {
  const { status, stderr } = spawnSync(name, args, { encoding: 'utf8' });
  if (status === 0) return;
  rmSync(made, { force: true });
  const [first = `exit code ${status}`] = stderr.split('\n').filter((line) => /error|undefined|cannot/.test(line));
  throw new Error(`${what} does not compile with ${name}: ${first}\n${stderr}`);
}
