// The operations beyond the core come in families. Half of the mixes know none, so that what the core does together is tried
// as often as ever; the others know one and each other one in half of them: it is what families do to each other's pages that breaks.
import { Op } from '../ops/table';
import { Focus, focused } from './focus';
import { draw } from './rng';

/** Op codes below this one are the core: what the mail's path needs. */
export const CORE_OPS: u32 = 23;

export namespace Family {
  export const CORE: u32 = 0;
  /** mremap, UFFDIO_MOVE. */
  export const MOVES: u32 = 1;
  /** madvise beyond DONTNEED and PAGEOUT, guard regions, collapse. */
  export const ADVICE: u32 = 2;
  /** userfaultfd beyond write-protection, PAGEMAP_SCAN. */
  export const FILLING: u32 = 3;
  /** Migration, KSM. */
  export const RMAP: u32 = 4;
}

export function family(op: u32): u32 {
  if (op < CORE_OPS) return Family.CORE;
  switch (op) {
    case Op.MADV_FREE: case Op.MADV_COLD: case Op.POPULATE: case Op.GUARD_INSTALL: case Op.GUARD_REMOVE:
    case Op.COLLAPSE: return Family.ADVICE;
    case Op.MIGRATE: case Op.MIGRATE_BEGIN: case Op.MIGRATE_END: return Family.RMAP;
    case Op.UFFD_COPY:
    case Op.UFFD_ZEROPAGE:
    case Op.PAGEMAP_SCAN: return Family.FILLING;
    case Op.MERGEABLE: case Op.UNMERGEABLE: case Op.KSM_MERGE: return Family.RMAP;
  }
  return Family.MOVES;
}
/** In how many of 16 mixes that know its family an op is enabled, and its usual weight there. */
export function family_presence(op: u32): u32 {
  switch (op) {
    // Of little use alone: what is begun is to end, what may be merged to be merged.
    case Op.MIGRATE_END: case Op.MERGEABLE: case Op.KSM_MERGE: return 15;
    case Op.UNMERGEABLE: case Op.MADV_COLD: case Op.UFFD_ZEROPAGE: return 8;
  }
  return 12;
}
export function family_weight(op: u32): u32 {
  if (op == Op.MIGRATE_BEGIN || op == Op.KSM_MERGE) return 3;
  if (op == Op.UNMERGEABLE) return 1;
  if (op == Op.MADV_COLD || op == Op.GUARD_INSTALL) return 1;
  return 2;
}

/** Draws the weights of the ops beyond the core for one mix. Returns its families, bit = family. */
export function draw_families(weights: usize): u32 {
  const r = draw();
  let known: u32 = 0;
  if (r & 1 && !focused(Focus.CORE)) {
    known |= 1 << (1 + (((r >> 1) & 3) as u32));
    known |= ((r >> 4) & 0x1e) as u32;
  }
  for (let op: u32 = CORE_OPS; op < Op.COUNT; op++) {
    const s = draw();
    const enabled = ((known >> family(op)) & 1) != 0 && (s & 15) < (family_presence(op) as u64);
    store<u8>(weights + (op as usize), enabled ? family_weight(op) * (1 + (((s >> 4) & 3) as u32)) : 0);
  }
  return known;
}

/** Beside the groups: soft-dirty is tracked. */
export const BESIDE_SOFT_DIRTY: u32 = 1 << 6;
/**
 * Groups of the core (bit = group, mixes.ts) that a mix of these families has whatever else is drawn, each in half of them.
 * What the families' ops may lose of a page, sharers, protection, a swap entry, its place in a huge page, comes from there.
 */
export function companions(known: u32): u32 {
  const r = draw();
  return known != 0 ? (r as u32) & (0x3e | BESIDE_SOFT_DIRTY) : 0;
}
