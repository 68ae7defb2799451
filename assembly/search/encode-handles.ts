// GUP handles and sleeping threads in the encoding of a state.
import { HANDLE_SIZE, HANDLES, NR_FRAMES, NR_SLEEPERS, SLEEPER_SIZE, SLEEPERS } from '../mm/layout';
import { page_version } from '../mm/page';
import { F_GUP_PIN, F_GUP_WRITE, Op, op_code, op_cpu, op_flags, op_mm, op_page, op_y } from '../ops/table';
import {
  foreign, H, handle_life, handle_page, handle_state, handle_version, held, life, owner_wrote,
} from '../oracle/promises';
import { FRAME_NAME, HANDLE_ORDER, HANDLE_PLACE, MM_PLACE } from './area';
import { DEAD, frame, put, Symmetry, symmetry, UNNAMED } from './names';

// @ts-ignore: decorator
@inline function handle_at(h: u32): usize {
  return HANDLES + (h as usize) * HANDLE_SIZE;
}
/** Attached, and forked since: it matters for what is written through a GET. */
// @ts-ignore: decorator
@inline function state_of(h: u32): u32 {
  return is_get_for_write(h) ? handle_state(h) : handle_state(h) & ~(H.ATTACHED | H.FORKED);
}
// @ts-ignore: decorator
@inline export function is_get_for_write(h: u32): bool {
  return ((load<u16>(handle_at(h), 4) as u32) & (F_GUP_WRITE | F_GUP_PIN)) == F_GUP_WRITE;
}
/** What tells handles apart before their frames have names. */
function handle_key(h: u32, order: usize): u32 {
  const handle = handle_at(h);
  const f: u32 = load<u8>(handle, 3);
  const named: u32 = f >= NR_FRAMES ? f & 31 : load<u8>(FRAME_NAME + (f as usize)) & 31;
  return holder(h) | (place_of(handle_page(h), order) << 2) | ((load<u16>(handle, 4) as u32) << 5) |
    (state_of(h) << 14) | (named << 20) | (after_detach(h, f) << 25);
}
/** Place of the process that took the handle, if it still lives. */
// @ts-ignore: decorator
@inline function holder(h: u32): u32 {
  const mm: u32 = load<u8>(handle_at(h), 1);
  return handle_life(h) == life(mm) ? load<u8>(MM_PLACE + (mm as usize)) : DEAD;
}
// @ts-ignore: decorator
@inline function place_of(page: u32, order: usize): u32 {
  return load<u8>(order + (page as usize), 8);
}
/** Handles in use by what they are; where they look alike by number, which merges less but is sound. */
function order_handles(order: usize): u32 {
  let n: u32 = 0;
  let done: u32 = 0;
  const all = held();
  while (done != all) {
    let best: u32 = 0;
    let least: u32 = 0xffffffff;
    for (let m = all & ~done; m != 0; m &= m - 1) {
      const key = symmetry == Symmetry.NONE ? ctz(m) : handle_key(ctz(m), order);
      if (key < least) {
        least = key;
        best = ctz(m);
      }
    }
    done |= 1 << best;
    store<u8>(HANDLE_ORDER + (n as usize), best);
    store<u8>(HANDLE_PLACE + (best as usize), symmetry == Symmetry.NONE ? best : n);
    n++;
  }
  return n;
}
/**
 * Once its owner has let go of the page, a strict pin is judged by what it saw at the grant or what its owner wrote since;
 * any other handle always is. The page stays the same, so one answer for what is there now says it all: 0 = fine, else
 * whose it is.
 */
// @ts-ignore: decorator
@inline function after_detach(h: u32, f: u32): u32 {
  if ((handle_state(h) & H.UNJUDGED) != 0) return 0;
  const v = page_version(f);
  if (v == handle_version(h) || owner_wrote(h, v)) return 0;
  return foreign(v, handle_life(h)) ? 2 : 1;
}
export function encode_handles(order: usize): u32 {
  store<u32>(HANDLE_PLACE, 0xffffffff);
  const n = held() != 0 ? order_handles(order) : 0;
  put(n | (1 << 8));
  for (let k: u32 = 0; k < n; k++) {
    const h: u32 = load<u8>(HANDLE_ORDER + (k as usize));
    const handle = handle_at(h);
    const f: u32 = load<u8>(handle, 3);
    put(holder(h) | (place_of(handle_page(h), order) << 2) | (frame(f) << 5) | ((load<u16>(handle, 4) as u32) << 10) |
      (state_of(h) << 19));
    put(after_detach(h, f) | ((symmetry == Symmetry.NONE ? h : 0) << 2));
  }
  return n;
}
/** Threads asleep, in the order in which they fell asleep. */
export function encode_sleepers(order: usize, nrHeld: u32): void {
  let last: u32 = 0;
  let places = nrHeld;
  while (true) {
    let found: usize = 0;
    let rank: u32 = 0xff;
    for (let i: u32 = 0; i < NR_SLEEPERS; i++) {
      const at = SLEEPERS + (i as usize) * SLEEPER_SIZE;
      const r: u32 = load<u8>(at, 4);
      if (r > last && r < rank) {
        rank = r;
        found = at;
      }
    }
    if (found == 0) return;
    last = rank;
    const word = load<u32>(found);
    const gup = op_code(word) == Op.GUP;
    const h = HANDLE_PLACE + (op_y(word) as usize);
    // A handle that is free, but wanted, gets the next place.
    if (gup && load<u8>(h) == UNNAMED) store<u8>(h, symmetry == Symmetry.NONE ? op_y(word) : places++);
    put(op_code(word) | ((load<u8>(MM_PLACE + (op_mm(word) as usize)) as u32) << 6) |
      (place_of(op_page(word), order) << 8) | (op_cpu(word) << 11) | (op_flags(word) << 12) |
      (gup ? (load<u8>(h) as u32) << 21 : 0));
  }
}
