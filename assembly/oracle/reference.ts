// The reference memory: what each process must see, derived from what the program did and from nothing else.
// Observations go in, violations come out. It shares no code and no knob with mm/.
import {
  add, DIRTY, drop, foreign, FREED, has, life, mask, MAPPED, promise, promised, REGISTERED, SHARED, sign, tick, TRACKING, via_handle,
  WILD, WP_MAYBE, WP_YES, WRITABLE, WRITE_SEEN,
} from './promises';
import { granted, hread, hwrite } from './handles';
import { I } from './invariants';
import { NONE, violate } from './report';
import { move, syscall, unsure } from './syscalls';
import { Obs, obs_flags, obs_handle, obs_kind, obs_mm, obs_page, obs_version } from '../mm/observe';
import { arg_mask, F_GUP_WRITE, op_flags, op_page } from '../ops/table';

/** Flag of the event record: the access is a write. */
const EVENT_WRITE: u32 = 1;

/** Takes in one observation; `word` is the op word of the op it names. */
// @ts-ignore: decorator
@inline export function observed(o: u32, word: u32): void {
  tick();
  const mm = obs_mm(o);
  const page = obs_page(o);
  switch (obs_kind(o)) {
    case Obs.LOAD:
      loaded(mm, page, obs_version(o));
      return;
    case Obs.STORE:
      stored(mm, page, obs_version(o));
      return;
    case Obs.EVENT:
      event(mm, page, obs_flags(o));
      return;
    case Obs.GUP:
      if ((op_flags(word) & F_GUP_WRITE) != 0) write_seen(mm, page);
      read(mm, page, obs_version(o), obs_handle(o));
      granted(obs_handle(o), mm, page, obs_version(o), op_flags(word));
      return;
    case Obs.HREAD:
      hread(obs_handle(o), obs_version(o));
      return;
    case Obs.HWRITE:
      hwrite(obs_handle(o), obs_version(o));
      return;
    case Obs.SYSCALL:
      syscall(word, obs_flags(o));
      return;
    case Obs.WP_PARTIAL:
      unsure(mm, arg_mask(op_page(word)) & mask(mm, REGISTERED));
      return;
    case Obs.MOVED_PARTLY:
      move(word, obs_version(o) & 15, obs_version(o) >> 4);
      return;
    case Obs.NO_PROGRESS:
      // detail 0: a loop that repeats itself.
      violate(I.NO_PROGRESS, mm, page, NONE, 0, 0, 0);
      return;
  }
}

/** Somebody saw `version` at (mm, page): a load, a GUP (then `handle` is set), or a look at the page table. */
// @ts-ignore: decorator
@inline export function read(mm: u32, page: u32, version: u32, handle: u32): void {
  if (promised(mm, page) != version) misread(mm, page, version, handle);
}
function misread(mm: u32, page: u32, version: u32, handle: u32): void {
  const expected = promised(mm, page);
  if (expected == WILD) return;
  if (version == 0 && has(mm, FREED, page)) {
    promise(mm, page, 0);
    return;
  }
  const broken = foreign(version, life(mm)) ? I.COW_LEAK : via_handle(expected) ? I.PIN_DETACHED : I.DATA_LOST;
  violate(broken, mm, page, handle, expected, version, 0);
}

// @ts-ignore: decorator
@inline function loaded(mm: u32, page: u32, version: u32): void {
  // A fresh fault would be SIGSEGV. detail 0: by the CPU.
  if (!has(mm, MAPPED, page)) violate(I.PERMISSION_GAINED, mm, page, NONE, 0, version, 0);
  read(mm, page, version, NONE);
}

// @ts-ignore: decorator
@inline function stored(mm: u32, page: u32, version: u32): void {
  const bit: u32 = 1 << page;
  if (!has(mm, WRITABLE, page)) violate(I.PERMISSION_GAINED, mm, page, NONE, promised(mm, page), version, 0);
  // detail 0: by the CPU.
  if (has(mm, WP_YES, page)) violate(I.WP_SILENT_WRITE, mm, page, NONE, promised(mm, page), version, 0);
  promise(mm, page, version);
  sign(version, life(mm), page, false);
  // That the store passed in silence settles a MAYBE: from now on an event would be stray.
  drop(mm, WP_MAYBE, bit);
  drop(mm, FREED, bit);
  drop(mm, SHARED, bit);
  add(mm, DIRTY, bit & mask(mm, TRACKING));
  write_seen(mm, page);
}
/** Soft-dirty is kept per leaf and a leaf may cover a whole PMD, so the neighbours are excused too. */
// @ts-ignore: decorator
@inline function write_seen(mm: u32, page: u32): void {
  add(mm, WRITE_SEEN, page < 4 ? 0x0f : 0xf0);
}

function event(mm: u32, page: u32, flags: u32): void {
  if ((flags & EVENT_WRITE) != 0) write_seen(mm, page);
  if ((flags & EVENT_WRITE) == 0) violate(I.WP_EVENT_ON_READ, mm, page, NONE, 0, 0, 0);
  if (has(mm, WP_MAYBE, page)) {
    // The event settles a MAYBE: the entry carries uffd-wp and has to keep it, if it has to stay at all.
    if (has(mm, FREED, page)) return;
    drop(mm, WP_MAYBE, 1 << page);
    add(mm, WP_YES, 1 << page);
  } else if (!has(mm, WP_YES, page)) {
    // detail 3: an event nobody asked for.
    violate(I.WP_STRAY, mm, page, NONE, 0, 0, 3);
  }
}
