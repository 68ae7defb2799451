// The small handler (2 mms x 2 pages, see small-state.ts) as the subject of an exhaustive search. Each thread has an instance.
import { canonical } from './small-canon';
import { toColumns } from './small-columns';
import { beginBlock, beginEmit, emitted, noteBroken, send, setSymmetry } from './small-emit';
import { expandDeviant, expandRight } from './small-lanes';
import { CANDIDATES, COLUMNS, END, ENTRIES, FRESH } from './small-layout';
import { apply, mutants, setMutants } from './small-op';
import { broken, fingerprint, OPS, stateOf } from './small-state';

export { renumbered, swapMms, swapPages } from './small-canon';
export { brokenSteps, sendDuplicates } from './small-emit';
export { BATCH, BROKEN, CANDIDATES, ENTRIES, FRESH } from './small-layout';
export { apply, broken, canonical, fingerprint, stateOf };

let symmetry: u32 = 0;

/** Grows the memory to what the layout needs. */
export function configure(symmetryId: u32, mutantBits: u32): void {
  const pages = <i32>((END + 65535) >> 16);
  if (memory.size() < pages) memory.grow(pages - memory.size());
  symmetry = symmetryId;
  setSymmetry(symmetryId);
  setMutants(mutantBits);
}

/**
 * Fills CANDIDATES with the fingerprints of what `count` states of ENTRIES lead to and returns their number. Left out are
 * self-loops, the initial state (a search starts there), states that break a promise, and most duplicates.
 */
export function expandPlain(count: u32): u32 {
  beginEmit();
  for (let n: u32 = 0; n < count; n++) {
    const s = load<u64>(ENTRIES + (<usize>n << 3));
    for (let op: u32 = 0; op < OPS; op++) {
      const next = apply(s, op);
      const mask = broken(next);
      if (mask) {
        noteBroken(s, mask);
        continue;
      }
      const form = canonical(next, symmetry);
      if (form != s && form != 0) send(fingerprint(form));
    }
  }
  return emitted();
}

/** The same, sixteen states at a time; the successors of sixteen come op by op. */
export function expandLanes(count: u32): u32 {
  beginEmit();
  for (let n: u32 = 0; n < count; n += 16) {
    const states = ENTRIES + (<usize>n << 3);
    beginBlock(states, min(count - n, 16));
    toColumns(states, COLUMNS);
    if (mutants) expandDeviant(COLUMNS);
    else expandRight(COLUMNS);
  }
  return emitted();
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
