// Names by first mention: what the encoding of a state calls frames, swap slots and values; and where it is written.
import { FREE_MASK, HPAGE_PMD_NR, NR_FRAMES } from '../mm/layout';
import { PageCompound } from '../mm/page';
import { COMMON_VERSION } from '../mm/observe';
import { WILD } from '../oracle/promises';
import { ENCODING, FRAME_NAME, FRAME_QUEUE, SLOT_NAME, SLOT_QUEUE, VERSION_NAME, VERSION_QUEUE } from './area';

/** What is merged: values only; frames, slots and handles too; processes too. Pages: by the orders given. */
export namespace Symmetry {
  export const NONE: u32 = 0;
  export const FRAMES: u32 = 1;
  export const MMS: u32 = 2;
}
export const UNNAMED: u32 = 0xff;
/** A frame that is not in use, seen through a stale translation. */
const FREED: u32 = 27;
/** Place of a process that lives no more. */
export const DEAD: u32 = 3;

export let symmetry: u32 = Symmetry.MMS;
export let nrPages: u32 = 1;
/** Scope: what is merged, and pages per order. */
export function names_begin(level: u32, pages: u32): void {
  symmetry = level;
  nrPages = pages;
}

export let end: usize = ENCODING;
// @ts-ignore: decorator
@inline export function put(word: u32): void {
  store<u32>(end, word);
  end += 4;
}

let frames: u32 = 0;
let groups: u32 = 0;
export let framesQueued: u32 = 0;
export let framesSeen: u32 = 0;
export let slots: u32 = 0;
export let versions: u32 = 0;
export function forget_names(): void {
  const none = i8x16.splat(-1);
  v128.store(FRAME_NAME, none);
  v128.store(FRAME_NAME, none, 16);
  v128.store(SLOT_NAME, none);
  const zero = i64x2.splat(0);
  v128.store(VERSION_NAME, zero);
  v128.store(VERSION_NAME, zero, 16);
  v128.store(VERSION_NAME, zero, 32);
  v128.store(VERSION_NAME, zero, 48);
  store<u8>(VERSION_NAME, 0, 64);
  frames = groups = framesQueued = framesSeen = slots = versions = 0;
  end = ENCODING;
}
/** Small pages count up from 0, THPs down from the top, so that a group keeps its alignment. */
function name_frame(f: u32): u32 {
  if ((load<u32>(FREE_MASK) >> f) & 1) return FREED;
  if (PageCompound(f)) {
    const head = f & ~(HPAGE_PMD_NR - 1);
    const name = symmetry == Symmetry.NONE ? head : NR_FRAMES - HPAGE_PMD_NR * ++groups;
    store<u32>(FRAME_NAME + (head as usize), name * 0x01010101 + 0x03020100);
    store<u8>(FRAME_QUEUE + (framesQueued++ as usize), head);
    framesSeen |= 0xf << head;
    return name + (f & (HPAGE_PMD_NR - 1));
  }
  const name = symmetry == Symmetry.NONE ? f : frames++;
  store<u8>(FRAME_NAME + (f as usize), name);
  store<u8>(FRAME_QUEUE + (framesQueued++ as usize), f);
  framesSeen |= 1 << f;
  return name;
}
// @ts-ignore: decorator
@inline export function frame(f: u32): u32 {
  if (f >= NR_FRAMES) return f & 31;
  const name: u32 = load<u8>(FRAME_NAME + (f as usize));
  return name != UNNAMED ? name : name_frame(f);
}
// @ts-ignore: decorator
@inline export function slot(s: u32): u32 {
  const at = SLOT_NAME + ((s & 15) as usize);
  let name: u32 = load<u8>(at);
  if (name != UNNAMED) return name;
  name = symmetry == Symmetry.NONE ? s & 15 : slots;
  store<u8>(at, name);
  store<u8>(SLOT_QUEUE + (slots++ as usize), s & 15);
  return name;
}
// @ts-ignore: decorator
@inline export function version(v: u32): u32 {
  if (v == 0 || v == WILD || v == COMMON_VERSION) return v;
  const at = VERSION_NAME + (v as usize);
  const name: u32 = load<u8>(at);
  if (name != 0) return name;
  store<u8>(VERSION_QUEUE + (versions++ as usize), v);
  store<u8>(at, versions);
  return versions;
}

/** All bits of a word into all bits of a hash. */
// @ts-ignore: decorator
@inline export function stir(word: u64): u64 {
  let x = word * 0x9e3779b97f4a7c15;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  return x ^ (x >> 29);
}
