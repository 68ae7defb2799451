// The reference memory: what each process must see, derived from what the program did and from nothing else.
// Observations go in, violations come out. It shares no code and no knob with mm/.
import {
  ABSENT, add, changed, DIRTY, disarm, drop, foreign, FREED, GUARDED, has, life, MAPPED, mask, MISSING, populate, promise,
  promised, REGISTERED, SHARED, sign, tick, TRACKING, uffd, UFFD_ASYNC, UNPROTECTED, unprotected, via_handle, WILD,
  WP_MAYBE, WP_YES, WRITABLE, WRITE_SEEN,
} from './promises';
import { granted, hread, hwrite } from './handles';
import { I } from './invariants';
import { NONE, violate } from './report';
import { gave_up, guard_lost, move, scanned, syscall, uffd_move, unsure } from './syscalls';
import { Obs, obs_flags, obs_handle, obs_kind, obs_mm, obs_page, obs_version } from '../mm/observe';
import { arg_mask, F_GUP_WRITE, Op, op_code, op_flags, op_page } from '../ops/table';

/** Flags of the event record: the access is a write; nothing was there. */
const EVENT_WRITE: u32 = 1;
const EVENT_MISSING: u32 = 2;
/** Flags of the record of a page that was filled. */
const FILLED_WP: u32 = 1;
const FILLED_ZERO: u32 = 2;

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
      touched(mm, page);
      if (has(mm, GUARDED, page)) guard_lost(mm, page);
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
      if (op_code(word) == Op.PAGEMAP_SCAN) scanned(word, obs_version(o));
      else syscall(word, obs_flags(o));
      return;
    case Obs.WP_PARTIAL:
      unsure(mm, arg_mask(op_page(word)) & mask(mm, REGISTERED));
      return;
    case Obs.MOVED_PARTLY:
      if (op_code(word) == Op.UFFD_MOVE) uffd_move(word, obs_version(o) & 15);
      else move(word, obs_version(o) & 15, obs_version(o) >> 4);
      return;
    case Obs.FILLED:
      put_in(mm, page, obs_version(o), obs_flags(o));
      return;
    case Obs.GAVE_UP:
      gave_up(word);
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

/** An access went ahead. */
// @ts-ignore: decorator
@inline function touched(mm: u32, page: u32): void {
  if ((mask(mm, ABSENT) & (page < 4 ? 0x0f : 0xf0)) != 0) first_touch(mm, page);
}
function first_touch(mm: u32, page: u32): void {
  // detail 0: an access that should have been an event.
  if (has(mm, MISSING, page) && has(mm, ABSENT, page)) violate(I.MISSING_EVENTS, mm, page, NONE, 0, 0, 0);
  populate(mm, 1 << page);
}

// @ts-ignore: decorator
@inline function loaded(mm: u32, page: u32, version: u32): void {
  // A fresh fault would be SIGSEGV. detail 0: by the CPU.
  if (!has(mm, MAPPED, page)) violate(I.PERMISSION_GAINED, mm, page, NONE, 0, version, 0);
  touched(mm, page);
  if (has(mm, GUARDED, page)) guard_lost(mm, page);
  read(mm, page, version, NONE);
}

// @ts-ignore: decorator
@inline function stored(mm: u32, page: u32, version: u32): void {
  const bit: u32 = 1 << page;
  if (!has(mm, WRITABLE, page)) violate(I.PERMISSION_GAINED, mm, page, NONE, promised(mm, page), version, 0);
  touched(mm, page);
  if ((uffd(mm) & UFFD_ASYNC) != 0) {
    unprotected(mm, bit);
    changed(mm, bit);
  }
  if (has(mm, GUARDED, page)) guard_lost(mm, page);
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

/** UFFDIO_COPY or ZEROPAGE filled the page. */
function put_in(mm: u32, page: u32, version: u32, flags: u32): void {
  const bit: u32 = 1 << page;
  const there = promised(mm, page);
  // detail 1: replaced by a fill, which only fills what is empty.
  if (there != 0 && there != WILD && !has(mm, FREED, page)) violate(I.DATA_LOST, mm, page, NONE, there, version, 1);
  drop(mm, ABSENT, bit);
  drop(mm, FREED, bit);
  drop(mm, WP_YES, bit);
  drop(mm, WP_MAYBE, bit);
  drop(mm, UNPROTECTED, bit);
  promise(mm, page, version);
  if ((flags & FILLED_ZERO) != 0) return;
  // Whoever fills with protection knows what he has filled.
  if ((flags & FILLED_WP) != 0) {
    add(mm, WP_YES, bit);
    disarm(mm, bit);
  }
  changed(mm, bit);
  sign(version, life(mm), page, false);
  drop(mm, SHARED, bit);
  add(mm, DIRTY, bit & mask(mm, TRACKING));
  write_seen(mm, page);
}

function event(mm: u32, page: u32, flags: u32): void {
  if ((flags & EVENT_WRITE) != 0) write_seen(mm, page);
  if ((flags & EVENT_MISSING) != 0) {
    // detail 1: an event nobody asked for.
    if (!has(mm, MISSING, page)) violate(I.MISSING_EVENTS, mm, page, NONE, 0, 0, 1);
    return;
  }
  // Protected, so there.
  populate(mm, 1 << page);
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
