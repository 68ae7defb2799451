// One program, two runs of it: the first op after which they cannot both be right.
import type { OpInfo } from '../engine/optable.js';
import { decodeOp, MM_NAMES, PAGE_COUNT, RESULT_NAMES } from '../engine/opword.js';
import { GupFlavours, Vocabulary } from './flavours.js';
import type { Capability, Cell, Observed, Outcome, PageLayout, RawCell, Run } from './observed.js';

/**
 * What can differ. 'trouble': the kernel's side could not go on; 'moved': whether a page stayed where it was; 'frame':
 * which pages are one and the same.
 */
export type Field =
  | 'result'
  | 'events'
  | 'woken'
  | 'asleep'
  | 'value'
  | 'faults'
  | 'alive'
  | 'kind'
  | 'uffd-wp'
  | 'soft-dirty'
  | 'zero'
  | 'huge'
  | 'large'
  | 'swapcache'
  | 'mapcount'
  | 'content'
  | 'write'
  | 'dirty'
  | 'exclusive'
  | 'pinned'
  | 'extra-refs'
  | 'frame'
  | 'moved'
  | 'trouble';

export interface Difference {
  /** Index of the op after which it is seen. */
  readonly op: number;
  /** Name of that op in the table. */
  readonly name: string;
  readonly field: Field;
  /** Cell that differs. */
  readonly mm?: number;
  readonly page?: number;
  /** Op whose outcome differs, if that is an earlier one that was woken. */
  readonly sleeper?: number;
  readonly model: string;
  readonly kernel: string;
}

/** What a row of the table of open observations may look at. */
export interface Place {
  readonly ops: readonly OpInfo[];
  readonly words: Uint32Array;
  readonly layout: PageLayout;
  readonly kernel: Run;
  readonly model: Run;
}

/** 'differs' ends the comparison; 'open' goes on with the next field; 'lost' ends it too: nothing after that counts. */
export type Ruling = 'differs' | 'open' | 'lost';
export type Judge = (difference: Difference, place: Place) => Ruling;
/** Do the two sides go separate ways in op `op`, though nothing that differs was seen? Nothing after it counts then. */
export type Parting = (op: number, place: Place) => boolean;

/** Fields whose texts name ops or pages, so that they say nothing about the kind. */
const PARTICULAR: ReadonlySet<Field> = new Set(['value', 'content', 'events', 'woken', 'asleep', 'trouble']);

/** Two differences of one kind are one finding: the op, the field, and what each side says. */
export function kindOf({ name, field, model, kernel }: Difference): string {
  if (PARTICULAR.has(field)) return `${name} ${field}`;
  if (field === 'frame') return `${name} frame: ${model === ANOTHER ? 'apart / shared' : 'shared / apart'}`;
  return `${name} ${field}: ${model} / ${kernel}`;
}
const ANOTHER = 'another page';

/** Where an op stands in a transfer that the kernel does as one call. */
const ALONE = 0;
const FIRST = 1;
const MIDDLE = 2;
const LAST = 3;

const NR_MMS = MM_NAMES.length;
const NO_OUTCOMES: readonly Outcome[] = [];

/** Compares runs of programs of one layout. */
export class Comparison {
  readonly #table: readonly OpInfo[];
  readonly #gup: GupFlavours;
  readonly #codes: { gup: number; hread: number; hwrite: number; put: number; split: number };
  readonly #threads: ReadonlySet<number>;
  readonly #layout: PageLayout;
  readonly #judge: Judge;
  readonly #parting: Parting;
  /** Pairs of cells compared so far. */
  cells = 0;
  ops = 0;

