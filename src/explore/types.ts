// What an exhaustive search is made of. A subject is any transition system with fingerprints: the fault handler, or the small
// handler of the benches. The driver knows nothing else of it.
import type { KnobVector } from '../engine/catalogue.js';
import type { Violation } from '../engine/types.js';

/** One thread's instance of a transition system. Calls come in the order expand, collect, expand, collect, ... */
export interface Subject {
  /** Bytes of a frontier entry of this depth. */
  entrySize(depth: number): number;
  /** The entries of depth 0; one if they have no bytes. */
  roots(): Uint8Array;
  /** One fingerprint for each root. A subject without this never gives a root as a candidate. */
  rootFingerprints?(): BigUint64Array;
  /** Entries that one call of `expand` takes at most. */
  readonly batch: number;
  /** Fingerprints that one call of `expand` gives at most. */
  readonly maxCandidates: number;
  /**
   * Expands `count` entries of this depth, packed in `entries`. Returns one non-zero 64-bit fingerprint for each successor
   * worth asking for (no self-loops, none that broke a promise, fewer duplicates); the view is valid until the next call.
   * The high 32 bits choose the place in the visited set, so they are to be well mixed.
   */
  expand(entries: Uint8Array, count: number, depth: number): BigUint64Array;
  /**
   * `fresh`: one byte per candidate of the last `expand`, non-zero = seen for the first time. Returns the packed entries of
   * depth + 1 of those (fewer, if a state turned out to break a promise); the view is valid until the next call.
   */
  collect(fresh: Uint8Array): Uint8Array;
  /**
   * Called once before a depth-first search: from then on `expand` leaves nothing out for having been a candidate of an earlier
   * call, and gives the successors of one entry in the order of ops. Not needed by a subject that never does otherwise.
   */
  oneByOne?(): void;
  /** Since the subject was made. */
  counters(): SubjectCounters;
  /** Broken promises met since the last call. */
  takeViolations(): BrokenPath[];
}

export interface SubjectCounters {
  /** Ops that applied, self-loops included. */
  readonly transitions: number;
  /** Candidates given to the driver. */
  readonly candidates: number;
  /** Ops that found the model's frames or swap slots used up: the scope's bound was felt. */
  readonly exhausted: number;
}

/** A path from the root to a broken promise. */
export interface BrokenPath {
  /** Op words of the engine, op numbers of another subject. */
  readonly program: Uint32Array;
  /** Broken invariants, bit = id. */
  readonly mask: number;
  /** First one; undefined for subjects without judges of their own. */
  readonly violation?: Violation;
}

/** What symmetry merges: nothing; frames, slots and versions renumbered by first reference; processes too; pages too. */
export type Symmetry = 'none' | 'frames' | 'mms' | 'full';

/** Everything a worker needs to make its subject: plain data, it crosses threads. */
export type SubjectSpec =
  | {
      readonly kind: 'engine';
      readonly vector: KnobVector;
      /** A broken promise is not reported where the same program breaks it on this kernel too. */
      readonly against?: KnobVector;
      /** Op words that may be next in any state; pairs as two words, see `pairs`. */
      readonly alphabet: Uint32Array;
      /** Concurrent steps: first and second word of each, the schedule in the first. */
      readonly pairs: Uint32Array;
      readonly mms: number;
      /** Pages in scope, bit = page. */
      readonly pages: number;
      /** Threads asleep in a uffd event at once, 0 .. 4; undefined = 4. A step that leaves more is not taken. */
      readonly asleep?: number;
      readonly symmetry: Symmetry;
    }
  | {
      readonly kind: 'small';
      readonly symmetry: Symmetry;
      /** Deviations from the right handler, bit = number in src/explore/small.ts. */
      readonly mutants: number;
      /** Sixteen states at once in SIMD lanes, or one by one. */
      readonly lanes: boolean;
    };

export interface ExploreOptions {
  readonly subject: SubjectSpec;
  readonly workers: number;
  /** Levels at most. */
  readonly depth?: number;
  readonly timeMs?: number;
  /** Bytes for the visited set and the frontier together. */
  readonly memory: number;
  /** Every fingerprint kept, or only k bits of each (states may be omitted). */
  readonly visited:
    | { readonly kind: 'exact' }
    | { readonly kind: 'bits'; readonly log2: number; readonly hashes: number };
  /** breadth: shortest paths. depth: one worker each on its own stack; path lengths mean nothing. */
  readonly order?: 'breadth' | 'depth';
  /** End with the level that breaks one of these invariants (bit = id), or with any if undefined; 0 = never. */
  readonly until?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExploreProgress) => void;
}

export interface ExploreProgress {
  readonly depth: number;
  /** States of this level, and how many of them are expanded. */
  readonly frontier: number;
  readonly expanded: number;
  readonly states: number;
  readonly transitions: number;
  readonly statesPerSecond: number;
  readonly bytes: number;
  /** To the end of the level, at the pace of this level. */
  readonly levelEtaMs: number | undefined;
}

/** Why a search ended: no state is left; a bound of the options; a wanted violation. */
export type Ended = 'closed' | 'depth' | 'time' | 'memory' | 'interrupted' | 'violated';

export interface ExploreResult {
  readonly ended: Ended;
  /** States, per level in order; only whole levels. `levels[d]` = states first reached by d steps. */
  readonly levels: readonly number[];
  /** States of whole levels. */
  readonly states: number;
  /** Transitions out of expanded states; only those of whole levels. */
  readonly transitions: number;
  /** All promises hold along every path of so many steps. `levels.length - 1` steps were looked at, whatever broke. */
  readonly depth: number;
  /** Shortest violations, by invariant first, at most 64 of one invariant, all of one length each. */
  readonly violations: readonly BrokenPath[];
  readonly exhausted: number;
  /** Of the visited set and the widest frontier. */
  readonly bytes: { readonly visited: number; readonly frontier: number };
  /** Probability that two states shared a fingerprint; for bits: expected share of states omitted. */
  readonly omission: number;
  readonly seconds: number;
  /** Most depth of the stack in steps, for order depth. `levels` is empty then, and counts are of what was visited, ended or not. */
  readonly deepest?: number;
}
