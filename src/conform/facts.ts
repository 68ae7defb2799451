// What must be seen of a program: facts, written behind the ops of its text, judged on whatever was observed.
//
//   old: write A p0; fork A->B; write A p0; read B p0 => old
//
// A label names an op and the value it stores. Facts, joined by "&":
//   LABEL, zero            what the op shows when it ends (read, hread)
//   ok, fault, refused     how it ends
//   sleeps, silent         it raises a uffd-wp event and sleeps, or does neither
//   wakes LABEL            the sleeper LABEL ends during this op
//   LABEL asleep           it sleeps after this op
//   A p0 wp, A p0 no-wp    uffd-wp of the entry after this op; likewise dirty, clean for soft-dirty
import type { OpInfo } from '../engine/optable.js';
import { decodeOp, MM_NAMES, PAGE_NAMES, RESULT, RESULT_NAMES } from '../engine/opword.js';
import { parseProgram } from '../text/parse.js';
import type { Cell, Run } from './observed.js';

/** `op` and `sleeper` are indices of ops; `value` is a token (index + 1 of the op that wrote it, 0 = zeroes). */
export type Fact =
  /** `or`: other values that are right as well. */
  | { readonly kind: 'shows'; readonly op: number; readonly value: number; readonly or?: readonly number[] }
  | { readonly kind: 'ends'; readonly op: number; readonly result: number }
  | { readonly kind: 'sleeps'; readonly op: number }
  | { readonly kind: 'silent'; readonly op: number }
  | { readonly kind: 'wakes'; readonly op: number; readonly sleeper: number }
  | { readonly kind: 'asleep'; readonly op: number; readonly sleeper: number }
  | {
      readonly kind: 'bit';
      readonly bit: 'uffd-wp' | 'soft-dirty';
      readonly op: number;
      readonly mm: number;
      readonly page: number;
      readonly set: boolean;
    }
  | { readonly kind: 'faults'; readonly op: number; readonly count: number }
  /** What the entry refers to after the op; a marker counts as swapped. */
  | { readonly kind: 'entry'; readonly op: number; readonly mm: number; readonly page: number; readonly is: Entry }
  | {
      readonly kind: 'content';
      readonly op: number;
      readonly mm: number;
      readonly page: number;
      readonly value: number;
    }
  /** Is another page frame behind it than before the op? */
  | { readonly kind: 'moved'; readonly op: number; readonly mm: number; readonly page: number; readonly moved: boolean }
  /** Is one frame behind both pages? */
  | {
      readonly kind: 'shared';
      readonly op: number;
      readonly mm: number;
      readonly page: number;
      readonly with: { readonly mm: number; readonly page: number };
      readonly same: boolean;
    };
export type Entry = 'none' | 'present' | 'swapped';

export interface Trial {
  readonly words: Uint32Array;
  /** The program without labels and facts. */
  readonly text: string;
  readonly facts: readonly Fact[];
  /** Ops that may have nothing to do: a split of what is split already. */
  readonly idle: readonly number[];
}

const ENDS: Readonly<Record<string, number>> = { ok: RESULT.OK, fault: RESULT.FAULT, refused: RESULT.REFUSED };
const BITS: Readonly<Record<string, readonly ['uffd-wp' | 'soft-dirty', boolean]>> = {
  wp: ['uffd-wp', true],
  'no-wp': ['uffd-wp', false],
  dirty: ['soft-dirty', true],
  clean: ['soft-dirty', false],
};

/** Reads a program with labels and facts. Throws UsageError for bad ops, Error for bad facts. */
export function parseTrial(text: string, ops: readonly OpInfo[]): Trial {
  const labels = new Map<string, number>();
  const steps = text
    .split(';')
    .map((step) => step.trim())
    .filter((step) => step !== '');
  const parts = steps.map((step, index) => {
    const [, label, op, facts] = /^(?:(\w+):\s*)?(.*?)(?:\s*=>\s*(.*))?$/.exec(step)!;
    if (label !== undefined) labels.set(label, index);
    return { op: op!, facts: facts?.split('&').map((fact) => fact.trim()) ?? [] };
  });
  const plain = parts.map(({ op }) => op).join('; ');
  const words = parseProgram(plain, ops);
  if (words.length !== parts.length) throw new Error(`one op a step: ${text}`);
  const facts = parts.flatMap((part, op) => part.facts.map((fact) => parseFact(fact, op, labels)));
  const idle = parts.flatMap((_, op) => (ops[decodeOp(words[op]!).code]!.name === 'thp_split' ? [op] : []));
  return { words, text: plain, facts, idle };
}

