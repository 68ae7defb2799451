// What a reproducer is made from.
import { UsageError } from '../errors.js';
import type { Fact } from './facts.js';
import type { PageLayout } from './observed.js';

/** What is claimed, and where it was seen. */
export interface Claim {
  readonly words: Uint32Array;
  readonly layout: PageLayout;
  /** All must hold for exit code 0. */
  readonly facts: readonly Fact[];
  /** Lines for the reader: what was found, on which kernel. */
  readonly about?: readonly string[];
  /** A test of the kernel rather than a claim about it: what it prints is KTAP. */
  readonly ktap?: Ktap;
}

/** What a test knows beyond its facts. Ops are indices. */
export interface Ktap {
  /** Op -> op during which its thread ends: its end is judged there. */
  readonly settled: ReadonlyMap<number, number>;
  /** Ops whose failure does not end the test. */
  readonly may: readonly number[];
  /** For the reader, above the op. */
  readonly notes: ReadonlyMap<number, string>;
  /** Ops from here on are not the program's own. */
  readonly own: number;
}

/** The program needs something that user space cannot ask a kernel for. */
export class Inexpressible extends UsageError {
  override readonly name = 'Inexpressible';
}
