// Where a flaw came in: the answer to "is that my patch, or was it there before?"
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { breaks, refuses, Trial } from './trial.js';

export interface Origin {
  /** The earliest kernel in an unbroken line of ancestors that breaks the promise; '' = the knobs chosen by hand. */
  readonly kernel: string;
  /** Its base, which keeps the promise; '' if the line begins there. */
  readonly keptBy: string;
  /** Its base, if that refuses an operation of the program: then nothing is known of it, and `keptBy` is ''. */
  readonly refusedBy: string;
  /** The kernel on trial has it from a release that it builds on, while it is none itself. */
  readonly inherited: boolean;
}

/** Follows the bases of `spec.kernel` as long as `words` break `invariant` on them. */
export function findOrigin(engine: Engine, spec: KernelSpec, words: Uint32Array, invariant: number): Origin {
  const { kernels } = engine.catalogue;
  const find = (name: string) => kernels.find((kernel) => kernel.name === name);
  const broken = (name: string) => {
    const known = find(name) !== undefined;
    return known && breaks(new Trial(engine, engine.catalogue.elsewhere(name, spec)).mask(words), invariant);
  };
  const isRelease = (name: string) => find(name)?.source.startsWith('release') === true;
  if (!broken(spec.kernel)) return { kernel: '', keptBy: spec.kernel, refusedBy: '', inherited: false };
  const here = new Trial(engine, engine.catalogue.vector(spec)).run(words);
  let origin = spec.kernel;
  for (;;) {
    const base = find(origin)?.base ?? '';
    if (base === '' || !broken(base)) {
      const there = find(base);
      const refused =
        there !== undefined && refuses(new Trial(engine, engine.catalogue.elsewhere(base, spec)).run(words), here);
      const inherited = isRelease(origin) && !isRelease(spec.kernel);
      return { kernel: origin, keptBy: refused ? '' : base, refusedBy: refused ? base : '', inherited };
    }
    origin = base;
  }
}

/** The origin in one sentence. */
export function originText({ kernel, keptBy, refusedBy }: Origin): string {
  if (refusedBy !== '') return `${kernel} or earlier; ${refusedBy} refuses an operation of this program`;
  if (kernel === '') return `with the chosen knobs; ${keptBy} keeps the promise`;
  return keptBy === '' ? `${kernel} or earlier` : `${kernel}; ${keptBy} keeps the promise`;
}