function parseFact(text: string, op: number, labels: ReadonlyMap<string, number>): Fact {
  const [first = '', second = '', third = ''] = text.split(/\s+/);
  const label = (name: string) => {
    const index = labels.get(name);
    if (index === undefined) throw new Error(`no op is called ${name}: ${text}`);
    return index;
  };
  if (third !== '') {
    const mm = MM_NAMES.indexOf(first);
    const page = PAGE_NAMES.indexOf(second);
    const bit = BITS[third];
    if (mm < 0 || page < 0 || page > 7 || !bit) throw new Error(`no fact: ${text}`);
    return { kind: 'bit', bit: bit[0], set: bit[1], op, mm, page };
  }
  if (first === 'wakes') return { kind: 'wakes', op, sleeper: label(second) };
  if (second === 'asleep') return { kind: 'asleep', op, sleeper: label(first) };
  if (second !== '') throw new Error(`no fact: ${text}`);
  if (first === 'sleeps' || first === 'silent') return { kind: first, op };
  if (first in ENDS) return { kind: 'ends', op, result: ENDS[first]! };
  return { kind: 'shows', op, value: first === 'zero' ? 0 : label(first) + 1 };
}

/** `holds`: every fact does. `unknown`: something needed did not happen or cannot be seen here. */
export interface Verdict {
  readonly verdict: 'holds' | 'broken' | 'unknown';
  /** Of a verdict other than `holds`, in words. */
  readonly reason?: string;
}

/** Judges what was observed of a trial. */
export function judge(trial: Trial, run: Run): Verdict {
  const { words, facts } = trial;
  if (run.trouble !== undefined || run.ops.length < words.length)
    return { verdict: 'unknown', reason: run.trouble ?? `only ${run.ops.length} of ${words.length} ops ran` };
  const odd = unexpected(trial, run);
  if (odd !== undefined) return { verdict: 'unknown', reason: odd };
  let unknown: string | undefined;
  for (const fact of facts) {
    const seen = look(fact, run);
    if (seen === undefined) unknown ??= `cannot see that ${factText(fact)}`;
    else if (seen !== '') return { verdict: 'broken', reason: `${factText(fact)}: ${seen}` };
  }
  return unknown === undefined ? { verdict: 'holds' } : { verdict: 'unknown', reason: unknown };
}

/** An op that did not do what the program needs, and of whose end no fact speaks. */
function unexpected({ facts, idle }: Trial, run: Run): string | undefined {
  for (const [index, { result, outcomes }] of run.ops.entries()) {
    const own = outcomes.some(({ op }) => op === index) || result === RESULT.SLEEP ? [] : [{ op: index, result }];
    for (const end of [...own, ...outcomes]) {
      if (end.result === RESULT.OK || (end.result === RESULT.SKIP && idle.includes(end.op))) continue;
      if (facts.some((fact) => fact.kind === 'ends' && fact.op === end.op)) continue;
      const error = 'error' in end && end.error ? ` (errno ${Math.abs(end.error)})` : '';
      return `op ${end.op + 1}: ${RESULT_NAMES[end.result]}${error}`;
    }
  }
  return undefined;
}

/** '' = as the fact says, else what was seen instead; undefined = it cannot be seen. */
function look(fact: Fact, run: Run): string | undefined {
  const after = run.ops[fact.op]!;
  const ended = (op: number) => run.ops.flatMap(({ outcomes }) => outcomes).find((outcome) => outcome.op === op);
  switch (fact.kind) {
    case 'shows': {
      const outcome = ended(fact.op);
      if (!outcome) return 'it never ended';
      if (outcome.value === undefined) return undefined;
      return [fact.value, ...(fact.or ?? [])].includes(outcome.value) ? '' : `it showed ${valueText(outcome.value)}`;
    }
    case 'ends': {
      const result = ended(fact.op)?.result ?? RESULT.SLEEP;
      return result === fact.result ? '' : `it ended with ${RESULT_NAMES[result]}`;
    }
    case 'sleeps': {
      const event = after.events.some(({ op }) => op === fact.op);
      if (event && after.asleep.includes(fact.op)) return '';
      return event ? 'it raised an event and went on' : 'it raised no event';
    }
    case 'silent':
      if (after.events.some(({ op }) => op === fact.op)) return 'it raised an event';
      return after.asleep.includes(fact.op) ? 'it sleeps' : '';
    case 'wakes':
      return after.outcomes.some(({ op }) => op === fact.sleeper) ? '' : 'it did not';
    case 'asleep':
      return after.asleep.includes(fact.sleeper) ? '' : 'it does not';
    case 'bit': {
      const cell = after.cells[fact.mm]?.[fact.page];
      const set = fact.bit === 'uffd-wp' ? cell?.uffdWp : cell?.softDirty;
      return set === undefined ? undefined : set === fact.set ? '' : `it is ${set ? 'set' : 'clear'}`;
    }
    default:
      return lookAtPage(fact, run);
  }
}

