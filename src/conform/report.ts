// A difference for people: the program with both sides beside it, and the entries that differ in words.
import type { OpInfo } from '../engine/optable.js';
import { MM_NAMES, PAGE_COUNT, RESULT } from '../engine/opword.js';
import { handleNames, printOp, printProgram } from '../text/print.js';
import { type Difference, resultText, valueText } from './compare.js';
import type { Cell, Observed, PageLayout, Run } from './observed.js';

export const WIDTH = 100;
const MARK_WIDTH = 4;
const OP_WIDTH = 35;
const SIDE_WIDTH = (WIDTH - MARK_WIDTH - OP_WIDTH - 3) / 2;

export interface SideBySide {
  readonly words: Uint32Array;
  readonly layout: PageLayout;
  readonly model: Run;
  readonly kernel: Run;
  readonly difference?: Difference;
  /** Names of the sides: "model v6.18", "6.18.44". */
  readonly names: readonly [model: string, kernel: string];
  /** How to ask for the two again: "live", "qemu:6.1 --model v6.12". */
  readonly target: string;
}

/** Lines of at most 100 columns, but for the program, which is one line to copy. */
export function sideBySide(sides: SideBySide, ops: readonly OpInfo[]): string {
  const { words, layout, model, kernel, difference, names, target } = sides;
  const handle = handleNames(words, ops);
  const lines = rows('    ', 'op', names[0], names[1]);
  for (const [i, word] of words.entries()) {
    const mark = `${difference?.op === i ? '>' : ' '}${String(i + 1).padStart(3)}`;
    lines.push(...rows(mark, printOp(word, ops, handle), opText(model.ops[i], i), opText(kernel.ops[i], i)));
  }
  if (difference) {
    lines.push('', `Differs: ${differenceText(difference)}`);
    const [mine, theirs] = [model.ops[difference.op], kernel.ops[difference.op]];
    if (mine && theirs) lines.push(...cellLines(mine, theirs));
  }
  lines.push('', `breakcow conform --kernel ${target} --layout ${layout} --program '${printProgram(words, ops)}'`);
  return lines.join('\n');
}

function row(mark: string, op: string, model: string, kernel: string): string {
  return `${mark} ${op.padEnd(OP_WIDTH)} ${model.padEnd(SIDE_WIDTH)} ${kernel}`.trimEnd();
}
/** One op; a side that has more to say than its column holds goes on below. */
function rows(mark: string, op: string, model: string, kernel: string): string[] {
  const [ops, mine, theirs] = [fold(op, OP_WIDTH), fold(model, SIDE_WIDTH), fold(kernel, SIDE_WIDTH)];
  const height = Math.max(ops.length, mine.length, theirs.length);
  const below = mark.trimStart().startsWith('>') ? '>   ' : '    ';
  return Array.from({ length: height }, (_, i) =>
    row(i === 0 ? mark : below, ops[i] ?? '', mine[i] ?? '', theirs[i] ?? ''),
  );
}
function fold(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '  ';
    }
    line += line.trim() === '' ? word : ` ${word}`;
  }
  lines.push(line);
  return lines.flatMap((whole) => whole.match(new RegExp(`.{1,${width}}`, 'g')) ?? ['']);
}

/** What one side shows of op `index`: "ok, 1 fault, reads the store of op 2". */
export function opText(seen: Observed | undefined, index: number): string {
  if (!seen) return '-';
  const parts = [resultText(seen.result)];
  for (const { op, result, error, faults, value } of seen.outcomes) {
    if (op !== index) parts.push(`wakes op ${op + 1}: ${resultText(result)}`);
    if (error !== undefined) parts.push(`errno ${error}`);
    if (faults !== undefined && faults > 0) parts.push(faults === 1 ? '1 fault' : `${faults} faults`);
    if (value !== undefined && value > 0 && result === RESULT.OK) parts.push(`reads ${valueText(value)}`);
  }
  for (const { mm, page, write, op } of seen.events) {
    const whose = op === index ? '' : ` of op ${op + 1}`;
    parts.push(`event${whose} ${MM_NAMES[mm]} p${page}${write ? ' write' : ''}`);
  }
  return parts.join(', ');
}

export function differenceText({ op, name, field, mm, page, sleeper, model, kernel }: Difference): string {
  const where = mm === undefined ? '' : ` of ${MM_NAMES[mm]}${page === undefined ? '' : ` p${page}`}`;
  const who = sleeper === undefined ? '' : ` (op ${sleeper + 1}, woken)`;
  return `op ${op + 1} (${name}), ${field}${where}${who}: model ${model}; kernel ${kernel}`;
}

function cellLines(model: Observed, kernel: Observed): string[] {
  const lines: string[] = [];
  const [mine, theirs] = [letters(model), letters(kernel)];
  for (const [mm, name] of MM_NAMES.entries()) {
    for (let page = 0; page < PAGE_COUNT; page++) {
      const [a, b] = [model.cells[mm]?.[page], kernel.cells[mm]?.[page]];
      if (!a && !b) continue;
      const [left, right] = [cellText(a, mine, b), cellText(b, theirs, a)];
      if (left !== right) lines.push(`${name} p${page}: model ${left}; kernel ${right}`);
    }
  }
  return lines.flatMap((line) => fold(line, WIDTH));
}

/** A letter for every frame, in the order of the pages that show it; digits for swap slots. */
function letters(seen: Observed): (cell: Cell) => string {
  const frames = new Map<number, string>();
  const slots = new Map<number, string>();
  for (const cell of seen.cells.flatMap((row) => row ?? [])) {
    if (cell.frame === undefined || cell.zero) continue;
    if (cell.kind === 'present' && !frames.has(cell.frame))
      frames.set(cell.frame, String.fromCharCode(97 + frames.size));
    if (cell.kind === 'swap' && !slots.has(cell.frame)) slots.set(cell.frame, String(slots.size));
  }
  return (cell) => {
    const name = cell.frame === undefined ? undefined : (cell.kind === 'swap' ? slots : frames).get(cell.frame);
    return name === undefined ? '' : cell.kind === 'swap' ? `slot ${name}` : `frame ${name}`;
  };
}

/** A cell in words, as far as the `other` side knows the same things. */
function cellText(cell: Cell | undefined, name: (cell: Cell) => string, other: Cell | undefined): string {
  if (!cell) return 'gone';
  const both = <T>(of: (cell: Cell) => T | undefined): T | undefined =>
    other && of(other) === undefined && other.kind === cell.kind ? undefined : of(cell);
  const flag = (text: string, of: (cell: Cell) => boolean | undefined) => (both(of) ? text : '');
  const mapcount = both(({ mapcount }) => mapcount);
  const value = both(({ value }) => value);
  const parts = [
    cell.kind,
    flag('W', ({ raw }) => raw?.write),
    flag('D', ({ raw }) => raw?.dirty),
    flag('U', ({ uffdWp }) => uffdWp),
    flag('SD', ({ softDirty }) => softDirty),
    flag('AE', ({ raw }) => raw?.exclusive),
    flag('pinned', ({ raw }) => raw?.pinned),
    flag('held', ({ raw }) => raw?.extraRefs),
    flag('zero page', ({ zero }) => zero),
    flag('by PMD', ({ huge }) => huge),
    flag('of a THP', ({ large }) => large),
    flag('in swap cache', ({ swapCache }) => swapCache),
    both(({ frame }) => frame) === undefined ? '' : name(cell),
    mapcount === undefined || cell.zero ? '' : `mapped ${mapcount}x`,
    value === undefined ? '' : `= ${valueText(value)}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}
