// Mutants of the model and what becomes of them: plain data that crosses threads.
import type { KnobVector } from '../engine/catalogue.js';
import type { Knowledge } from '../engine/fuzzer.js';
import type { HandlerMutant } from '../transform/mutate.js';
import type { Reason } from './reason.js';

/** Where a mutant comes from: a place of assembly/mm, a cell of the tables, a decision of the newest kernel. */
export type Family = 'handler' | 'tables' | 'knobs';
export const FAMILIES: readonly Family[] = ['handler', 'tables', 'knobs'];

export interface Mutant {
  /** Says the same after lines were added above it: `memory.ts do_wp_page: !unshare -> unshare`, `-split.keeps_uffd_wp`. */
  readonly name: string;
  readonly family: Family;
  /** `mm/memory.ts`, or the name of the family. */
  readonly file: string;
  /** Its place in the sources; absent for a knob or a cell. */
  readonly place?: HandlerMutant;
  /** The knob or cell that is flipped. */
  readonly knob?: { readonly name: string; readonly doc: string; readonly on: boolean };
  /** What the module is told: 0 for a knob or cell. */
  readonly id: number;
  readonly vector: KnobVector;
}

/**
 * Who noticed first: a judge, while programs were fuzzed or in every program of a small scope; a trap; nobody but the
 * comparison with the kernel as it is, of results and end states; nobody.
 */
export type Outcome = 'fuzz' | 'check' | 'trap' | 'differs' | 'survives';
export const OUTCOMES: readonly Outcome[] = ['fuzz', 'check', 'trap', 'differs', 'survives'];

export interface Verdict {
  readonly outcome: Outcome;
  /** Slug of the promise that broke first. */
  readonly invariant?: string;
  /** Slugs of all that any program broke, as far as was looked after the first. */
  readonly invariants: readonly string[];
  /** Another kernel than the base, where that was needed. */
  readonly kernel?: string;
  /** The program that showed it; the first words of a trap are not known. */
  readonly program?: string;
  /** Fuzzed until then. */
  readonly programs: number;
  /** The trap's own words. */
  readonly trap?: string;
}

export interface Judged extends Verdict {
  readonly mutant: Mutant;
  /** Of a survivor: why nobody can notice, as far as somebody found out. */
  readonly reason?: Reason;
}

/** What mutants are made of and tried with. */
export interface Base {
  readonly vector: KnobVector;
  /** The base on another machine, or with more judges: costs, differential runs. */
  readonly trials: readonly { readonly name: string; readonly knob: number }[];
  /** Which of them judges costs, and gets the drawn programs as well: what a cost is of differs from program to program. */
  readonly costs: number;
  readonly drawn: readonly Uint32Array[];
  /** Kernels whose decisions the base does not take: names and vectors. */
  readonly others: readonly { readonly name: string; readonly vector: KnobVector }[];
  /** Run first, on every kernel. */
  readonly programs: readonly Uint32Array[];
  readonly knowledge: Knowledge;
  /** Programs fuzzed per mutant at most. */
  readonly budget: number;
}

/** What one program came to. */
export interface Ran {
  readonly mask: number;
  /** Over results and the world at the end. */
  readonly digest: number;
}

export interface KernelAnswers {
  /** Of each of the programs. */
  readonly ran: readonly Ran[];
  /** Of programs drawn at random; not of the base. */
  readonly digest: bigint;
  /** By id of a mutant: 1 = it would have decided otherwise somewhere in all of that. */
  readonly marks: Uint8Array;
}

/** What the kernel as it is does. */
export interface Answers {
  readonly own: KernelAnswers;
  /** Digest of each shard. */
  readonly shards: readonly bigint[];
  readonly trials: readonly KernelAnswers[];
  readonly elsewhere: readonly KernelAnswers[];
}

/** What a thread needs for all its mutants. */
export interface Setup {
  readonly wasm: string;
  readonly base: Base;
  readonly answers: Answers;
}

export interface Task {
  readonly mutants: readonly Mutant[];
}
