// Kernels known to be broken, fuzzed in a small share of the shards: if they pass for sound, so might anything.
import type { Catalogue, KnobVector } from '../engine/catalogue.js';
import { differentialOf } from '../engine/differential.js';
import type { KernelSpec } from '../engine/types.js';
import { printSpec } from '../text/id.js';
import type { CanaryResult } from './task.js';
import type { CanaryReport } from './types.js';

/** A kernel and the promise that it is known to break. */
export interface CanarySpec {
  readonly spec: KernelSpec;
  /** Slug of the invariant. */
  readonly breaks: string;
}

/** The wrong-side COW, and the uffd event on a read. */
export const CANARIES: readonly CanarySpec[] = [
  { spec: { kernel: 'v5.7', with: [], without: [] }, breaks: 'cow-leak' },
  { spec: { kernel: 'v5.8', with: [], without: [] }, breaks: 'wp-event-on-read' },
];

function canary(kernel: string, breaks: string, plus: readonly string[], minus: readonly string[] = []): CanarySpec {
  return { spec: { kernel, with: plus, without: minus }, breaks };
}

/** For each differential mode a kernel that comes out differently in it. */
const DIFFERENTIAL_CANARIES: Readonly<Record<string, CanarySpec>> = {
  pmd: canary('v5.14', 'batch-differs', ['differential.pmd']),
  residency: canary('v5.18', 'batch-differs', ['differential.residency']),
  batch: canary('v5.7', 'batch-differs', ['differential.batch', 'mutant.mprotect_batch_copies_write']),
  permission: canary('v6.1', 'permission-gained', ['differential.permission'], ['upgrade.honours_soft_dirty']),
};

/** The canaries of a campaign over these kernels: each way of judging has its own. */
export function canariesFor(kernels: readonly KernelSpec[]): readonly CanarySpec[] {
  const modes = new Set(kernels.map(differentialOf));
  return [...modes].flatMap((mode) => (mode === undefined ? CANARIES : (DIFFERENTIAL_CANARIES[mode] ?? [])));
}

/** Programs after which a canary counts as missed, for now: far more than it ever takes. */
export const CANARY_PROGRAMS = 20_000;

export interface Canary {
  readonly vector: KnobVector;
  readonly invariant: number;
}

export interface CanaryState {
  readonly found: readonly boolean[];
  readonly programs: number;
  readonly asked: number;
}

/** All canaries of a campaign: each must be found at least once. */
export class Canaries {
  readonly kernel: string;
  readonly #canaries: readonly Canary[];
  readonly #found: boolean[];
  #programs = 0;
  #asked = 0;

  /** Throws UsageError for an unknown kernel, Error for an unknown invariant. */
  constructor(catalogue: Catalogue, specs: readonly CanarySpec[], from?: CanaryState) {
    this.kernel = specs.map(({ spec }) => printSpec(spec)).join(', ');
    this.#canaries = specs.map(({ spec, breaks }) => {
      const invariant = catalogue.invariants.find(({ slug }) => slug === breaks);
      if (!invariant) throw new Error(`the module has no invariant ${breaks}`);
      return { vector: catalogue.vector(spec), invariant: invariant.id };
    });
    this.#found = specs.map((_, i) => from?.found[i] ?? false);
    this.#programs = from?.programs ?? 0;
    this.#asked = from?.asked ?? 0;
  }

  /** The canaries due now: all at the start, later one in turn. */
  due(): { readonly canary: Canary; readonly report: (result: CanaryResult) => void }[] {
    const turn = this.#asked++;
    const due = turn === 0 ? this.#canaries : [this.#canaries[turn % this.#canaries.length]!];
    return due.map((canary) => ({
      canary,
      report: ({ found, programs }) => {
        this.#programs += programs;
        if (found) this.#found[this.#canaries.indexOf(canary)] = true;
      },
    }));
  }

  get state(): CanaryState {
    return { found: [...this.#found], programs: this.#programs, asked: this.#asked };
  }

  get report(): CanaryReport {
    return { kernel: this.kernel, found: this.#found.every(Boolean), programs: this.#programs };
  }
}
