// A counterexample as a mail to linux-mm: plain text, 75 columns.
import type { CSources } from '../conform/reproducer-sources.js';
import type { Engine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { inColumns, wrap } from '../report/layout.js';
import { reportText } from '../report/text.js';
import { printSpec } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { cTest, plan } from './c.js';
import type { Exported } from './exported.js';

export const MAIL_COLUMNS = 75;

const TEST_IN_C = [
  'A standalone C program that tries this on a running kernel and prints KTAP is made by the same command with',
  'export in the place of replay, and --c test.c.',
].join(' ');

const LEGEND = [
  'A, B and C are processes; p0 to p7 are pages of private memory at the same addresses in each; h is a page that',
  'get_user_pages took, for reading (R) or writing (W), by FOLL_GET or FOLL_PIN. Step n stores the value n. What is shown',
  'are entries (P present, W write, D dirty, A accessed, U uffd-wp, SD soft-dirty, E exclusive) and the functions that',
  'decided.',
].join(' ');

/** What came of the C test on a kernel. */
export interface Tried {
  /** uname -r. */
  readonly release: string;
  readonly verdict: 'kept' | 'broken' | 'skipped';
  readonly ktap: string;
}

/** Subject, an empty line, text. Throws UsageError if no promise is broken. */
export function mail(engine: Engine, program: Exported, sources: CSources, tried?: Tried): string {
  const { diagnosis, spec } = program;
  if (!diagnosis) throw new UsageError(`${printSpec(spec)} keeps every promise of this program: no news for a mail`);
  const { slug, statement } = engine.catalogue.invariant(diagnosis.violation.invariant);
  const where = tried?.verdict === 'broken' ? tried.release : `${spec.kernel} (model)`;
  return inColumns(MAIL_COLUMNS, () =>
    [
      subject(`[BUG] mm: ${slug} on ${where}`, statement),
      '',
      'Hi,',
      '',
      ...wrap(`A model of the page-fault handler of ${printSpec(spec)} breaks a promise in the steps below. ${LEGEND}`),
      '',
      ...(tried ? [...seen(engine, program, tried), ''] : []),
      reportText(engine, diagnosis),
      '',
      ...wrap(aboutTest(engine, program, sources)),
      '',
    ].join('\n'),
  );
}

function seen(engine: Engine, program: Exported, { release, verdict, ktap }: Tried): string[] {
  const lead = `A C program performed the steps by system calls on ${release}`;
  if (verdict === 'kept') return wrap(`${lead}, which keeps the promise.`);
  if (verdict === 'skipped') return wrap(`${lead} in vain: ${/ # SKIP (.*)$/m.exec(ktap)?.[1] ?? 'it was skipped'}.`);
  const failed = ktap.split('\n').filter((line) => line.startsWith('not ok '));
  const { words, own } = plan(engine, program);
  const performed = printProgram(words.subarray(0, own), engine.catalogue.ops);
  const other = performed === printProgram(program.words, engine.catalogue.ops) ? '' : `, as ${performed}`;
  return [
    ...wrap(`${lead}${other}. The promise is broken there as well:`),
    '',
    ...failed.flatMap((line) => wrap(line, '  ', '    ')),
  ];
}

function aboutTest(engine: Engine, program: Exported, sources: CSources): string {
  const { skips, blind } = cTest(engine, program, sources);
  if (skips !== undefined) return `No C program can try this on a running kernel: ${skips}.`;
  return blind === undefined ? TEST_IN_C : `${TEST_IN_C} It does not show the flaw: ${blind}.`;
}

/** One line; the statement only where it fits. */
function subject(lead: string, statement: string): string {
  const whole = `Subject: ${lead}: ${statement.replace(/\.$/, '')}`;
  const short = `Subject: ${lead}`;
  return whole.length <= MAIL_COLUMNS ? whole : short.slice(0, MAIL_COLUMNS);
}
