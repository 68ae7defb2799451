// Somebody else's memory before the same judges: what a real kernel showed after each op, told record by record. Only
// the reference memory speaks here; nothing is known of page tables but what /proc tells.
import { OBS_COUNT, PROGRAM, RESULTS } from '../mm/layout';
import { Obs, obs_at, obs_handle, obs_index, obs_kind, obs_mm, obs_page, obs_version } from '../mm/observe';
import { arg_mask, Op, op_code, op_mm, op_page, R } from '../ops/table';
import { I } from './invariants';
import {
  add, DIRTY, drop, H, handle_state, has, MAPPED, mask, promised, set_handle_state, UNPROTECTED, WILD, WP_MAYBE, WP_YES,
} from './promises';
import { judge_reset } from './judge';
import { observed, read } from './reference';
import { fork_failed, gave_up } from './syscalls';
import { NONE, setViolationOp, violate } from './report';

/** Flags of foreign_cell: what was seen of an entry. */
export namespace Seen {
  export const VALUE: u32 = 1;
  export const UFFD_WP_KNOWN: u32 = 2;
  export const UFFD_WP: u32 = 4;
  export const SOFT_DIRTY_KNOWN: u32 = 8;
  export const SOFT_DIRTY: u32 = 16;
}

/** A new program; its words stand at PROGRAM. */
export function foreign_begin(): void {
  judge_reset();
}

/** Takes in the records at OBS that op `index` made; its result stands at RESULTS. A version of WILD was not seen. */
export function foreign_step(index: u32): void {
  setViolationOp(index);
  note_failure(index);
  const n = load<u32>(OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const o = obs_at(i);
    const word = load<u32>(PROGRAM + ((obs_index(o) as usize) << 2));
    if (obs_kind(o) == Obs.GUP && obs_version(o) == WILD) granted_unseen(o, word);
    else observed(o, word);
  }
}
/** Nobody looked through the handle when it was granted: it shows what it must, until a read of it says otherwise. */
function granted_unseen(o: u32, word: u32): void {
  const version = promised(obs_mm(o), obs_page(o));
  observed((o & ~(0xff << 12)) | (version << 12), word);
  const h = obs_handle(o);
  if (version == WILD) set_handle_state(h, handle_state(h) | H.UNJUDGED);
}

/** A call that failed may have done part of its work, VMA by VMA. */
function note_failure(index: u32): void {
  const result: u32 = load<u8>(RESULTS + (index as usize));
  const word = load<u32>(PROGRAM + ((index as usize) << 2));
  const mm = op_mm(word);
  if (result == R.NOMEM && op_code(word) == Op.FORK) fork_failed(mm);
  if (result > R.SLEEP && is_access(op_code(word))) gave_up(word);
  if (result != R.REFUSED && result != R.NOMEM) return;
  switch (op_code(word)) {
    case Op.WP:
    case Op.UNWP:
    case Op.UFFD_UNREG: {
      const pages = arg_mask(op_page(word)) & mask(mm, MAPPED);
      drop(mm, WP_YES, pages);
      drop(mm, UNPROTECTED, pages);
      add(mm, WP_MAYBE, pages);
    }
  }
}

// @ts-ignore: decorator
@inline function is_access(code: u32): bool {
  return code == Op.READ || code == Op.WRITE || code == Op.GUP;
}

/** What stood at (mm, page) after the last op: contents (I3, I4, I10), uffd-wp (I6), soft-dirty (I11). */
export function foreign_cell(mm: u32, page: u32, version: u32, seen: u32): void {
  if (!has(mm, MAPPED, page)) return;
  if ((seen & Seen.VALUE) != 0) read(mm, page, version, NONE);
  const wpGone = (seen & (Seen.UFFD_WP_KNOWN | Seen.UFFD_WP)) == Seen.UFFD_WP_KNOWN;
  if (wpGone && has(mm, WP_YES, page)) violate(I.WP_LOST, mm, page, NONE, 1, 0, 0);
  const clean = (seen & (Seen.SOFT_DIRTY_KNOWN | Seen.SOFT_DIRTY)) == Seen.SOFT_DIRTY_KNOWN;
  if (clean && has(mm, DIRTY, page)) violate(I.SOFTDIRTY_LOST, mm, page, NONE, 1, 0, 0);
}
