// When the rows of the table of open observations apply, by what the model did.
import { decodeOp, type OpFields } from '../engine/opword.js';
import type { Place } from './compare.js';
import { GupFlavours, Vocabulary } from './flavours.js';
import type { Cell } from './observed.js';

/** A page of the model before and after op `op`. */
function around(
  { model }: Place,
  op: number,
  { mm, page }: OpFields,
): [before: Cell | undefined, after: Cell | undefined] {
  return [model.ops[op - 1]?.cells[mm]?.[page], model.ops[op]?.cells[mm]?.[page]];
}

/** A call and its page, before the op that it ends in and after. */
interface Call {
  readonly fields: OpFields;
  readonly before: Cell;
  readonly after: Cell;
}

/** Op `op` or the call whose transfer it ends, then those that it wakes; `wakes`: false leaves these out. */
function callsOf(op: number, { words, model, ops }: Place, wakes = true): Call[] {
  const put = new Vocabulary(ops).code('put');
  const own = decodeOp(words[op]!).code === put ? op - 2 : op;
  const woken = model.ops[op]!.outcomes.map((outcome) => outcome.op).filter((call) => wakes && call !== op);
  return [own, ...woken].flatMap((call) => {
    if (call < 1) return [];
    const fields = decodeOp(words[call]!);
    const cell = (at: number) => model.ops[at]?.cells[fields.mm]?.[fields.page];
    const [before, after] = [cell(call === own ? own - 1 : op - 1), cell(op)];
    return before && after ? [{ fields, before, after }] : [];
  });
}

/**
 * Does a pin that is taken in op `op`, in the transfer that ends with it or in a call that it wakes, make a page its
 * own that lies in a huge page mapped by PTEs? Only wp_can_reuse_large_folio does that to a page which is there.
 */
export function pinMeetsItself(op: number, place: Place): boolean {
  if (place.layout !== 'pmd') return false;
  const vocabulary = new Vocabulary(place.ops);
  const [gup, pin] = [vocabulary.code('gup'), vocabulary.flag('gup', 'PIN')];
  return callsOf(op, place).some(({ fields, before, after }) => {
    if (fields.code !== gup || (fields.flags & pin) === 0) return false;
    if (before.kind !== 'present' || after.kind !== 'present' || before.frame !== after.frame) return false;
    const ownedNow = after.large === true && after.huge === false && after.raw?.exclusive === true;
    return ownedNow && before.raw?.exclusive !== true;
  });
}

/**
 * Does op `op`, the transfer that ends with it or a call that it wakes, write to a swapped page with uffd-wp, so that
 * it is there without it and nobody has to wait?
 */
export function batchFillsMidway(op: number, place: Place): boolean {
  if (place.layout !== 'pmd') return false;
  const vocabulary = new Vocabulary(place.ops);
  const [write, gup, unwp] = ['write', 'gup', 'unwp'].map((name) => vocabulary.code(name));
  const W = vocabulary.flag('gup', 'W');
  // One that waits for unwp finds no bit left.
  const wakes = decodeOp(place.words[op]!).code !== unwp;
  return callsOf(op, place, wakes).some(({ fields, before, after }) => {
    if (fields.code !== write && (fields.code !== gup || (fields.flags & W) === 0)) return false;
    return before.kind === 'swap' && before.uffdWp === true && after.kind === 'present' && after.uffdWp === false;
  });
}

/** Is op `op` a FORCE write that finds nothing and leaves a huge page? */
export function forcedOntoAbsentHugePage(op: number, place: Place): boolean {
  if (place.layout !== 'pmd') return false;
  const fields = decodeOp(place.words[op]!);
  const [before, after] = around(place, op, fields);
  const forced = fields.flags === new GupFlavours(new Vocabulary(place.ops)).memWrite;
  return forced && before?.kind === 'none' && after?.huge === true && after.zero === false;
}

/** Was the page made writable behind a CPU's back, and not stored to since, before the store of op `op`? */
export function madeWritableBehindItsBack(op: number, sleeper: number | undefined, { words, ops }: Place): boolean {
  const vocabulary = new Vocabulary(ops);
  const [read, write, gup] = ['read', 'write', 'gup'].map((name) => vocabulary.code(name));
  const store = decodeOp(words[sleeper ?? op]!);
  if (store.code !== write) return false;
  const before = [...words.subarray(0, op)]
    .map(decodeOp)
    .filter(({ mm, page }) => mm === store.mm && page === store.page);
  // A woken store waits among them.
  if (sleeper !== undefined) return before.some(({ code }) => code === read) || countOf(before, write) > 1;
  const byGup = before.findLastIndex(({ code, flags }) => code === gup && (flags & vocabulary.flag('gup', 'W')) !== 0);
  return byGup >= 0 && countOf(before.slice(byGup), write) === 0;
}
function countOf(list: readonly OpFields[], code: number | undefined): number {
  return list.filter((fields) => fields.code === code).length;
}

/** Did a store or GUP by way of another quarter make the huge page of op `op`'s store writable, and was that its last news? */
export function madeWritableFromNextDoor(op: number, place: Place): boolean {
  if (place.layout !== 'pmd') return false;
  const vocabulary = new Vocabulary(place.ops);
  const [write, gup] = ['write', 'gup'].map((name) => vocabulary.code(name));
  const store = decodeOp(place.words[op]!);
  if (store.code !== write) return false;
  for (let earlier = op - 1; earlier > 0; earlier--) {
    const [before, after] = around(place, earlier, store);
    if (after?.kind !== 'present' || after.huge !== true || after.zero === true) return false;
    const { code, mm, page } = decodeOp(place.words[earlier]!);
    if (code === write && mm === store.mm && page === store.page) return false;
    if (after.raw?.write !== true) return false;
    if (before?.kind !== 'present' || before.frame !== after.frame || before.raw?.write === true) continue;
    return (code === write || code === gup) && mm === store.mm && page >> 2 === store.page >> 2;
  }
  return false;
}

/** Was a page given up by MADV_FREE in a program that registers buffers? */
export function freedUnderRing({ ops, words }: Place): boolean {
  const vocabulary = new Vocabulary(ops);
  const ways = new GupFlavours(vocabulary);
  const all = Array.from(words, decodeOp);
  const registers = all.some(
    ({ code, flags }) => code === vocabulary.code('gup') && (flags & ways.register) === ways.register,
  );
  return registers && all.some(({ code }) => code === vocabulary.code('madv_free'));
}

/** The same ends of threads in another order, but of those on one page in the same? */
export function apartInAnotherOrder(model: string, kernel: string, { words }: Place): boolean {
  const pageOf = (end: string) => decodeOp(words[Number(/\d+/.exec(end)?.[0] ?? 1) - 1]!).page;
  const byPage = (text: string) => text.split(', ').toSorted((a, b) => pageOf(a) - pageOf(b));
  return byPage(model).join() === byPage(kernel).join();
}
