// The table of open observations: where model and kernel may differ, and why. Nothing else excuses a difference.
import type { Difference, Field, Place, Ruling } from './compare.js';

/** Names of model kernels, in the order of their age; a row counts for those it names. */
export type Era = 'v5.10' | 'v6.1' | 'v6.12' | 'v6.18' | 'v7.2';

export interface OpenRow {
  readonly id: string;
  /** Models that it is about; undefined = all. */
  readonly kernels?: readonly string[];
  readonly ops?: readonly string[];
  readonly fields: readonly Field[];
  /** What else must hold. */
  readonly when?: (difference: Difference, place: Place) => boolean;
  /** What is not compared, in words. */
  readonly masked: string;
  readonly reason: string;
  /** The two sides go separate ways from there: the rest of the program is not compared. */
  readonly ends?: boolean;
}

export const OPEN: readonly OpenRow[] = [];

/** Rules by the table and counts how often each row applied. */
export class OpenTable {
  readonly #rows: readonly OpenRow[];
  readonly #applied = new Map<string, number>();

  /** `kernel`: name of the model that is compared. */
  constructor(kernel: string, rows: readonly OpenRow[] = OPEN) {
    this.#rows = rows.filter(({ kernels }) => kernels === undefined || kernels.includes(kernel));
  }

  /** `counts`: false for a program that runs again. */
  rule(difference: Difference, place: Place, counts = true): Ruling {
    const row = this.#rows.find((candidate) => applies(candidate, difference, place));
    if (!row) return 'differs';
    if (counts) this.#applied.set(row.id, (this.#applied.get(row.id) ?? 0) + 1);
    return row.ends ? 'lost' : 'open';
  }

  /** How often each row applied, of all rows that could. */
  counts(): { readonly id: string; readonly count: number }[] {
    return this.#rows.map(({ id }) => ({ id, count: this.#applied.get(id) ?? 0 }));
  }
}

function applies(row: OpenRow, difference: Difference, place: Place): boolean {
  if (!row.fields.includes(difference.field)) return false;
  if (row.ops && !row.ops.includes(difference.name)) return false;
  return row.when === undefined || row.when(difference, place);
}
