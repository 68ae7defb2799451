// "Fuzz here": a campaign and the reduction of what it finds, in pieces so short that whoever drives it stays awake.
import { Solo, type SoloProgress } from '../campaign/solo.js';
import type { RawFinding } from '../campaign/types.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { FindingCollector } from '../findings/collect.js';
import { printFlips } from '../findings/cures.js';
import type { Finding } from '../findings/finding.js';
import { brokenPromise } from '../report/promise.js';
import { parseProgram } from '../text/parse.js';

/** A cause, as plain text and numbers. */
export interface Found {
  readonly id: string;
  readonly slug: string;
  /** The minimized program. */
  readonly program: string;
  readonly operations: number;
  /** Of the program as it was found. */
  readonly foundAs: number;
  readonly sentence: string;
  /** `+reuse.page_count`; '' = no set of few knobs cures it. */
  readonly cure: string;
  /** Programs run up to and including the first that showed the cause. */
  readonly after: number;
}

export interface HuntProgress extends SoloProgress {
  /** Failing programs that wait to be reduced. */
  readonly waiting: number;
}

/** What the page tells the worker. `more`: go on after a finding, until told to stop. */
export type Order =
  | { readonly kind: 'start'; readonly module: Uint8Array; readonly spec: KernelSpec; readonly seed: string }
  | { readonly kind: 'more' }
  | { readonly kind: 'stop' };

/** What the worker answers. */
export type Report =
  | { readonly kind: 'progress'; readonly progress: HuntProgress; readonly reducing?: number }
  | { readonly kind: 'found'; readonly found: Found; readonly replaces?: string }
  | { readonly kind: 'stopped'; readonly progress: HuntProgress }
  | { readonly kind: 'failed'; readonly message: string };

export interface HuntNews {
  readonly found: Found;
  /** Id of a longer program of the same cause, told before. */
  readonly replaces?: string;
}

export class Hunt {
  readonly #judging: Engine;
  readonly #solo: Solo;
  readonly #collector: FindingCollector;
  readonly #queue: RawFinding[] = [];

  /** Two engines: one fuzzes, and another reduces in the middle of a shard. Throws UsageError for an unknown kernel. */
  constructor(fuzzing: Engine, judging: Engine, spec: KernelSpec, seed: bigint) {
    this.#judging = judging;
    this.#solo = new Solo(fuzzing, spec, seed);
    this.#collector = new FindingCollector(judging, spec, seed.toString());
  }

  /** Operations of the failing program that the next step reduces; undefined: it runs programs. */
  get reducing(): number | undefined {
    return this.#queue[0]?.words.length;
  }

  /** Something failed, and nothing is reduced yet: no moment to say that every promise is kept. */
  get owes(): boolean {
    return this.#collector.findings.length === 0 && this.#queue.length > 0;
  }

  /** Runs a batch of programs, or reduces one failing program. */
  step(): HuntNews[] {
    const raw = this.#queue.shift();
    if (raw) {
      return this.#collector.add(raw).map(({ finding, replaces }) => ({
        found: this.#found(finding),
        ...(replaces && { replaces: replaces.id }),
      }));
    }
    this.#queue.push(...this.#solo.step());
    return [];
  }

  progress(): HuntProgress {
    return { ...this.#solo.progress(), waiting: this.#queue.length };
  }

  #found({ id, slug, minimized, program, diagnosis, firstAt }: Finding): Found {
    const { words, violation, cures } = diagnosis;
    const { catalogue } = this.#judging;
    const [best] = cures;
    return {
      id,
      slug,
      program: minimized,
      operations: words.length,
      foundAs: parseProgram(program, catalogue.ops).length,
      sentence: brokenPromise(violation, words, catalogue),
      cure: best ? printFlips(best.flips) : '',
      after: firstAt.programs,
    };
  }
}
