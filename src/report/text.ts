// A counterexample as one would paste it into a mail to linux-mm.

import type { Catalogue } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { COMMON_VERSION } from '../engine/opword.js';
import type { KernelSpec } from '../engine/types.js';
import type { Cure, Flip } from '../findings/cures.js';
import { explain, type LeafChange, type LeafState, type Step } from '../findings/explain.js';
import type { Diagnosis, Shortest } from '../findings/finding.js';
import { findOrigin, originText } from '../findings/lineage.js';
import type { Decision, Section } from '../findings/sections.js';
import type { TracedRun } from '../findings/trace.js';
import { refuses, Trial } from '../findings/trial.js';
import { printSpec } from '../text/id.js';
import { printItems } from '../text/print.js';
import { columns, wrap, wrapProgram } from './layout.js';
import { brokenPromise } from './promise.js';
import { shortestText } from './shortest.js';

const INDENT = '      ';

/** The whole report of a broken promise, and what is known of shorter programs. */
export function reportText(engine: Engine, diagnosis: Diagnosis, shortest?: Shortest): string {
  const { catalogue } = engine;
  const { spec, words, run, violation, cures, cause } = diagnosis;
  const { slug, judge, statement } = catalogue.invariant(violation.invariant);
  const items = printItems(words, catalogue.ops);
  const by = `${cause.leaf ? 'The entry was last set' : 'Decided'} in step ${cause.step} by`;
  const where = cause.function === 'none' ? [] : wrap(`${by} ${cause.function}: ${cause.decision}.`);
  return [
    ...wrap(`${slug} on ${printSpec(spec)}, in ${words.length} operation${words.length === 1 ? '' : 's'}`),
    ...(shortest ? wrap(shortestText(shortest)) : []),
    '',
    ...wrap(brokenPromise(violation, words, catalogue)),
    ...where,
    '',
    ...wrapProgram(
      items.map(({ text }) => text),
      '  ',
    ),
    '',
    ...stepsText(run, words, catalogue, slug === 'tlb-stale'),
    '',
    ...wrap(`${judge === 'warning' ? 'a cost' : 'broken'}: ${slug}: ${statement}`, '  => ', '     '),
    '',
    ...curesText(cures),
    '',
    ...wrap(originText(findOrigin(engine, spec, words, violation.invariant)), 'Came with:  '),
    ...kernelsText(engine, spec, words, violation.invariant),
    '',
    ...replayText(diagnosis, items),
  ]
    .map((line) => line.trimEnd())
    .join('\n');
}

/** The numbered steps of a run. */
export function stepsText(run: TracedRun, words: Uint32Array, catalogue: Catalogue, tlb = false): string[] {
  const lines = explain(run, words, catalogue, tlb).flatMap(stepText);
  if (run.finalLook) lines.push('      (seen only by the final look at every page and handle)');
  return lines;
}

function stepText(step: Step): string[] {
  const result = step.results.every((one) => one === 'ok') ? '' : `  [${step.results.join(' | ')}]`;
  const lines = wrap(`${step.text}${result}`, `${String(step.number).padStart(3)}. `);
  if (step.sections) lines.push(...step.sections.flatMap(sectionText));
  else lines.push(...step.decisions.flatMap((decision) => decisionText(decision)));
  for (const event of step.events) lines.push(...wrap(event, `${INDENT}* `));
  for (const change of step.changes) lines.push(...changeText(change));
  return lines;
}

function decisionText({ function: name, decision }: Decision, lead = ''): string[] {
  return wrap(`${name}: ${decision}`, `${INDENT}${lead}`, `${INDENT}${' '.repeat(lead.length)}  `);
}

/** Each line after the digit of its op, as schedules have it. */
function sectionText({ op, waited, decisions }: Section): string[] {
  const lead = `${op}: `;
  const waits = waited ? wrap(`(${3 - op} waits for mmap_lock)`, `${INDENT}${lead}`) : [];
  if (decisions.length === 0) return [...waits, `${INDENT}${lead}(no handler runs)`];
  return [...waits, ...decisions.flatMap((decision) => decisionText(decision, lead))];
}

/** Columns of the page behind an entry. */
const ENTRY_WIDTH = 18;

function changeText({ mm, pages, before, after }: LeafChange): string[] {
  const name = `${INDENT}${mm} ${pages}  `;
  if (before.entry === after.entry && before.level === after.level && before.page?.frame === after.page?.frame)
    return leafLines(name, before, after);
  return [...leafLines(name, before), ...leafLines('->  '.padStart(name.length), after)];
}

/** Entry and page side by side, or below each other where that is too long. */
function leafLines(lead: string, state: LeafState, now: LeafState = state): string[] {
  const leaf = state.level === 'PTE' ? state.entry : `${state.level} ${state.entry}`;
  const page = pageText(state, now);
  const line = `${lead}${leaf.padEnd(ENTRY_WIDTH)}  ${page}`.trimEnd();
  return line.length <= columns() ? [line] : [`${lead}${leaf}`, ...wrap(page, ' '.repeat(lead.length))];
}