  constructor(
    ops: readonly OpInfo[],
    layout: PageLayout,
    judge: Judge = () => 'differs',
    parting: Parting = () => false,
  ) {
    const vocabulary = new Vocabulary(ops);
    this.#table = ops;
    this.#gup = new GupFlavours(vocabulary);
    const code = (name: string) => vocabulary.code(name);
    this.#codes = {
      gup: code('gup'),
      hread: code('hread'),
      hwrite: code('hwrite'),
      put: code('put'),
      split: code('thp_split'),
    };
    this.#threads = new Set([code('read'), code('write'), code('gup')]);
    this.#layout = layout;
    this.#judge = judge;
    this.#parting = parting;
  }

  /** The first difference that counts. Of a run that was cut short, what there is is compared. */
  first(words: Uint32Array, model: Run, kernel: Run): Difference | undefined {
    const place: Place = { ops: this.#table, words, layout: this.#layout, model, kernel };
    const n = Math.min(words.length, model.ops.length, kernel.ops.length);
    const roles = this.#roles(words);
    let compared = -1;
    for (let op = 0; op < n; op++) {
      this.ops++;
      let found: Difference | undefined;
      let lost = false;
      const report = (difference: Omit<Difference, 'op' | 'name'>): boolean => {
        const whole = { op, name: this.#table[words[op]! & 63]!.name, ...difference };
        const ruling = this.#judge(whole, place);
        if (ruling === 'open') return false;
        lost = ruling === 'lost';
        found = whole;
        return true;
      };
      const m = model.ops[op]!;
      const k = kernel.ops[op]!;
      const role = roles[op]!;
      const differs =
        this.#ends(words[op]!, op, role, m, k, report) ||
        ((role === ALONE || role === LAST) && this.#state(m, k, model.ops[compared], kernel.ops[compared], report));
      if (differs) return lost ? undefined : found;
      if (role !== ALONE && role !== LAST) continue;
      if (this.#parting(op, place)) return undefined;
      compared = op;
    }
    if (kernel.trouble === undefined) return undefined;
    const op = Math.min(n, words.length - 1);
    const name = this.#table[words[op]! & 63]!.name;
    return { op, name, field: 'trouble', model: 'goes on', kernel: kernel.trouble };
  }

  /** Per op: alone, or its place in a transfer (gup, hread or hwrite, put). */
  #roles(words: Uint32Array): Uint8Array {
    const roles = new Uint8Array(words.length);
    for (let i = 0; i + 2 < words.length; i++) {
      const { code, flags, y } = decodeOp(words[i]!);
      if (code !== this.#codes.gup || this.#gup.flavour(flags) === 'held') continue;
      const [use, put] = [decodeOp(words[i + 1]!), decodeOp(words[i + 2]!)];
      const uses = use.code === this.#codes.hread || use.code === this.#codes.hwrite;
      if (!uses || put.code !== this.#codes.put || use.y !== y || put.y !== y) continue;
      roles[i] = FIRST;
      roles[i + 1] = MIDDLE;
      roles[i + 2] = LAST;
      i += 2;
    }
    return roles;
  }

  /** Results, values, faults, events and sleepers. */
  #ends(word: number, op: number, role: number, m: Observed, k: Observed, report: Report): boolean {
    const code = word & 63;
    // Splitting what is split already does nothing, and the kernel cannot say so.
    if (m.result !== k.result && code !== this.#codes.split) {
      if (report({ field: 'result', model: resultText(m.result), kernel: resultText(k.result) })) return true;
    }
    if (role !== LAST) {
      const mine = m.outcomes.find((outcome) => outcome.op === op);
      const theirs = k.outcomes.find((outcome) => outcome.op === op);
      const faults = role !== MIDDLE && this.#threads.has(code);
      if (mine && theirs && this.#outcome(mine, theirs, op, faults, report)) return true;
    }
    if (role === FIRST || role === MIDDLE) return false;
    if (m.events.length > 0 || k.events.length > 0) {
      const [model, kernel] = [eventsText(m), eventsText(k)];
      if (model !== kernel && report({ field: 'events', model, kernel })) return true;
    }
    if (m.outcomes.length > 1 || k.outcomes.length > 1 || m.result === 1 || k.result === 1) {
      if (this.#woken(op, m, k, report)) return true;
    }
    const [model, kernel] = [m.asleep.join(), k.asleep.join()];
    return model !== kernel && report({ field: 'asleep', model: sleepText(m), kernel: sleepText(k) });
  }

  #woken(op: number, m: Observed, k: Observed, report: Report): boolean {
    const others = ({ outcomes }: Observed) =>
      outcomes.length === 0 ? NO_OUTCOMES : outcomes.filter((outcome) => outcome.op !== op);
    const [mine, theirs] = [others(m), others(k)];
    const [model, kernel] = [wokenText(mine), wokenText(theirs)];
    if (model !== kernel) return report({ field: 'woken', model, kernel });
    return mine.some((outcome, i) => this.#outcome(outcome, theirs[i]!, op, true, report));
  }

  #outcome(m: Outcome, k: Outcome, op: number, faults: boolean, report: Report): boolean {
    const sleeper = m.op === op ? undefined : m.op;
    if (m.result === k.result && m.value !== undefined && k.value !== undefined && m.value !== k.value) {
      if (report({ field: 'value', sleeper, model: valueText(m.value), kernel: valueText(k.value) })) return true;
    }
    if (!faults || m.faults === undefined || k.faults === undefined || m.faults === k.faults) return false;
    return report({ field: 'faults', sleeper, model: String(m.faults), kernel: String(k.faults) });
  }

  /** Page tables and the pages behind them. */
  #state(m: Observed, k: Observed, pm: Observed | undefined, pk: Observed | undefined, report: Report): boolean {
    if (m.cells.length === 0 || k.cells.length === 0) return false;
    let changed = false;
    for (let mm = 0; mm < NR_MMS; mm++) {
      const mine = m.cells[mm];
      const theirs = k.cells[mm];
      if (!mine || !theirs) {
        if (!mine === !theirs) continue;
        const text = (cells: readonly Cell[] | undefined) => (cells ? 'lives' : 'is gone');
        if (report({ field: 'alive', mm, model: text(mine), kernel: text(theirs) })) return true;
        continue;
      }
      const [before, beforeTheirs] = [pm?.cells[mm], pk?.cells[mm]];
      for (let page = 0; page < PAGE_COUNT; page++) {
        const [a, b] = [mine[page]!, theirs[page]!];
        if (before?.[page] === a && beforeTheirs?.[page] === b) continue;
        changed = true;
        this.cells++;
        if (cellDiffers(a, b, (difference) => report({ ...difference, mm, page }))) return true;
        const [was, wasTheirs] = [before?.[page], beforeTheirs?.[page]];
        if (was && wasTheirs && moved(was, a, wasTheirs, b)) {
          const text = (from: Cell, to: Cell) => (from.frame === to.frame ? 'the same page' : 'another page');
          if (report({ field: 'moved', mm, page, model: text(was, a), kernel: text(wasTheirs, b) })) return true;
        }
      }
    }
    return changed && this.#renaming(m, k, report);
  }

  /** Is there one renaming of frames, and one of swap slots, that turns one snapshot into the other? */
  #renaming(m: Observed, k: Observed, report: Report): boolean {
    const toKernel = new Map<number, { frame: number; where: string }>();
    const toModel = new Map<number, { frame: number; where: string }>();
    for (let mm = 0; mm < NR_MMS; mm++) {
      const mine = m.cells[mm];
      const theirs = k.cells[mm];
      if (!mine || !theirs) continue;
      for (let page = 0; page < PAGE_COUNT; page++) {
        const [a, b] = [mine[page]!, theirs[page]!];
        if (a.frame === undefined || b.frame === undefined || a.kind !== b.kind || a.zero || b.zero) continue;
        const side = a.kind === 'swap' ? 1 : 0;
        const where = `${MM_NAMES[mm]} p${page}`;
        const [mineKey, theirKey] = [2 * a.frame + side, 2 * b.frame + side];
        const known = toKernel.get(mineKey);
        const other = toModel.get(theirKey);
        if (known && known.frame !== theirKey) {
          const texts = { model: `the page of ${known.where}`, kernel: ANOTHER };
          if (report({ field: 'frame', mm, page, ...texts })) return true;
        } else if (other && other.frame !== mineKey) {
          const texts = { model: ANOTHER, kernel: `the page of ${other.where}` };
          if (report({ field: 'frame', mm, page, ...texts })) return true;
        }
        toKernel.set(mineKey, { frame: theirKey, where });
        toModel.set(theirKey, { frame: mineKey, where });
      }
    }
    return false;
  }
}

type Report = (difference: Omit<Difference, 'op' | 'name'>) => boolean;

const FLAGS: readonly [field: Field, of: (cell: Cell) => boolean | undefined][] = [
  ['uffd-wp', (cell) => cell.uffdWp],
  ['soft-dirty', (cell) => cell.softDirty],
  ['zero', (cell) => cell.zero],
  ['huge', (cell) => cell.huge],
  ['large', (cell) => cell.large],
  ['swapcache', (cell) => cell.swapCache],
];
const RAW_FLAGS: readonly [field: Field, of: (cell: RawCell) => boolean | undefined][] = [
  ['write', (raw) => raw.write],
  ['dirty', (raw) => raw.dirty],
  ['exclusive', (raw) => raw.exclusive],
  ['pinned', (raw) => raw.pinned],
  ['extra-refs', (raw) => raw.extraRefs],
];

function cellDiffers(a: Cell, b: Cell, report: Report): boolean {
  if (a.kind !== b.kind) {
    if (report({ field: 'kind', model: a.kind, kernel: b.kind })) return true;
    return false;
  }
  for (const [field, of] of FLAGS) if (flagDiffers(field, of(a), of(b), report)) return true;
  if (a.mapcount !== b.mapcount && a.mapcount !== undefined && b.mapcount !== undefined) {
    if (report({ field: 'mapcount', model: String(a.mapcount), kernel: String(b.mapcount) })) return true;
  }
  if (a.value !== b.value && a.value !== undefined && b.value !== undefined) {
    if (report({ field: 'content', model: valueText(a.value), kernel: valueText(b.value) })) return true;
  }
  if (!a.raw || !b.raw) return false;
  for (const [field, of] of RAW_FLAGS) if (flagDiffers(field, of(a.raw), of(b.raw), report)) return true;
  return false;
}

function flagDiffers(field: Field, a: boolean | undefined, b: boolean | undefined, report: Report): boolean {
  if (a === b || a === undefined || b === undefined) return false;
  return report({ field, model: a ? 'yes' : 'no', kernel: b ? 'yes' : 'no' });
}

/** Both sides know a page before and after; one of them has moved it and the other has not. */
function moved(was: Cell, is: Cell, wasTheirs: Cell, isTheirs: Cell): boolean {
  if (was.kind !== is.kind || wasTheirs.kind !== isTheirs.kind || is.kind !== isTheirs.kind) return false;
  if (was.zero || is.zero || wasTheirs.zero || isTheirs.zero) return false;
  if (was.frame === undefined || is.frame === undefined) return false;
  if (wasTheirs.frame === undefined || isTheirs.frame === undefined) return false;
  return (was.frame === is.frame) !== (wasTheirs.frame === isTheirs.frame);
}

export function resultText(result: number): string {
  return RESULT_NAMES[result] ?? `result ${result}`;
}
/** A token: the op that wrote it, counted from 1. */
export function valueText(value: number): string {
  return value === 0 ? 'zeroes' : `the store of op ${value}`;
}
function eventsText({ events }: Observed): string {
  const texts = events.map(
    ({ mm, page, op, write, wp }) =>
      `op ${op + 1}: ${MM_NAMES[mm]} p${page}${write ? ' write' : ' read'}${wp ? ' wp' : ''}`,
  );
  return texts.length === 0 ? 'none' : texts.join(', ');
}
function sleepText({ asleep }: Observed): string {
  return asleep.length === 0 ? 'nobody' : `op ${asleep.map((op) => op + 1).join(', ')}`;
}
function wokenText(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return 'nobody';
  return outcomes.map(({ op, result }) => `op ${op + 1}: ${resultText(result)}`).join(', ');
}

/** Fields of cells that `can` leaves out, for people. */
export function unseen(can: ReadonlySet<Capability>): string[] {
  const needs: readonly [Capability, string][] = [
    ['PFN', 'which pages are one and the same'],
    ['KPAGE', 'map counts, zero pages, huge pages'],
    ['PAGEMAP_SCAN', 'whether a PMD maps a page'],
    ['PAGEMAP_WP', 'uffd-wp of an entry'],
    ['SOFT_DIRTY', 'soft-dirty'],
    ['RAW', 'write and dirty bits, PageAnonExclusive, pins'],
  ];
  return needs.filter(([capability]) => !can.has(capability)).map(([, text]) => text);
}
