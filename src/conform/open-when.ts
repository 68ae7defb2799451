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

/**
 * Does a pin that is taken in op `op`, in the transfer that ends with it or in a call that it wakes, make a page its
 * own that lies in a huge page mapped by PTEs? Only wp_can_reuse_large_folio does that to a page which is there.
 */
export function pinMeetsItself(op: number, place: Place): boolean {
  const { words, ops, model, layout } = place;
  if (layout !== 'pmd') return false;
  const vocabulary = new Vocabulary(ops);
  const [gup, pin] = [vocabulary.code('gup'), vocabulary.flag('gup', 'PIN')];
  const woken = model.ops[op]!.outcomes.map((outcome) => outcome.op);
  return [op, op - 2, ...woken].some((call) => {
    if (call < 1) return false;
    const fields = decodeOp(words[call]!);
    if (fields.code !== gup || (fields.flags & pin) === 0) return false;
    const [before] = around(place, call < op - 2 ? op : call, fields);
    const [, after] = around(place, op, fields);
    if (before?.kind !== 'present' || after?.kind !== 'present' || before.frame !== after.frame) return false;
    const ownedNow = after.large === true && after.huge === false && after.raw?.exclusive === true;
    return ownedNow && before.raw?.exclusive !== true;
  });
}

/** Does op `op` write to a swapped page with uffd-wp, so that it is there without it and nobody has to wait? */
export function batchFillsMidway(op: number, place: Place): boolean {
  if (place.layout !== 'pmd') return false;
  const vocabulary = new Vocabulary(place.ops);
  const [write, gup, put] = ['write', 'gup', 'put'].map((name) => vocabulary.code(name));
  const W = vocabulary.flag('gup', 'W');
  const isLast = decodeOp(place.words[op]!).code === put;
  const call = isLast ? op - 2 : op;
  if (call < 1) return false;
  const fields = decodeOp(place.words[call]!);
  if (fields.code !== write && (fields.code !== gup || (fields.flags & W) === 0)) return false;
  const [before, after] = around(place, call, fields);
  return before?.kind === 'swap' && before.uffdWp === true && after?.kind === 'present' && after.uffdWp === false;
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
