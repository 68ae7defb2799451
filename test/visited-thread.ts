// A thread for the tests of the visited set: enters a stretch of a pseudo-random sequence in batches.
import { parentPort, workerData } from 'node:worker_threads';
import { Control } from '../src/explore/control.js';
import type { VisitedSetup } from '../src/explore/table.js';
import { Visited } from '../src/explore/visited.js';

export interface Stretch {
  readonly setup: VisitedSetup;
  readonly thread: number;
  readonly first: number;
  readonly count: number;
  readonly batch: number;
}

/** A bijection: different numbers, different fingerprints, none of them 0 but that of 0. */
export function fingerprintOf(n: number): bigint {
  let x = BigInt.asUintN(64, BigInt(n) * 0x9e3779b97f4a7c15n);
  x ^= x >> 32n;
  x = BigInt.asUintN(64, x * 0xd6e8feb86659fd93n);
  return x ^ (x >> 32n);
}

if (parentPort) {
  const { setup, thread, first, count, batch } = workerData as Stretch;
  const visited = new Visited(setup, thread);
  const control = new Control(setup.control);
  const prints = BigUint64Array.from({ length: count }, (_, i) => fingerprintOf(first + i));
  const fresh = new Uint8Array(count);
  // All threads begin together.
  control.add('cursor', 1);
  while (control.get('cursor') < control.get('done'));
  visited.gate.enter();
  for (let from = 0; from < count; from += batch) {
    const slice = prints.subarray(from, from + batch);
    const answer = visited.insert(slice);
    if (!answer) break;
    fresh.set(answer.subarray(0, slice.length), from);
  }
  visited.gate.leave();
  parentPort.postMessage(fresh);
}
