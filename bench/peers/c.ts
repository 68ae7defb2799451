import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Seed, WalkStats } from './walk.js';

const ROOT = new URL('../../../', import.meta.url);
const SOURCE = fileURLToPath(new URL('bench/peers/c/walk.c', ROOT));
const OUT_DIR = fileURLToPath(new URL('build/peers/', ROOT));
const FLAGS = ['-O3', '-march=native'];

export interface CWalkResult extends WalkStats {
  /** Of the timed operations alone, by the program's own clock. */
  seconds: number;
  /** Over warm-up and timed operations. */
  checksum: number;
}

/** The walk in C: a program that is started anew for each call. */
export interface CWalk {
  /** Compiler and flags, for the report. */
  readonly how: string;
  run(warmup: number, ops: number, seed: Seed): Promise<CWalkResult>;
}

/** Compiles the walk with `$CC` or `cc`. Returns the reason, in one line, where that cannot be done. */
export function compileC(): CWalk | { unavailable: string } {
  const compiler = process.env.CC || 'cc';
  const program = `${OUT_DIR}walk-c`;
  const fresh = `${program}.${process.pid}`;
  try {
    mkdirSync(OUT_DIR, { recursive: true });
    // Always anew, since -march=native may mean another machine's; renamed, since another run may be executing it.
    execFileSync(compiler, [...FLAGS, '-o', fresh, SOURCE], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
    renameSync(fresh, program);
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { unavailable: `no C: ${compiler} does not work here (${reason})` };
  }
  return {
    how: [compiler, ...FLAGS].join(' '),
    async run(warmup, ops, seed) {
      const { stdout } = await promisify(execFile)(program, [warmup, ops, ...seed].map(String));
      return JSON.parse(stdout) as CWalkResult;
    },
  };
}
