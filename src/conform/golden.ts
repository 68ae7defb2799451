// Golden traces: what a kernel did with a fixed set of programs, kept as JSON, so that the model can be held against
// kernels that are not at hand.
import type { OpInfo } from '../engine/optable.js';
import { MM_NAMES, PAGE_COUNT } from '../engine/opword.js';
import { parseProgram } from '../text/parse.js';
import { printProgram } from '../text/print.js';
import type { Capability, Cell, FaultEvent, Observed, Outcome, PageLayout, Run } from './observed.js';

/** A file of test/golden. */
export interface GoldenFile {
  readonly format: 1;
  /** uname -r. */
  readonly release: string;
  /** Package, build or machine it comes from. */
  readonly describe: string;
  /** Switches of the model that say what the machine is like, as modelSpec takes them. */
  readonly machine: readonly string[];
  readonly can: readonly Capability[];
  readonly missing: readonly string[];
  /** Cells without frame, value and mapcount; ops refer to them by index in base 36. */
  readonly shapes: readonly Shape[];
  readonly programs: readonly GoldenProgram[];
}

type Shape = Omit<Cell, 'frame' | 'value' | 'mapcount'>;

interface GoldenProgram {
  readonly layout: PageLayout;
  readonly text: string;
  /**
   * Per op words: its result; `f1` faults, `v3` value, `e22` errno; `w4:0f1` op 4 woken and how it ended; `!A3w5` event
   * on p3 of A, a write of op 5 (`r` read, `m` not wp); `z4,5` sleepers; `+B`, `-B` lives, lives no more; `A3=5F2V4M1`
   * cell p3 of A is of shape 5, with frame, value and mapcount. Frames are numbered by first appearance.
   */
  readonly ops: readonly string[];
}

/** A recorded program with what was seen. */
export interface GoldenTrace {
  readonly layout: PageLayout;
  readonly words: Uint32Array;
  readonly run: Run;
}

export interface Recording {
  readonly release: string;
  readonly describe: string;
  readonly machine: readonly string[];
  readonly can: ReadonlySet<Capability>;
  readonly missing: readonly string[];
  readonly traces: readonly GoldenTrace[];
}

/** Throws Error for a trace with trouble in it, which is no observation. */
export function encodeGolden({ traces, can, ...head }: Recording, ops: readonly OpInfo[]): GoldenFile {
  const shapes = new Shapes();
  const programs = traces.map(({ layout, words, run }): GoldenProgram => {
    const text = printProgram(words, ops);
    if (run.trouble !== undefined) throw new Error(`${text}: ${run.trouble}`);
    const encoder = new Encoder(shapes);
    return { layout, text, ops: run.ops.map((seen, i) => encoder.op(seen, i)) };
  });
  return { format: 1, ...head, can: [...can], shapes: shapes.list, programs };
}

/** Throws Error for a file of another form. */
export function decodeGolden(file: GoldenFile, ops: readonly OpInfo[]): Recording {
  if (file.format !== 1) throw new Error(`golden traces of format ${file.format}, not 1`);
  const traces = file.programs.map(({ layout, text, ops: lines }): GoldenTrace => {
    const decoder = new GoldenDecoder(file.shapes);
    return { layout, words: parseProgram(text, ops), run: { ops: lines.map((line, i) => decoder.op(line, i)) } };
  });
  const { release, describe, machine, missing } = file;
  return { release, describe, machine, missing, can: new Set(file.can), traces };
}

/** One program per line, for readable diffs. */
export function printGolden({ programs, shapes, ...head }: GoldenFile): string {
  const lines = (name: string, rows: readonly unknown[]) =>
    `  "${name}": [\n${rows.map((row) => `    ${JSON.stringify(row)}`).join(',\n')}\n  ]`;
  const fields = Object.entries(head).map(([name, value]) => `  "${name}": ${JSON.stringify(value)}`);
  return `{\n${[...fields, lines('shapes', shapes), lines('programs', programs)].join(',\n')}\n}\n`;
}

class Shapes {
  readonly list: Shape[] = [];
  readonly #known = new Map<string, number>();

  index({ frame: _frame, value: _value, mapcount: _mapcount, ...shape }: Cell): number {
    const key = JSON.stringify(shape);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.list.push(JSON.parse(key) as Shape);
    this.#known.set(key, this.list.length - 1);
    return this.list.length - 1;
  }
}

const NO_CELL = '';

class Encoder {
  readonly #shapes: Shapes;
  readonly #frames = new Map<string, number>();
  readonly #cells: string[] = new Array<string>(MM_NAMES.length * PAGE_COUNT).fill(NO_CELL);
  readonly #alive = new Set<number>();

  constructor(shapes: Shapes) {
    this.#shapes = shapes;
  }

