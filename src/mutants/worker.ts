// Runs in a Piscina thread: one bench a thread, a few mutants at a time.
import { workerData } from 'node:worker_threads';
import { Bench } from './bench.js';
import { judge } from './judge.js';
import type { Setup, Task, Verdict } from './types.js';

const setup = workerData as Setup;
let bench: Bench | undefined;

export default function runTask({ mutants }: Task): Verdict[] {
  bench ??= new Bench(setup);
  const ready = bench;
  return mutants.map((mutant) => judge(ready, mutant));
}
