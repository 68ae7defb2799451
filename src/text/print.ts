// Op words -> the one-line program text that `parseProgram` reads.
import { canonical, choiceOf, type OpInfo, wordError } from '../engine/optable.js';
import { decodeOp, MM_NAMES, PAGE_NAMES, SCHEDULE_BITS, TARGET_MASK } from '../engine/opword.js';

/** Name of a handle: plain `h` in a program that has only h0. */
export type HandleName = (handle: number) => string;

export function handleNames(words: Uint32Array, ops: readonly OpInfo[]): HandleName {
  const onlyFirst = words.every((word) => ops[word & 63]?.takesY !== 'handle' || decodeOp(word).y === 0);
  return (handle) => (onlyFirst && handle === 0 ? 'h' : `h${handle}`);
}

/** One operation without its pair. Throws TypeError on a word that is no operation. */
export function printOp(word: number, ops: readonly OpInfo[], handle: HandleName = (h) => `h${h}`): string {
  const error = wordError(ops, word);
  if (error !== undefined) throw new TypeError(error);
  const fields = decodeOp(word);
  const op = ops[fields.code]!;
  const parts = [op.name];
  if (op.takesMm) {
    const mm = MM_NAMES[fields.mm]! + (op.takesThread && fields.cpu === 1 ? '.2' : '');
    parts.push(op.takesY === 'mm' ? `${mm}->${MM_NAMES[fields.y]}` : mm);
  }
  const grants = op.shape.startsWith('h=');
  if (op.takesY === 'handle' && !grants) parts.push(handle(fields.y));
  const target = op.takesTarget ? `->${PAGE_NAMES[fields.flags & TARGET_MASK]}` : '';
  if (op.pages) parts.push(PAGE_NAMES[fields.page]! + target);
  for (const group of op.groups) {
    const text = choiceOf(group, fields.flags);
    if (text) parts.push(text);
  }
  return (grants ? `${handle(fields.y)}=` : '') + parts.join(' ');
}

/** Digits of a schedule without the trailing 1s that the parser supplies; '' if the first op runs to its end first. */
export function printSchedule(schedule: number): string {
  const digits = Array.from({ length: SCHEDULE_BITS }, (_, k) => ((schedule >>> k) & 1 ? '2' : '1'));
  return digits.join('').replace(/1+$/, '');
}

/** The operations of a program, a concurrent pair being one item. */
export function printItems(
  words: Uint32Array,
  ops: readonly OpInfo[],
): { text: string; first: number; count: number }[] {
  for (const word of words) {
    const error = wordError(ops, word);
    if (error !== undefined) throw new TypeError(error);
  }
  const program = canonical(ops, words);
  const handle = handleNames(program, ops);
  const items = [];
  for (let i = 0; i < program.length; i++) {
    const { pair, schedule } = decodeOp(program[i]!);
    const text = printOp(program[i]!, ops, handle);
    if (!pair) {
      items.push({ text, first: i, count: 1 });
      continue;
    }
    const digits = printSchedule(schedule);
    const second = printOp(program[i + 1]!, ops, handle);
    items.push({ text: `[${text} || ${second}]${digits === '' ? '' : `@${digits}`}`, first: i, count: 2 });
    i++;
  }
  return items;
}

/** The canonical form of a program as text. Throws TypeError on a word that is no operation. */
export function printProgram(words: Uint32Array, ops: readonly OpInfo[], separator = '; '): string {
  return printItems(words, ops)
    .map(({ text }) => text)
    .join(separator);
}
