// Kept campaigns run by the real command, as a user runs them.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));

export interface Ended {
  readonly status: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function campaign(args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [CLI, 'campaign', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status: signal ?? status, stdout, stderr };
}

/** The same in the background: the process, and how it ended. */
export function campaignLater(args: readonly string[]): {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
} {
  const child = spawn(process.execPath, [CLI, 'campaign', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text.stdout += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text.stderr += piece;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ status: signal ?? code, ...text }));
  });
  return { child, ended };
}

/** A directory that goes when the process ends. */
export function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'breakcow-campaign-'));
  process.on('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}
