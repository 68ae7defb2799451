// Which model answers for a running kernel.
import type { Catalogue } from '../engine/catalogue.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';

export interface Match {
  readonly kernel: string;
  /** Not the very release: what was taken instead, in words. */
  readonly note?: string;
}

function version(text: string): readonly [number, number] | undefined {
  const match = /^v?(\d+)\.(\d+)/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}
function order(a: readonly [number, number], b: readonly [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

/** The model of `release` (uname -r), or of the newest release before it. Throws UsageError if there is none. */
export function matchKernel(release: string, catalogue: Catalogue): Match {
  const wanted = version(release);
  if (!wanted) throw new UsageError(`"${release}" is no kernel release; choose one with --model`);
  const releases = catalogue.kernels
    .filter(({ name }) => /^v\d/.test(name))
    .map(({ name }) => ({ name, at: version(name)! }))
    .toSorted((a, b) => order(a.at, b.at));
  const found = releases.findLast(({ at }) => order(at, wanted) <= 0);
  if (!found) throw new UsageError(`no model is as old as ${release}; choose one with --model`);
  if (order(found.at, wanted) === 0) return { kernel: found.name };
  return { kernel: found.name, note: `no model of ${release}: ${found.name} is the newest release before it` };
}

/** Of the machine, not of the kernel: the executor swaps to memory. */
const SWAP = 'swap.synchronous';

/**
 * The model of a kernel on the machine that the executor makes; `machine`: what else there is to it, knobs to turn on
 * or with "-" off (machine.ts). Throws UsageError for an unknown name.
 */
export function modelSpec(name: string, catalogue: Catalogue, machine: readonly string[] = []): KernelSpec {
  catalogue.kernel(name);
  const off = machine.filter((knob) => knob.startsWith('-')).map((knob) => knob.slice(1));
  const on = [SWAP, ...machine.filter((knob) => !knob.startsWith('-'))];
  for (const knob of [...on, ...off]) catalogue.knob(knob);
  return { kernel: name, with: on, without: off };
}
