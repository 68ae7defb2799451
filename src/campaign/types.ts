// What a campaign is asked for and what it answers: the contract between src/campaign and those who start one.
import type { KernelSpec, Violation } from '../engine/types.js';

export type Strategy = 'guided' | 'random';

export interface CampaignOptions {
  readonly spec: KernelSpec;
  /** 64 bits; a number must be a non-negative safe integer. */
  readonly seed: bigint | number;
  /** Budget in programs; at least one of `programs` and `timeMs` is given. */
  readonly programs?: number;
  /** Budget in milliseconds of wall-clock time. */
  readonly timeMs?: number;
  /** Threads, 1 or more. */
  readonly workers: number;
  readonly strategy: Strategy;
  /** false: end once raw findings of the first epoch that has some are reported; true: spend the whole budget. */
  readonly keepGoing: boolean;
  /** Ends the campaign soon and cleanly; the result then says `interrupted`. */
  readonly signal: AbortSignal;
  /** Called a few times a second, on the main thread. */
  readonly onProgress: (progress: Progress) => void;
  /** Called on the main thread in the order of `CampaignResult.raw`. */
  readonly onRawFinding?: (finding: RawFinding) => void | Promise<void>;
}

/** Work done so far. `programs`, `ops` and `faults` count the kernel under test, not the canary. */
export interface Progress {
  readonly programs: number;
  readonly ops: number;
  /** Calls of handle_mm_fault. */
  readonly faults: number;
  readonly seconds: number;
  readonly epoch: number;
  readonly coverage: CoverageReport;
  /** Raw findings kept so far (one cause may stand in several). */
  readonly raw: number;
  readonly canary: CanaryReport;
  /** 0..1 of the budget. */
  readonly fraction: number;
}

export interface CoverageReport {
  /** Handler points (branches) reached, and how many the module has. */
  readonly points: number;
  readonly pointsTotal: number;
  /** Abstract states reached (bits of the 2^16 map). */
  readonly states: number;
}

/** The known-broken kernel that every campaign fuzzes on the side. */
export interface CanaryReport {
  readonly kernel: string;
  readonly found: boolean;
  readonly programs: number;
}

/** A program that breaks a promise, as the fuzzer found it. */
export interface RawFinding {
  /** Index of the kernel in its campaign. */
  readonly lane: number;
  /** The program up to and including the op after which the violation was seen. */
  readonly words: Uint32Array;
  /** The same failure with fewer ops and simpler arguments, reduced quickly inside the module: where to start minimizing. */
  readonly reduced?: Uint32Array;
  /** Invariants broken, bit = id. */
  readonly mask: number;
  /** The first record of the violation. */
  readonly violation: Violation;
  readonly shard: number;
  /** Index of the program within its shard. */
  readonly index: number;
  /** Work on its kernel before it, in shard order: the same for any number of workers. */
  readonly firstAt: { readonly programs: number; readonly faults: number };
}

/** A shard that trapped twice: its results are missing. */
export interface Quarantined {
  readonly shard: number;
  /** The trap with its AssemblyScript line. */
  readonly message: string;
}

/** Where a campaign came. */
export interface ReachedReport {
  /** Ids of the handler points, ascending. */
  readonly points: readonly number[];
  /** Op words of the programs that it keeps for what they reached first. */
  readonly corpus: readonly Uint32Array[];
}

/** Of a campaign that is not kept. */
export interface FuzzResult extends CampaignResult {
  readonly reached: ReachedReport;
}

export interface CampaignResult {
  readonly programs: number;
  readonly ops: number;
  readonly faults: number;
  readonly seconds: number;
  readonly workers: number;
  readonly coverage: CoverageReport;
  /** In deterministic order, deduplicated crudely, bounded. */
  readonly raw: readonly RawFinding[];
  readonly canary: CanaryReport;
  /** Hex digest over all shards in order. */
  readonly digest: string;
  /** false: the canary was not found in time, so silence proves nothing. */
  readonly valid: boolean;
  readonly interrupted: boolean;
  readonly quarantined: readonly Quarantined[];
}
