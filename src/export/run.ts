// Exported tests in C where they belong: on the kernel that runs here, or on another one in an emulator.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildProgram, MissingError } from '../conform/build.js';
import { type Ended, runInGuest } from '../conform/qemu/programs.js';
import { guestVersion } from '../conform/qemu/versions.js';
import { UsageError } from '../errors.js';
import type { CTest } from './c.js';
import { canSwap, SwapDevice } from './swap-device.js';

export interface TestRun {
  /** uname -r. */
  readonly release: string;
  /** In the order of the tests. */
  readonly ended: readonly Ended[];
}

/** Exit codes of a test; any other, or a signal, is no verdict. */
export const TEST_EXIT = { KEPT: 0, BROKEN: 1, SKIPPED: 4 } as const;

/** Throws UsageError for what is no place to run a test. */
export function checkPlace(place: string): void {
  const [, version] = /^qemu:(.+)$/.exec(place) ?? [];
  if (version !== undefined) guestVersion(version);
  else if (place !== 'live')
    throw new UsageError(`cannot run a test on "${place}"\nvalid: live, qemu:VERSION (such as qemu:6.1)`);
}

/**
 * Compiles the tests and runs them one after the other; `place`: live, or qemu:VERSION.
 * Rejects with UsageError for an unknown place, MissingError or GuestError for what the machine lacks.
 */
export async function runTests(
  tests: readonly CTest[],
  place: string,
  onProgress: (what: string) => void = () => {},
): Promise<TestRun> {
  checkPlace(place);
  if (process.platform !== 'linux') throw new MissingError(`tests are Linux programs: this is ${process.platform}`);
  const folder = mkdtempSync(join(tmpdir(), 'breakcow-test-'));
  try {
    const programs = tests.map(({ source }, i) => {
      onProgress(`compiling ${tests.length === 1 ? 'the test' : `test ${i + 1} of ${tests.length}`}`);
      const program = join(folder, `test-${i}`);
      writeFileSync(`${program}.c`, source);
      buildProgram(`${program}.c`, program);
      return program;
    });
    if (place !== 'live') return await runInGuest(place.replace('qemu:', ''), programs, { onProgress });
    const ended: Ended[] = [];
    for (const [i, program] of programs.entries()) {
      onProgress('running');
      ended.push(await live(program, tests[i]!.swaps));
    }
    return { release: release(), ended };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where the test swaps and the machine allows it, on a swap device of its own. */
async function live(program: string, swaps: boolean): Promise<Ended> {
  const swap = swaps && canSwap() ? new SwapDevice() : undefined;
  try {
    swap?.turnOn();
    return await ended(program, swap ? [swap.device] : []);
  } finally {
    swap?.remove();
  }
}

function ended(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    // The terminal tells the test as well; what was set up for it is undone here.
    const stop = () => child.kill('SIGTERM');
    process.once('SIGINT', stop);
    let stdout = '';
    child.stdout.on('data', (piece: Buffer) => {
      stdout += piece.toString('latin1');
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.removeListener('SIGINT', stop);
      if (code !== null) resolve({ status: code, stdout });
      else reject(new Error(`the test was ended by ${signal}:\n${stdout}`));
    });
  });
}
