// A promise that a kernel broke, for people: what it did op by op, and what it owed.
import type { OpInfo } from '../engine/optable.js';
import { MM_NAMES } from '../engine/opword.js';
import { handleNames, printOp } from '../text/print.js';
import { valueText } from './compare.js';
import { factText } from './facts.js';
import type { PageLayout } from './observed.js';
import type { OracleFinding } from './oracle-finding.js';
import { opText } from './report.js';
import { Inexpressible, reproducer } from './reproducer.js';
import { cSources } from './reproducer-sources.js';

const OP_WIDTH = 40;

/** Lines of text; `statement` is the promise in words, `release` the kernel that broke it. */
export function findingText(found: OracleFinding, statement: string, release: string, ops: readonly OpInfo[]): string {
  const { slug, words, layout, run, broken, facts, program, firstAt } = found;
  const name = handleNames(words, ops);
  const { op, mm, page, expected, got } = broken.violation;
  const steps = Array.from(words, (word, i) => {
    const text = `${String(i + 1).padStart(2)} ${printOp(word, ops, name)}`;
    return `${i === op ? '>' : ' '} ${text.padEnd(OP_WIDTH)} ${opText(run.ops[i], i)}`;
  });
  const where = mm === undefined || page === undefined ? '' : ` ${MM_NAMES[mm]} p${page}`;
  const values = ['cow-leak', 'pin-detached', 'data-lost'].includes(slug)
    ? `:${where} shows ${valueText(got)}, not ${valueText(expected)}`
    : where === ''
      ? ''
      : `:${where}`;
  return [
    `${slug} on ${release}, ${layoutText(layout)}, after ${firstAt} programs`,
    statement,
    '',
    ...steps,
    '',
    `Broken at op ${op + 1}${values}.`,
    ...facts.map((fact) => `Owed: ${factText(fact)}.`),
    program,
  ].join('\n');
}

function layoutText(layout: PageLayout): string {
  return layout === 'pmd' ? 'a page is a quarter of a huge page' : 'pages of 4 KiB';
}

/** The C program that checks what was owed, or why there is none. */
export function findingProgram(
  { words, layout, facts, slug }: OracleFinding,
  statement: string,
  release: string,
  ops: readonly OpInfo[],
): { source: string } | { none: string } {
  if (facts.length === 0) return { none: 'no op of the program shows it' };
  const about = [`${slug}, seen on ${release}:`, statement];
  try {
    return { source: reproducer({ words, layout, facts, about }, ops, cSources()) };
  } catch (error) {
    if (error instanceof Inexpressible) return { none: error.message };
    throw error;
  }
}
