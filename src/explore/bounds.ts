// What several searches have in common, told once below a table.
import type { Catalogue } from '../engine/catalogue.js';
import { fold, TABLE_COLUMNS } from '../report/columns.js';
import type { CheckResult } from './check.js';
import { exhaustedText, omissionText, symmetryWords } from './verdict.js';

/** The model's room, the symmetry, and the largest probability of a state left out; indented lines of a table. */
export function commonBounds(catalogue: Catalogue, checks: readonly CheckResult[]): string[] {
  const [first] = checks;
  if (!first) return [];
  const worst = checks.reduce((a, b) => (a.result.omission >= b.result.omission ? a : b));
  const frames = `${catalogue.at('NR_FRAMES')} page frames, ${catalogue.at('NR_SLOTS')} swap slots`;
  const exhausted = checks.reduce((sum, { result }) => sum + result.exhausted, 0);
  return [
    'a state in which a promise is broken is not searched further',
    `${frames}; ${symmetryWords(first.bound.symmetry)}`,
    omissionText(worst.result, 'exact'),
    exhaustedText(catalogue, { ...first.result, exhausted }),
  ]
    .filter((text) => text !== '')
    .flatMap((text) => fold(text, TABLE_COLUMNS, '  '));
}