  op({ result, outcomes, events, asleep, cells }: Observed, index: number): string {
    const parts = [String(result)];
    for (const outcome of outcomes) parts.push(outcome.op === index ? end(outcome, ' ') : woken(outcome));
    for (const { mm, page, op, write, wp } of events)
      parts.push(`!${MM_NAMES[mm]}${page}${write ? 'w' : 'r'}${op}${wp ? '' : 'm'}`);
    if (asleep.length > 0) parts.push(`z${asleep.join()}`);
    for (const [mm, name] of MM_NAMES.entries()) {
      const row = cells[mm];
      if (!row) {
        if (this.#alive.delete(mm)) parts.push(`-${name}`);
        this.#cells.fill(NO_CELL, mm * PAGE_COUNT, (mm + 1) * PAGE_COUNT);
        continue;
      }
      if (!this.#alive.has(mm)) parts.push(`+${name}`);
      this.#alive.add(mm);
      for (const [page, cell] of row.entries()) {
        const text = this.#cell(cell);
        const at = mm * PAGE_COUNT + page;
        if (this.#cells[at] === text) continue;
        this.#cells[at] = text;
        parts.push(`${name}${page}=${text}`);
      }
    }
    return parts.filter((part) => part !== '').join(' ');
  }

  #cell(cell: Cell): string {
    const { frame, value, mapcount, kind } = cell;
    const parts = [this.#shapes.index(cell).toString(36)];
    // Upper case, as shapes are numbers of digits and small letters.
    if (frame !== undefined) parts.push(`F${this.#frame(`${kind} ${frame}`)}`);
    if (value !== undefined) parts.push(`V${value}`);
    if (mapcount !== undefined) parts.push(`M${mapcount}`);
    return parts.join('');
  }

  #frame(name: string): number {
    const known = this.#frames.get(name) ?? this.#frames.size;
    this.#frames.set(name, known);
    return known;
  }
}

function end({ faults, value, error }: Outcome, between: string): string {
  const parts: string[] = [];
  if (faults !== undefined) parts.push(`f${faults}`);
  if (value !== undefined) parts.push(`v${value}`);
  if (error !== undefined) parts.push(`e${error}`);
  // An outcome that says nothing else still says that the op ended.
  return parts.length === 0 ? 'o' : parts.join(between);
}
function woken(outcome: Outcome): string {
  return `w${outcome.op}:${outcome.result}${end(outcome, '')}`;
}

const OWN = /^[fve]\d+$|^o$/;
/** Woken, event, sleepers, life, cell, own outcome. */
const WORDS: readonly RegExp[] = [
  /^w(\d+):(\d)([fveo\d]*)$/,
  /^!([ABC])(\d)([rw])(\d+)(m?)$/,
  /^z([\d,]+)$/,
  /^([+-])([ABC])$/,
  /^([ABC])(\d)=([0-9a-z]+)(?:F(\d+))?(?:V(\d+))?(?:M(\d+))?$/,
  OWN,
];

class GoldenDecoder {
  readonly #shapes: readonly Shape[];
  readonly #rows: (Cell[] | undefined)[] = MM_NAMES.map(() => undefined);

  constructor(shapes: readonly Shape[]) {
    this.#shapes = shapes;
  }

  op(line: string, index: number): Observed {
    const [first, ...words] = line.split(' ');
    const result = Number(first);
    const events: FaultEvent[] = [];
    const outcomes: Outcome[] = [];
    let asleep: number[] = [];
    const own = words.filter((word) => OWN.test(word));
    if (own.length > 0) outcomes.push(outcome(index, result, own.join('')));
    for (const word of words) {
      const match = WORDS.map((pattern) => pattern.exec(word)).find((found) => found !== null);
      if (!match) throw new Error(`golden trace: "${word}" in "${line}"`);
      const [, a, b, c] = match;
      if (word.startsWith('w')) outcomes.push(outcome(Number(a), Number(b), c!));
      else if (word.startsWith('!')) events.push(event(match));
      else if (word.startsWith('z')) asleep = a!.split(',').map(Number);
      else if (/^[+-]/.test(word)) this.#life(a!, b!);
      else if (/^[A-C]/.test(word)) this.#cell(match);
    }
    return { result, events, outcomes, asleep, cells: this.#rows.map((row) => row?.slice()) };
  }

  #life(sign: string, name: string): void {
    this.#rows[MM_NAMES.indexOf(name)] = sign === '+' ? new Array<Cell>(PAGE_COUNT).fill({ kind: 'none' }) : undefined;
  }

  #cell([, name, page, shape, frame, value, mapcount]: RegExpExecArray): void {
    const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
    const known = this.#shapes[Number.parseInt(shape!, 36)];
    const row = this.#rows[MM_NAMES.indexOf(name!)];
    if (!known || !row) throw new Error(`golden trace: no shape ${shape}, or nobody lives as ${name}`);
    row[Number(page)] = { ...known, frame: number(frame), value: number(value), mapcount: number(mapcount) };
  }
}

function outcome(op: number, result: number, text: string): Outcome {
  const part = (letter: string) => {
    const match = new RegExp(`${letter}(\\d+)`).exec(text);
    return match ? Number(match[1]) : undefined;
  };
  const error = part('e');
  return { op, result, ...(error !== undefined && { error }), faults: part('f'), value: part('v') };
}

function event([, name, page, access, op, missing]: RegExpExecArray): FaultEvent {
  const mm = MM_NAMES.indexOf(name!);
  return { mm, page: Number(page), op: Number(op), write: access === 'w', wp: missing === '' };
}
