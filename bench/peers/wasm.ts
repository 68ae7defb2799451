import { readFileSync } from 'node:fs';
import type { Walk } from './walk.js';

/** dist/bench/peers/ to the root of the package. */
const ROOT = new URL('../../../', import.meta.url);

function instantiate(name: string): WebAssembly.Exports {
  const bytes = readFileSync(new URL(`build/peers/${name}.wasm`, ROOT));
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
}

interface WalkExports {
  reset(a: number, b: number, c: number, d: number): void;
  run(steps: number, checksum: number): number;
  readonly events: WebAssembly.Global;
  readonly violations: WebAssembly.Global;
}

/** The scalar walk in AssemblyScript; each call gives a world of its own. */
export function assemblyWalk(): Walk {
  const walk = instantiate('walk') as unknown as WalkExports;
  return {
    reset: (seed) => walk.reset(...seed),
    run: (steps, checksum) => walk.run(steps, checksum) >>> 0,
    stats: () => ({ events: Number(walk.events.value), violations: Number(walk.violations.value) }),
  };
}

/** Machines that one step of `lanes` moves. */
export const LANES = 16;

interface LanesExports {
  run(steps: number): void;
  readonly memory: WebAssembly.Memory;
  readonly STATE: WebAssembly.Global;
  readonly RNG: WebAssembly.Global;
  readonly OUT: WebAssembly.Global;
}

/** Sixteen machines in the byte lanes of v128, on a random stream of their own. */
export interface Lanes {
  /** Empty worlds; the sixteen words of random state follow from `seed`. */
  reset(seed: number): void;
  /** Runs `steps` steps: 16 operations each. */
  run(steps: number): void;
  /** 10 rows of 16 bytes: flags of entries 0-3, frames of entries 0-3, pinned frame of mm 0 and 1. */
  readonly state: Uint8Array;
  /** Per lane 0xff once an invariant broke. */
  readonly broken: Uint8Array;
  readonly checksum: Uint8Array;
  /** Per lane the random byte of the last step: op in bits 0-3, entry in bits 4-5. */
  readonly random: Uint8Array;
}

export function lanes(): Lanes {
  const exports = instantiate('lanes') as unknown as LanesExports;
  const memory = exports.memory.buffer;
  const stateAt = Number(exports.STATE.value);
  const rngAt = Number(exports.RNG.value);
  const outAt = Number(exports.OUT.value);
  const state = new Uint8Array(memory, stateAt, 10 * LANES);
  const out = new Uint8Array(memory, outAt, 3 * LANES);
  const rng = new Uint32Array(memory, rngAt, LANES);
  const result: Lanes = {
    reset(seed) {
      state.fill(0);
      out.fill(0);
      // Weyl steps through a finaliser: neighbouring seeds must not give neighbouring streams.
      for (let i = 0; i < LANES; i++) {
        let x = (seed + Math.imul(i + 1, 0x9e3779b9)) | 0;
        x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
        x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
        rng[i] = x ^ (x >>> 16);
      }
    },
    run: (steps) => exports.run(steps),
    state,
    broken: out.subarray(0, LANES),
    checksum: out.subarray(LANES, 2 * LANES),
    random: out.subarray(2 * LANES),
  };
  result.reset(1);
  return result;
}
