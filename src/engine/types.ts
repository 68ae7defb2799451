// Plain data that crosses the border of src/engine: no behaviour, no import.

/** A kernel of the catalogue with single knobs turned on or off. Names are those of `breakcow kernels`. */
export interface KernelSpec {
  readonly kernel: string;
  readonly with: readonly string[];
  readonly without: readonly string[];
}

/** One record of what broke (assembly/oracle/report.ts). */
export interface Violation {
  /** Id of the invariant, 1..; `Catalogue.invariants` names it. */
  readonly invariant: number;
  /** Where: undefined if the promise is not about one mm, page or handle. */
  readonly mm?: number;
  readonly page?: number;
  readonly handle?: number;
  /** Content versions (index of the op that wrote it + 1; 0 = zeroes), or the judge's own numbers. */
  readonly expected: number;
  readonly got: number;
  /** Index of the op after which it was seen. */
  readonly op: number;
  /** Free for the judge. */
  readonly detail: number;
}
