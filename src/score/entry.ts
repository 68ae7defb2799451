// One entry of the bug corpus: which kernel, which program, which cure.
import type { KernelSpec } from '../engine/types.js';

/** Knobs turned on and off, relative to the kernel that has the flaw. */
export interface Fix {
  readonly with: readonly string[];
  readonly without: readonly string[];
}

export interface CorpusEntry {
  readonly id: string;
  readonly name: string;
  /** The kernel that has the flaw. It has others too. */
  readonly spec: KernelSpec;
  /** Promises the flaw breaks; one of them is enough. */
  readonly slugs: readonly string[];
  /** The corpus's own program in our notation. */
  readonly trigger: string;
  /**
   * Ops of the corpus's program: with the mmap it starts from where the corpus leaves that unsaid, without its final
   * "read SD", which the judges do anyway.
   */
  readonly triggerLength: number;
  /** Ops that the corpus's program lacks; the note says why it needs them. */
  readonly addedOps?: number;
  readonly fix: Fix;
  /** The knob of the fix that this flaw is about, where the fix is more than that: without it the rest is no cure. */
  readonly decisive?: string;
  /** Promises that the cured kernel still breaks in programs of this flaw: another flaw of it that the first one hid. */
  readonly leaves?: readonly string[];
  /** The slugs are warnings, a cost rather than a failure: judged on request only. */
  readonly warning?: boolean;
  /** The cured kernel refuses the op by which the flaw comes about. */
  readonly refuses?: boolean;
  readonly note: string;
}

export function kernel(name: string, plus: readonly string[] = [], minus: readonly string[] = []): KernelSpec {
  return { kernel: name, with: plus, without: minus };
}
export function turnOn(...knobs: string[]): Fix {
  return { with: knobs, without: [] };
}
export function turnOff(...knobs: string[]): Fix {
  return { with: [], without: knobs };
}
