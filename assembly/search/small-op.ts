// One op of the small handler on one state: the plain form, which the lanes are held against.
import {
  A,
  COPY_DROPS_UFFD,
  COPY_KEEPS_WRITE,
  D,
  entry,
  FORK,
  FORK_COPY_KEEPS_UFFD,
  FORK_KEEPS_UFFD,
  FORK_KEEPS_WRITE,
  FORK_SHARES_PINNED,
  frame,
  FRESH,
  lowestFree,
  maps,
  P,
  pins,
  REUSE_COUNTS_PIN_AS_MAP,
  REUSE_IGNORES_MAPS,
  REUSE_IGNORES_PINS,
  REUSE_TAKES_ZERO,
  slot,
  U,
  UFFD_KEEPS_WRITE,
  UNWP_RESTORES_WRITE,
  W,
  withEntry,
  withSlot,
  WRITE_IGNORES_UFFD,
} from './small-state';

/** Deviations from the right handler. */
export let mutants: u32 = 0;

export function setMutants(bits: u32): void {
  mutants = bits;
}

@inline
function is(mutant: u32): bool {
  return (mutants & mutant) != 0;
}

/** May the page be made writable in place? Only if nobody else can see it. */
@inline
function reusable(s: u64, f: u32): bool {
  if (!f) return is(REUSE_TAKES_ZERO);
  const sole = maps(s, f) == (is(REUSE_COUNTS_PIN_AS_MAP) ? 1 + pins(s, f) : 1);
  const unpinned = pins(s, f) == 0 || is(REUSE_COUNTS_PIN_AS_MAP);
  return (sole || is(REUSE_IGNORES_MAPS)) && (unpinned || is(REUSE_IGNORES_PINS));
}

/** A gup faults as a read that breaks COW. */
function fault(s: u64, i: u32, write: bool): u64 {
  const e = entry(s, i);
  if (!(e & P)) return withEntry(s, i, FRESH | (lowestFree(s) << 5));
  if (e & W) return withEntry(s, i, e | A | (write ? D : 0));
  if (e & U && write && !is(WRITE_IGNORES_UFFD)) return s;
  const writable = e & U ? 0 : W;
  if (reusable(s, frame(e))) return withEntry(s, i, e | A | D | writable);
  const uffd = is(COPY_DROPS_UFFD) ? 0 : e & U;
  return withEntry(s, i, P | A | D | (is(COPY_KEEPS_WRITE) ? W : writable) | uffd | (lowestFree(s) << 5));
}

function gup(s: u64, mm: u32, i: u32): u64 {
  if (slot(s, mm)) return withSlot(s, mm, 0);
  s = fault(s, i, false);
  return withSlot(s, mm, frame(entry(s, i)));
}

function uffd(s: u64, mm: u32, i: u32): u64 {
  const e = entry(s, i);
  if (!(e & P)) return s;
  if (!(e & U)) return withEntry(s, i, (e | U) & ~(is(UFFD_KEEPS_WRITE) ? 0 : W));
  const writable = is(UNWP_RESTORES_WRITE) && slot(s, mm) && frame(e) ? W : 0;
  return withEntry(s, i, (e & ~U) | writable);
}

/** Into the other mm, which gives up all it has first. */
function fork(s: u64, parent: u32): u64 {
  const child = 1 - parent;
  s = withSlot(withEntry(withEntry(s, child * 2, 0), child * 2 + 1, 0), child, 0);
  for (let page: u32 = 0; page < 2; page++) {
    const from = parent * 2 + page;
    const to = child * 2 + page;
    const e = entry(s, from);
    if (!(e & P)) continue;
    if (pins(s, frame(e)) && !is(FORK_SHARES_PINNED)) {
      s = withEntry(s, to, FRESH | (is(FORK_COPY_KEEPS_UFFD) ? e & U : 0) | (lowestFree(s) << 5));
      continue;
    }
    s = withEntry(s, from, e & ~(is(FORK_KEEPS_WRITE) ? 0 : W));
    s = withEntry(s, to, e & ~(W | A | (is(FORK_KEEPS_UFFD) ? 0 : U)));
  }
  return s;
}

/** The state after op number `op`; frames are taken as the handler takes them, the lowest free one. */
export function apply(s: u64, op: u32): u64 {
  if (op >= FORK) return fork(s, op - FORK);
  const i = op / 5;
  const mm = i >> 1;
  const e = entry(s, i);
  switch (op % 5) {
    case 0:
      return withEntry(s, i, e & P ? e | A : P | A);
    case 1:
      return fault(s, i, true);
    case 2:
      return gup(s, mm, i);
    case 3:
      return uffd(s, mm, i);
    default:
      return withEntry(s, i, 0);
  }
}
