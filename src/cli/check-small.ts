// breakcow check --subject small: the small handler of the benches, which other checkers can close too.
import { unknownName } from '../errors.js';
import { explore } from '../explore/explore.js';
import { shortestLabel } from '../explore/shortest.js';
import { SMALL_MUTANTS, SMALL_OPS, SMALL_PROMISES } from '../explore/small.js';
import type { BrokenPath, ExploreResult, Symmetry } from '../explore/types.js';
import { diameterOf, outcomeOf, symmetryWords, verdictText } from '../explore/verdict.js';
import { wrap, wrapProgram } from '../report/layout.js';
import { bold, EXIT, green, print, printJson, red } from './output.js';
import { statusLine } from './progress.js';
import { paceText, type Search } from './search-options.js';

export interface SmallOptions {
  readonly mutants: readonly string[];
  readonly symmetry: Symmetry;
  readonly json: boolean;
}

/** Names and meanings of the mutants, for --help. */
export function mutantsHelp(): string {
  return SMALL_MUTANTS.map(({ name, doc }) => `  ${name.padEnd(23)} ${doc}`).join('\n');
}

function mutantBits(names: readonly string[]): number {
  const valid = SMALL_MUTANTS.map(({ name }) => name);
  return names.reduce((bits, name) => {
    const bit = valid.indexOf(name);
    if (bit < 0) throw unknownName('mutant', name, valid);
    return bits | (1 << bit);
  }, 0);
}

/** Searches the small handler and prints what came out. Throws UsageError for an unknown mutant; rejects as `explore` does. */
export async function checkSmall({ mutants, symmetry, json }: SmallOptions, search: Search): Promise<void> {
  const subject = { kind: 'small', symmetry, mutants: mutantBits(mutants), lanes: true } as const;
  const result = await explore({ ...search, subject });
  statusLine('');
  const broken = shortestOfEach(result.violations);
  if (json) printJson(smallJson(mutants, symmetry, result, broken));
  else print(smallText(mutants, symmetry, result, broken));
  if (broken.length > 0) process.exitCode = EXIT.BROKEN;
}

interface Broken {
  readonly promise: string;
  readonly program: readonly string[];
}

function shortestOfEach(paths: readonly BrokenPath[]): Broken[] {
  return SMALL_PROMISES.flatMap((promise, bit) => {
    const first = paths
      .filter(({ mask }) => (mask >> bit) & 1)
      .reduce<BrokenPath | undefined>((a, b) => (a && a.program.length <= b.program.length ? a : b), undefined);
    return first ? [{ promise, program: [...first.program].map((op) => SMALL_OPS[op]!) }] : [];
  });
}

function smallText(mutants: readonly string[], symmetry: Symmetry, result: ExploreResult, broken: Broken[]): string {
  const name = ['small handler', ...mutants.map((mutant) => `+${mutant}`)].join(' ');
  const paint = outcomeOf(result) === 'broken' ? red : green;
  return [
    ...wrap(`Bound: ${name}; 2 processes, 2 pages, 22 operations tried in every state; ${symmetryWords(symmetry)}.`),
    ...wrap(paceText(result)),
    '',
    paint(wrap(`${verdictText(result, broken.length)}.`).join('\n')),
    ...broken.flatMap(({ promise, program }) => [
      '',
      `${bold(`broken: ${promise}`)}, ${shortestLabel(program.length)}`,
      ...wrapProgram(program, '  '),
    ]),
  ].join('\n');
}

function smallJson(mutants: readonly string[], symmetry: Symmetry, result: ExploreResult, broken: Broken[]) {
  const { violations, ...rest } = result;
  return {
    subject: 'small',
    mutants,
    symmetry,
    outcome: outcomeOf(result),
    verdict: verdictText(result, broken.length),
    ...rest,
    diameter: result.ended === 'closed' ? diameterOf(result) : null,
    brokenPaths: violations.length,
    findings: broken.map(({ promise, program }) => ({
      promise,
      program: program.join('; '),
      length: program.length,
      label: shortestLabel(program.length),
    })),
  };
}
