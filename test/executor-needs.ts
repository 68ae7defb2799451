// What a test of the executor needs of the machine.
import { spawnSync } from 'node:child_process';
import { buildExecutor, missingCompiler } from '../src/conform/build.js';

/** Why programs cannot run here, or false. A machine of continuous integration can. */
function unavailable(): string | false {
  if (process.env.CI) return false;
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the executor needs Linux on x86-64';
  if (process.getuid!() !== 0) return 'the executor needs root for swap, userfaultfd and page frames: use sudo';
  return missingCompiler() ?? false;
}
export const noExecutor = unavailable();

/** What the machine lacks: "name: why". */
const lacking = noExecutor
  ? []
  : spawnSync(buildExecutor(), ['--probe'], { encoding: 'utf8' }).stdout.trim().split('\n');

/** Options of a test that needs parts of the kernel by those names. */
export function needs(...names: string[]): { skip: string | false } {
  if (process.env.CI || noExecutor) return { skip: noExecutor };
  return { skip: lacking.find((line) => names.some((name) => line.startsWith(`${name}: `))) ?? false };
}

export const MINUTE = 60_000;