/** The page behind a leaf; with `now`, what of it has changed. */
function pageText(state: LeafState, now: LeafState = state): string {
  if (state.special !== undefined) return state.special;
  if (!state.page || !now.page) return '';
  const change = (from: string | number, to: string | number) => (from === to ? `${from}` : `${from} -> ${to}`);
  const [a, b] = [state.page, now.page];
  const counts = [`refs ${change(a.refs, b.refs)}`, `mapcount ${change(a.mapcount, b.mapcount)}`];
  if (a.pins + b.pins > 0) counts.push(`pins ${change(a.pins, b.pins)}`);
  if (a.exclusive || b.exclusive)
    counts.push(a.exclusive === b.exclusive ? 'E' : change(a.exclusive ? 'E' : 'no E', b.exclusive ? 'E' : 'no E'));
  if (a.swapCache || b.swapCache)
    counts.push(a.swapCache && b.swapCache ? 'swap cache' : `${b.swapCache ? 'into' : 'out of'} swap cache`);
  const last = a.frame + state.dataOf.length - 1;
  const pages = last === a.frame ? `page ${a.frame}` : `pages ${a.frame}..${last}`;
  return `${pages}: ${counts.join(', ')}; ${change(dataText(state.dataOf), dataText(now.dataOf))}`;
}

/** `data of step 2`; over several pages `data of steps 2,-,4,-`, a dash for zeroes, `same` for the shared value. */
function dataText(dataOf: readonly number[]): string {
  const first = dataOf[0] ?? 0;
  const name = (version: number) => (version === COMMON_VERSION ? 'same' : String(version || '-'));
  if (dataOf.some((version) => version !== first)) return `data of steps ${dataOf.map(name).join(',')}`;
  if (first === COMMON_VERSION) return 'the shared value';
  return first === 0 ? 'zeroes' : `data of step ${first}`;
}

function flipText({ knob, on }: Flip): string {
  return `${on ? '+' : '-'}${knob.name}: ${knob.source}`;
}

function curesText(cures: readonly Cure[]): string[] {
  if (cures.length === 0) return ['Cured by: no set of up to three knobs.'];
  const head = cures[0]!.faithful ? 'Cured by' : 'Silenced, though only by refusing an operation, by';
  const lines = wrap(`${head}${cures.length > 1 ? ' any one of' : ''} (+ is --with, - is --without):`);
  for (const { flips } of cures) {
    for (const [i, flip] of flips.entries()) {
      lines.push(...wrap(flipText(flip), i === 0 ? '  ' : '    with ', '    '));
      const doc = flip.on ? flip.knob.doc : `Without: ${flip.knob.doc}`;
      lines.push(...wrap(doc, '      '));
    }
  }
  return lines;
}

export interface KernelVerdict {
  readonly kernel: string;
  /** What the program breaks there. */
  readonly slugs: readonly string[];
  /** It breaks nothing, but one of its operations is refused. */
  readonly refused: boolean;
}

/** What the program does on each kernel of the catalogue. */
export function kernelVerdicts(engine: Engine, spec: KernelSpec, words: Uint32Array): KernelVerdict[] {
  const { catalogue } = engine;
  const here = new Trial(engine, catalogue.vector(spec)).run(words);
  return catalogue.kernels.map(({ name }) => {
    const there = new Trial(engine, catalogue.elsewhere(name, spec)).run(words);
    const ids = [...new Set(there.verdict.violations.map(({ invariant }) => invariant))];
    const slugs = ids.map((id) => catalogue.invariant(id).slug);
    return { kernel: name, slugs, refused: slugs.length === 0 && refuses(there, here) };
  });
}

function kernelsText(engine: Engine, spec: KernelSpec, words: Uint32Array, invariant: number): string[] {
  const { slug } = engine.catalogue.invariant(invariant);
  const verdicts = kernelVerdicts(engine, spec, words);
  const names = (of: readonly KernelVerdict[]) => of.map(({ kernel }) => kernel).join(', ');
  const same = verdicts.filter(({ slugs }) => slugs.includes(slug));
  const other = verdicts.filter(({ slugs }) => slugs.length > 0 && !slugs.includes(slug));
  const kept = verdicts.filter(({ slugs, refused }) => slugs.length === 0 && !refused);
  const refused = verdicts.filter((verdict) => verdict.refused);
  return [
    ...wrap(names(same) || 'none', 'Broken on:  '),
    ...(other.length === 0
      ? []
      : wrap(other.map(({ kernel, slugs }) => `${kernel} (${slugs[0]})`).join(', '), 'Otherwise:  ')),
    ...wrap(names(kept) || 'none', 'Kept on:    '),
    ...(refused.length === 0 ? [] : wrap(`${names(refused)} (an operation is refused)`, 'Unknown on: ')),
  ];
}

/** The words of a shell command, the program yet to come. */
function replayWords({ kernel, with: plus, without: minus }: KernelSpec): string[] {
  return [
    `npx breakcow replay --kernel ${kernel}`,
    ...plus.map((name) => `--with ${name}`),
    ...minus.map((name) => `--without ${name}`),
  ];
}

/** How to replay the program, as one line for a shell. */
export function replayCommand(spec: KernelSpec, program: string): string {
  return `${replayWords(spec).join(' ')} '${program}'`;
}

function replayText({ spec }: Diagnosis, items: readonly { text: string }[]): string[] {
  const program = items.map(({ text }) => text);
  const line = `  ${replayCommand(spec, program.join('; '))}`;
  if (line.length <= columns()) return ['Replay with:', line];
  const words = replayWords(spec);
  const command = words.join(' ').length + 4 <= columns() ? [words.join(' ')] : words;
  const head = command.map((word, i) => `${i === 0 ? '  ' : '    '}${word} ${i === command.length - 1 ? "'" : '\\'}`);
  const quoted = program.map((item, i) => (i === program.length - 1 ? `${item}'` : item));
  return ['Replay with:', ...head, ...wrapProgram(quoted, '    ')];
}
