// The small handler (2 mms x 2 pages, see small-state.ts) as the subject of an exhaustive search. Each thread has an instance.
import { canonical } from './small-canon';
import { apply, setMutants } from './small-op';
import { broken, fingerprint, OPS, stateOf } from './small-state';

export { renumbered, swapMms, swapPages } from './small-canon';
export { apply, broken, canonical, fingerprint, stateOf };

/** States that one call of `expand` takes at most. */
export const BATCH: u32 = 2048;
/** Fingerprints of successors: one u64 each. `collect` leaves the new states in the same place. */
export const CANDIDATES: usize = 65536;
const MOST: usize = <usize>BATCH * OPS;
/** The states to expand, one u64 each. */
export const ENTRIES: usize = CANDIDATES + MOST * 8 + 1024;
/** One byte per candidate. */
export const FRESH: usize = ENTRIES + <usize>BATCH * 8;
/** Steps that broke a promise: the state before in bits 0-37, broken promises from bit 48. */
export const BROKEN: usize = FRESH + MOST + 64;
/** Fingerprints sent lately, by their high bits. */
const RECENT: usize = BROKEN + MOST * 8 + 1024;
const RECENT_LOG: usize = 15;

let symmetry: u32 = 0;
let candidates: usize = CANDIDATES;
let brokenCount: u32 = 0;

/** Grows the memory to what the layout needs. */
export function configure(symmetryId: u32, mutantBits: u32): void {
  const pages = <i32>((RECENT + (<usize>8 << RECENT_LOG) + 65535) >> 16);
  if (memory.size() < pages) memory.grow(pages - memory.size());
  memory.fill(RECENT, 0, <usize>8 << RECENT_LOG);
  symmetry = symmetryId;
  setMutants(mutantBits);
}

/** Steps in BROKEN after `expand`. */
export function brokenSteps(): u32 {
  return brokenCount;
}

/** A fingerprint sent lately is in the visited set by now, or on its way there: it need not go again. */
@inline
function send(print: u64, filtered: bool): void {
  store<u64>(candidates, print);
  const at = RECENT + (<usize>(print >> <u64>(64 - RECENT_LOG)) << 3);
  const known = filtered && load<u64>(at) == print;
  store<u64>(at, print);
  candidates += known ? 0 : 8;
}

/**
 * Fills CANDIDATES with the fingerprints of what `count` states of ENTRIES lead to and returns their number. Left out are
 * self-loops, the initial state (a search starts there), states that break a promise, and most duplicates. A single state's
 * successors are told in the order of ops, duplicates included: who asks for one wants to search depth-first.
 */
export function expandPlain(count: u32): u32 {
  candidates = CANDIDATES;
  brokenCount = 0;
  const filtered = count > 1;
  for (let n: u32 = 0; n < count; n++) {
    const s = load<u64>(ENTRIES + (<usize>n << 3));
    for (let op: u32 = 0; op < OPS; op++) {
      const next = apply(s, op);
      const mask = broken(next);
      if (mask) {
        store<u64>(BROKEN + (<usize>brokenCount << 3), s | (<u64>mask << 48));
        brokenCount++;
        continue;
      }
      const form = canonical(next, symmetry);
      if (form != s && form != 0) send(fingerprint(form), filtered);
    }
  }
  return <u32>((candidates - CANDIDATES) >> 3);
}

/** Leaves the states of those of `count` candidates that FRESH marks in CANDIDATES, in their order; returns their number. */
export function collect(count: u32): u32 {
  let out = CANDIDATES;
  for (let n: usize = 0; n < <usize>count; n++) {
    const print = load<u64>(CANDIDATES + (n << 3));
    store<u64>(out, stateOf(print));
    out += load<u8>(FRESH + n) ? 8 : 0;
  }
  return <u32>((out - CANDIDATES) >> 3);
}
