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
  /** Threads that begin each batch together; they are to have as many batches. */
  readonly pace?: number;
}

/** A bijection: different numbers, different fingerprints, none of them 0 but that of 0. */
export function fingerprintOf(n: number): bigint {
  let x = BigInt.asUintN(64, BigInt(n) * 0x9e3779b97f4a7c15n);
  x ^= x >> 32n;
  x = BigInt.asUintN(64, x * 0xd6e8feb86659fd93n);
  return x ^ (x >> 32n);
}

if (parentPort) {
  const { setup, thread, first, count, batch, pace } = workerData as Stretch;
  const visited = new Visited(setup, thread);
  const control = new Control(setup.control);
  const prints = BigUint64Array.from({ length: count }, (_, i) => fingerprintOf(first + i));
  const fresh = new Uint8Array(count);
  // Words that only a search uses are free here.
  const meet = (times: number) => {
    control.add('cursor', 1);
    while (control.get('cursor') < times);
  };
  meet(control.get('done'));
  visited.gate.enter();
  for (let from = 0, batches = 2; from < count; from += batch, batches++) {
    if (pace) {
      // Whoever waits here does not keep others from a growth.
      visited.gate.leave();
      meet(pace * batches);
      visited.gate.enter();
    }
    const slice = prints.subarray(from, from + batch);
    const answer = visited.insert(slice);
    if (!answer) break;
    fresh.set(answer.subarray(0, slice.length), from);
  }
  visited.gate.leave();
  parentPort.postMessage(fresh);
}
