// What a report knows of how near each step of a finding came.
import type { Outlook } from '../explore/own-prospects.js';
import { printSpec } from '../text/id.js';
import type { Boot } from './boot.js';
import type { Session } from './session.js';

/** What the report knows of the program, as long as program and kernel are those of a finding; undefined: nobody looked. */
export function outlookFor({ findings }: Boot, { program, spec }: Session): Outlook | undefined {
  const looked = findings.filter(({ outlook }) => outlook !== undefined);
  const found = looked.find((choice) => choice.program === program && printSpec(choice.spec) === printSpec(spec));
  if (found) return found.outlook;
  return looked.length === 0 ? undefined : { why: 'only known for a finding as it was reported, not after edits' };
}

/** Probability by which a step must raise the probability to be called decisive. */
const DECISIVE = 0.01;

/** Number of the step that raised the probability most, if one did by much. */
export function decisiveStep(outlook: Outlook | undefined): number | undefined {
  if (!outlook || 'why' in outlook) return undefined;
  const { decisive, steps } = outlook.prospects;
  if (decisive === undefined) return undefined;
  return steps[decisive]!.probability - steps[decisive - 1]!.probability < DECISIVE ? undefined : decisive;
}
