// A counterexample as a mail to linux-mm: plain text, 75 columns.
import type { CSources } from '../conform/reproducer-sources.js';
import type { Engine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { inColumns, wrap } from '../report/layout.js';
import { reportText } from '../report/text.js';
import { printSpec } from '../text/id.js';
import { cTest } from './c.js';
import type { Exported } from './exported.js';

export const MAIL_COLUMNS = 75;

const TEST_IN_C = [
  'A standalone C program that tries this on a running kernel and prints KTAP is made by the same command with',
  'export in the place of replay, and --c test.c.',
].join(' ');

/** Subject, an empty line, text. Throws UsageError if no promise is broken. */
export function mail(engine: Engine, program: Exported, sources: CSources): string {
  const { diagnosis, spec } = program;
  if (!diagnosis) throw new UsageError(`${printSpec(spec)} keeps every promise of this program: no news for a mail`);
  const { slug, statement } = engine.catalogue.invariant(diagnosis.violation.invariant);
  const { skips } = cTest(engine, program, sources);
  const test = skips === undefined ? TEST_IN_C : `No C program can try this on a running kernel: ${skips}.`;
  return inColumns(MAIL_COLUMNS, () =>
    [
      subject(`[BUG] mm: ${slug} on ${spec.kernel} (model)`, statement),
      '',
      'Hi,',
      '',
      ...wrap(
        `a model of the page-fault handler of ${printSpec(spec)} breaks a promise in the steps below. What is shown are entries (P present, W write, D dirty, A accessed, U uffd-wp, SD soft-dirty, E exclusive) and the functions that decided.`,
      ),
      '',
      reportText(engine, diagnosis),
      '',
      ...wrap(test),
      '',
    ].join('\n'),
  );
}

/** One line; the statement only where it fits. */
function subject(lead: string, statement: string): string {
  const whole = `Subject: ${lead}: ${statement.replace(/\.$/, '')}`;
  const short = `Subject: ${lead}`;
  return whole.length <= MAIL_COLUMNS ? whole : short.slice(0, MAIL_COLUMNS);
}