/** As `look`, of facts that no text states: claims out of a comparison. */
function lookAtPage(fact: Exclude<Fact, { kind: Written }>, run: Run): string | undefined {
  if (fact.kind === 'faults') {
    const faults = run.ops.flatMap(({ outcomes }) => outcomes).find(({ op }) => op === fact.op)?.faults;
    return faults === undefined ? undefined : faults === fact.count ? '' : `it took ${faults}`;
  }
  const cell = run.ops[fact.op]!.cells[fact.mm]?.[fact.page];
  if (!cell) return undefined;
  switch (fact.kind) {
    case 'entry': {
      const is = entryOf(cell);
      return is === fact.is ? '' : `it is ${is}`;
    }
    case 'content':
      if (cell.value === undefined) return undefined;
      return cell.value === fact.value ? '' : `it has ${valueText(cell.value)}`;
    case 'moved': {
      const before = run.ops[fact.op - 1]?.cells[fact.mm]?.[fact.page]?.frame;
      if (cell.frame === undefined || before === undefined) return undefined;
      return (cell.frame !== before) === fact.moved ? '' : fact.moved ? 'it stayed' : 'it moved';
    }
    case 'shared': {
      const other = run.ops[fact.op]!.cells[fact.with.mm]?.[fact.with.page];
      if (cell.frame === undefined || other?.frame === undefined) return undefined;
      return (cell.frame === other.frame) === fact.same ? '' : fact.same ? 'they differ' : 'it is one page';
    }
  }
}
type Written = 'shows' | 'ends' | 'sleeps' | 'silent' | 'wakes' | 'asleep' | 'bit';

/** What a cell refers to, as pagemap tells it. */
export function entryOf({ kind }: Cell): Entry {
  return kind === 'marker' || kind === 'swap' ? 'swapped' : kind;
}

function valueText(value: number): string {
  return value === 0 ? 'zeroes' : `what op ${value} wrote`;
}

/** The fact as a sentence; ops are numbered from 1. */
export function factText(fact: Fact): string {
  const op = `op ${fact.op + 1}`;
  switch (fact.kind) {
    case 'shows':
      return `${op} shows ${[fact.value, ...(fact.or ?? [])].map(valueText).join(' or ')}`;
    case 'ends':
      return `${op} ends with ${RESULT_NAMES[fact.result]}`;
    case 'sleeps':
      return `${op} raises a uffd-wp event and sleeps`;
    case 'silent':
      return `${op} raises no event`;
    case 'wakes':
      return `${op} wakes the thread of op ${fact.sleeper + 1}`;
    case 'asleep':
      return `the thread of op ${fact.sleeper + 1} sleeps after ${op}`;
    case 'bit':
      return `${fact.bit} of ${pageText(fact)} is ${fact.set ? 'set' : 'clear'} after ${op}`;
    case 'faults':
      return `${op} takes ${fact.count === 1 ? '1 fault' : `${fact.count} faults`}`;
    case 'entry':
      return `${pageText(fact)} is ${fact.is === 'none' ? 'not populated' : fact.is} after ${op}`;
    case 'content':
      return `${pageText(fact)} holds ${valueText(fact.value)} after ${op}`;
    case 'moved':
      return `${op} ${fact.moved ? 'puts another page behind' : 'leaves the page of'} ${pageText(fact)}`;
    case 'shared':
      return `${pageText(fact)} and ${pageText(fact.with)} are ${fact.same ? 'one page' : 'two pages'} after ${op}`;
  }
}

function pageText({ mm, page }: { readonly mm: number; readonly page: number }): string {
  return `${MM_NAMES[mm]} p${page}`;
}
