// What a case of the selftests is.
import type { PageLayout } from './observed.js';

/** Kernels on which cases were run by other means than this project's. */
export const MEASURED_KERNELS = ['5.10', '6.1', '6.12', '6.18', '7.2'] as const;
export type MeasuredKernel = (typeof MEASURED_KERNELS)[number];
export type Measured = Readonly<Partial<Record<MeasuredKernel, 'pass' | 'fail'>>>;

export interface SelftestCase {
  /** File of tools/testing/selftests/mm that it restates, or 'uffd-wp'. */
  readonly group: string;
  readonly name: string;
  /** The memory it is run on: base, THP, swapped ... Unique among the cases of one name. */
  readonly kind: string;
  readonly layout: PageLayout;
  /** The program with the facts that must hold (see facts.ts). */
  readonly text: string;
  readonly measured: Measured;
}

/** The same verdict on all of them. */
export function everywhere(verdict: 'pass' | 'fail'): Measured {
  return { '5.10': verdict, '6.1': verdict, '6.12': verdict, '6.18': verdict, '7.2': verdict };
}
