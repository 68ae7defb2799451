// Pages and swap slots in the encoding of a state.
import {
  FOLIO_MMS, FREE_MASK, HPAGE_PMD_NR, NR_FRAMES, PG_ENTIRE, PG_MAPCOUNT, PG_PINS, PG_REFS, PG_SLOT, PG_VERSION, SWAP_CACHE,
  SWAP_COUNT, SWAP_VERSION,
} from '../mm/layout';
import { PageCompound, page_flags, page_version, PG_DIRTY } from '../mm/page';
import { FRAME_NAME, FRAME_QUEUE, MM_PLACE, SLOT_NAME, SLOT_QUEUE } from './area';
import { frame, framesQueued, framesSeen, put, slot, slots, stir, version } from './names';
import { pageBits } from './relevance';

// @ts-ignore: decorator
@inline function page_slot(f: u32): u32 {
  const s1: u32 = load<u8>(PG_SLOT + (f as usize));
  return s1 ? slot(s1 - 1) + 1 : 0;
}
// @ts-ignore: decorator
@inline function place1(mm1: u32): u32 {
  return mm1 ? (load<u8>(MM_PLACE + ((mm1 - 1) as usize)) as u32) + 1 : 0;
}
function encode_frame(f: u32): void {
  const at = f as usize;
  put((load<u8>(PG_REFS + at) as u32) | ((load<u8>(PG_PINS + at) as u32) << 8) | ((load<u8>(PG_ENTIRE + at) as u32) << 16) |
    ((load<u8>(FRAME_NAME + at) as u32) << 24));
  const n: u32 = PageCompound(f) ? HPAGE_PMD_NR : 1;
  for (let i: u32 = 0; i < n; i++) {
    const one = f + i;
    put((load<u8>(PG_MAPCOUNT + (one as usize)) as u32) | ((page_flags(one) & pageBits) << 4) | (version(page_version(one)) << 12) |
      (page_slot(one) << 20));
  }
  if (n == 1) return;
  const mms = FOLIO_MMS + ((f as usize) << 1);
  put(place1(load<u8>(mms)) | (place1(load<u8>(mms, 1)) << 4) | ((load<u8>(mms, 2) as u32) << 8) |
    ((load<u8>(mms, 3) as u32) << 16) | ((load<u8>(mms, 4) as u32) << 24));
}
function encode_slot(s: u32): void {
  const at = s as usize;
  const cache: u32 = load<u8>(SWAP_CACHE + at);
  // A dirty page is written out again before the slot can be read.
  const stale = cache != 0 && (page_flags(cache - 1) & PG_DIRTY) != 0;
  put((load<u8>(SWAP_COUNT + at) as u32) | ((cache ? frame(cache - 1) + 1 : 0) << 8) |
    ((stale ? 0 : version(load<u8>(SWAP_VERSION + at))) << 16) | ((load<u8>(SLOT_NAME + at) as u32) << 24));
}
/** Everything that was named, and what it names in turn. */
export function encode_named(): void {
  let f: u32 = 0;
  let s: u32 = 0;
  while (f < framesQueued || s < slots) {
    if (f < framesQueued) encode_frame(load<u8>(FRAME_QUEUE + (f++ as usize)));
    else encode_slot(load<u8>(SLOT_QUEUE + (s++ as usize)));
  }
}
/** The zero pages and the device's: in place, whoever uses them; something may have been written to them. */
export function encode_special(): void {
  if (load<u64>(PG_VERSION + (NR_FRAMES as usize)) == 0) return;
  for (let f = NR_FRAMES; f < NR_FRAMES + 8; f++) put(version(page_version(f)));
}
/** Pages that nothing leads to any more (left in the swap cache): whatever they hold, no op can see it again. */
export function encode_lost(): void {
  let sum: u64 = 0;
  for (let m = ~load<u32>(FREE_MASK) & ~framesSeen & ((1 << NR_FRAMES) - 1); m != 0; m &= m - 1) {
    const at = ctz(m) as usize;
    sum += stir((load<u8>(PG_REFS + at) as u64) | ((load<u8>(PG_MAPCOUNT + at) as u64) << 8) | ((load<u8>(PG_PINS + at) as u64) << 16) |
      (((page_flags(ctz(m)) & pageBits) as u64) << 24) | (((load<u8>(PG_SLOT + at) != 0) as u64) << 32));
  }
  put(sum as u32);
  put((sum >> 32) as u32);
}
