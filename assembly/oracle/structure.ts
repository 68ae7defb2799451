// What must hold between page tables, struct pages, swap slots and TLBs at one leaf, whatever the program did. Reads
// the world, never writes it. The one knob asked is whether PageAnonExclusive exists.
import {
  FREE_MASK, HANDLE_SIZE, HANDLES, HPAGE_PMD_NR, NR_FRAMES, NR_MMS, NR_PAGES, NR_SLOTS, SWAP_CACHE, SWAP_COUNT, SWAP_VERSION, TLB,
  TLB_CPU_SIZE,
} from '../mm/layout';
import {
  _PAGE_PRESENT, _PAGE_RW, _PAGE_SWP_EXCLUSIVE, _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
  is_guard_pte_marker, is_migration_entry, is_pte_marker, is_readable_migration_entry, migration_entry_pfn, SWP_MIG_DIRTY, SWP_MIG_YOUNG,
  is_swap_pte, make_pte_marker, pmd_at, pmd_trans_huge, pte_at, pte_marker_uffd_wp, PTE_MARKER_UFFD_WP, pte_pfn,
  pte_present, pte_protnone, pte_soft_dirty, pte_special, pte_swp_exclusive, pte_swp_soft_dirty, pte_swp_uffd_wp,
  pte_uffd_wp, pte_write, pud_at, swp_offset,
} from '../mm/pgtable';
import {
  compound_head, DAX_PFN, is_special_pfn, PageAnonExclusive, PageCompound, page_flags, page_mapcount, page_pins,
  page_ref, page_swap, page_version, PG_ANON, PG_EXCLUSIVE, PG_KSM, PG_MIGRATING, total_mapcount,
} from '../mm/page';
import { VM_SOFTDIRTY, VM_UFFD_WP, VM_WRITE, vm_flags } from '../mm/vma';
import { K, knob } from '../kernel/knobs';
import { Count, miscount } from './accounting';
import { I } from './invariants';
import { NONE, violate } from './report';

const TLB_VALID: u32 = 0x40;
const TLB_WRITE: u32 = 0x80;
const TLB_FRAME: u32 = 0x1f;
const WRITABLE_AND_WP: u64 = _PAGE_RW | _PAGE_UFFD_WP;
// I13: bits that no accessor of the entry's own kind sets. Bits 0..13 of a swap entry hold nothing but its three flags.
const STRANGE_PRESENT: u64 = _PAGE_SWP_EXCLUSIVE;
const STRANGE_SWAP: u64 = 0x3fff & ~(_PAGE_SWP_SOFT_DIRTY | _PAGE_SWP_UFFD_WP | _PAGE_SWP_EXCLUSIVE);
const MIGRATION_OFFSET: u32 = 0x1f | SWP_MIG_YOUNG | SWP_MIG_DIRTY;

/** What kind of entry a leaf is; the detail of I6, I11, I12 and I13 violations (3 is I12's stray event). */
export namespace Residency {
  export const PRESENT: u32 = 0;
  export const SWAP: u32 = 1;
  export const MARKER: u32 = 2;
  export const NOTHING: u32 = 4;
  export const MIGRATION: u32 = 5;
}

/** The entry that decides about (mm, page): a huge PUD, a huge PMD, or the PTE; 0 where there is no table. */
// @ts-ignore: decorator
@inline export function leaf_of(mm: u32, page: u32): u64 {
  const pmd = pmd_at(mm, page / HPAGE_PMD_NR);
  if (pmd == 0) {
    const pud = pud_at(mm);
    return pmd_trans_huge(pud) ? pud : 0;
  }
  return pmd == _PAGE_TABLE ? pte_at(mm, page) : pmd;
}
/** Frame of a present leaf at this page: a huge PMD counts on from its first frame, the DAX device is one frame. */
// @ts-ignore: decorator
@inline export function frame_of(e: u64, page: u32): u32 {
  const f = pte_pfn(e);
  return pmd_trans_huge(e) && f != DAX_PFN ? f + (page & (HPAGE_PMD_NR - 1)) : f;
}
// @ts-ignore: decorator
@inline function slot_count(slot: u32): u32 {
  return load<u8>(SWAP_COUNT + (slot as usize));
}
/** Frame + 1 that caches the slot, 0 = none. */
// @ts-ignore: decorator
@inline function slot_cache(slot: u32): u32 {
  return load<u8>(SWAP_CACHE + (slot as usize));
}

// ---- what the leaf says, for comparison with the promises

/** The version a load at this leaf would find, without faulting. */
export function contents(mm: u32, page: u32, e: u64): u32 {
  if (pte_present(e)) return page_version(frame_of(e, page));
  if (e == 0) return 0;
  if (is_migration_entry(e)) return page_version(migrating_frame(mm, e, page));
  if (!is_swap_pte(e)) return 0;
  const slot = swp_offset(e) & (NR_SLOTS - 1);
  const cached = slot_cache(slot);
  return cached ? page_version(cached - 1) : load<u8>(SWAP_VERSION + (slot as usize));
}
export function residency(e: u64): u32 {
  if (e == 0) return Residency.NOTHING;
  if (pte_present(e)) return Residency.PRESENT;
  return is_pte_marker(e) ? Residency.MARKER : is_migration_entry(e) ? Residency.MIGRATION : Residency.SWAP;
}
export function carries_uffd_wp(e: u64): bool {
  if (pte_present(e)) return pte_uffd_wp(e);
  if (e == 0) return false;
  return is_pte_marker(e) ? pte_marker_uffd_wp(e) : pte_swp_uffd_wp(e);
}
/** As pagemap would report it: the entry's bit, or the whole VMA's. */
export function reports_soft_dirty(mm: u32, page: u32, e: u64): bool {
  if ((vm_flags(mm, page) & VM_SOFTDIRTY) != 0) return true;
  if (pte_present(e)) return pte_soft_dirty(e);
  return e != 0 && !is_pte_marker(e) && pte_swp_soft_dirty(e);
}
/** Must a fast-only read GUP find its page here? */
export function fast_gup_must_find(mm: u32, page: u32): bool {
  const e = leaf_of(mm, page);
  return pte_present(e) && !pte_protnone(e) && !pte_special(e) && !is_special_pfn(pte_pfn(e));
}

// ---- the checks

/**
 * Judges the leaf of (mm, page), which is not 0. For a huge leaf call it once, and check_tlb for each of its pages.
 * A present leaf that is in order costs two branches; why one is not is sorted out afterwards.
 */
// @ts-ignore: decorator
@inline export function check_leaf(mm: u32, page: u32, e: u64): void {
  const vma = vm_flags(mm, page);
  if (pte_present(e)) {
    const f = pte_pfn(e);
    if ((bad_bits(e, vma) | bad_page(f)) != 0) explain_leaf(mm, page, e, vma, f);
    const flags = page_flags(f);
    // detail 5: a page of KSM.
    if ((flags & PG_KSM) != 0 && pte_write(e)) violate(I.NOT_EXCLUSIVE, mm, page, NONE, 0, 1, 5);
    if (knob(K.REUSE_EXCLUSIVE) && (flags & PG_ANON) != 0) check_exclusive(mm, page, e, f, flags);
  } else check_nonpresent(mm, page, e, vma);
}

/** Not 0: write or uffd-wp where the VMA forbids it, both together, bits of no present leaf, or no VMA at all. */
// @ts-ignore: decorator
@inline function bad_bits(e: u64, vma: u32): u64 {
  const allowed = (vma & VM_WRITE ? _PAGE_RW : 0) | (vma & VM_UFFD_WP ? _PAGE_UFFD_WP : 0);
  const together = (e & WRITABLE_AND_WP) == WRITABLE_AND_WP;
  return (e & (WRITABLE_AND_WP | STRANGE_PRESENT) & ~allowed) | (together as u64) | ((vma == 0) as u64);
}
/** Not 0: the page is not in use, or its references do not cover what is known: mappings, pins, the swap cache. */
// @ts-ignore: decorator
@inline function bad_page(f: u32): u64 {
  const head = compound_head(f);
  const mappings = PageCompound(f) ? total_mapcount(f) : page_mapcount(f);
  const known = mappings + page_pins(head) + ((page_swap(head) != 0) as u32);
  const unmapped = ((mappings == 0) as u32) & ((f < NR_FRAMES) as u32);
  return (((page_ref(head) < known) as u32) | unmapped | ((load<u32>(FREE_MASK) >> f) & 1)) as u64;
}
function explain_leaf(mm: u32, page: u32, e: u64, vma: u32, f: u32): void {
  if ((e & STRANGE_PRESENT) != 0) violate(I.WRONG_DECODER, mm, page, NONE, 0, 0, Residency.PRESENT);
  // detail 2: the leaf itself (0 and 1: an access that went ahead).
  if (pte_write(e) && (vma & VM_WRITE) == 0 && vma != 0) violate(I.PERMISSION_GAINED, mm, page, NONE, 0, 0, 2);
  // I1 also holds of protnone leaves: the write bit saved there comes back with the next fault.
  if ((e & WRITABLE_AND_WP) == WRITABLE_AND_WP) violate(I.WP_WRITABLE, mm, page, NONE, 0, 0, pmd_trans_huge(e) ? 1 : 0);
  if (pte_uffd_wp(e) && (vma & VM_UFFD_WP) == 0) violate(I.WP_STRAY, mm, page, NONE, 0, 0, Residency.PRESENT);
  // An entry that outlived its VMA.
  if (vma == 0) miscount(Count.LEFTOVER, 0, mm, page, 0, 1);
  if (f >= NR_FRAMES) return;
  const head = compound_head(f);
  const mappings = total_mapcount(f);
  const known = mappings + page_pins(head) + (page_swap(head) != 0 ? 1 : 0);
  if (page_ref(head) < known) miscount(Count.REFS, head, mm, page, known, page_ref(head));
  if (mappings == 0) miscount(Count.MAPCOUNT, f, mm, page, 1, 0);
  if ((load<u32>(FREE_MASK) >> f) & 1) miscount(Count.FREE, f, mm, page, 0, 1);
}

/** I14. detail 0: writable without exclusive; 1: exclusive, but mapped or swapped elsewhere too. */
// @ts-ignore: decorator
@inline function check_exclusive(mm: u32, page: u32, e: u64, f: u32, flags: u32): void {
  if ((flags & PG_EXCLUSIVE) == 0) {
    if (pte_write(e)) violate(I.NOT_EXCLUSIVE, mm, page, NONE, 1, 0, 0);
  } else {
    check_sole_user(mm, page, f);
    if (pmd_trans_huge(e)) for (let i: u32 = 1; i < HPAGE_PMD_NR; i++) check_sole_user(mm, page, f + i);
  }
}
// @ts-ignore: decorator
@inline function check_sole_user(mm: u32, page: u32, f: u32): void {
  const slot1 = page_swap(f);
  const users = page_mapcount(f) + (slot1 != 0 ? slot_count(slot1 - 1) : 0);
  if (users != 1) violate(I.NOT_EXCLUSIVE, mm, page, NONE, 1, users, 1);
}

function check_nonpresent(mm: u32, page: u32, e: u64, vma: u32): void {
  if (is_swap_pte(e)) check_swap(mm, page, e, vma);
  else if (is_migration_entry(e)) check_migration(mm, page, e, vma);
  else {
    if (is_guard_pte_marker(e)) {
      if (vma == 0) miscount(Count.LEFTOVER, 0, mm, page, 0, 1);
      return;
    }
    // mremap makes markers soft-dirty, too.
    const kind = e & ~_PAGE_SWP_SOFT_DIRTY;
    if (kind != make_pte_marker(PTE_MARKER_UFFD_WP)) violate(I.WRONG_DECODER, mm, page, NONE, 0, 0, Residency.MARKER);
    if ((vma & VM_UFFD_WP) == 0) violate(I.WP_STRAY, mm, page, NONE, 0, 0, Residency.MARKER);
  }
  if (vma == 0) miscount(Count.LEFTOVER, 0, mm, page, 0, 1);
}
function check_swap(mm: u32, page: u32, e: u64, vma: u32): void {
  const slot = swp_offset(e);
  if ((e & STRANGE_SWAP) != 0 || slot >= NR_SLOTS) {
    violate(I.WRONG_DECODER, mm, page, NONE, 0, 0, Residency.SWAP);
    return;
  }
  if (pte_swp_uffd_wp(e) && (vma & VM_UFFD_WP) == 0) violate(I.WP_STRAY, mm, page, NONE, 0, 0, Residency.SWAP);
  const users = slot_count(slot);
  if (users == 0) miscount(Count.SWAP_COUNT, slot, mm, page, 1, 0);
  if (knob(K.REUSE_EXCLUSIVE) && pte_swp_exclusive(e)) {
    const cached = slot_cache(slot);
    const all = users + (cached != 0 ? page_mapcount(cached - 1) : 0);
    // detail 2: the exclusive bit of a swap entry.
    if (all != 1) violate(I.NOT_EXCLUSIVE, mm, page, NONE, 1, all, 2);
  }
}

/** The page that a migration entry, PTE or PMD, has for this page. */
function migrating_frame(mm: u32, e: u64, page: u32): u32 {
  const f = migration_entry_pfn(e);
  return (pmd_at(mm, page / HPAGE_PMD_NR) == e ? f + (page & (HPAGE_PMD_NR - 1)) : f) & 31;
}
/** How many migration entries stand for this page. */
function migration_entries(f: u32): u32 {
  let n: u32 = 0;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const e = leaf_of(mm, page);
      if (e != 0 && is_migration_entry(e) && migrating_frame(mm, e, page) == f) n++;
    }
  }
  return n;
}
function check_migration(mm: u32, page: u32, e: u64, vma: u32): void {
  const f = migrating_frame(mm, e, page);
  if ((e & (STRANGE_SWAP | _PAGE_SWP_EXCLUSIVE)) != 0 || (swp_offset(e) & ~MIGRATION_OFFSET) != 0 || f >= NR_FRAMES) {
    violate(I.WRONG_DECODER, mm, page, NONE, 0, 0, Residency.MIGRATION);
    return;
  }
  if (pte_swp_uffd_wp(e) && (vma & VM_UFFD_WP) == 0) violate(I.WP_STRAY, mm, page, NONE, 0, 0, Residency.MIGRATION);
  // An entry whose page nobody is about to bring back.
  if ((page_flags(compound_head(f)) & PG_MIGRATING) == 0) miscount(Count.REFS, f, mm, page, 1, 0);
  if (!knob(K.REUSE_EXCLUSIVE) || is_readable_migration_entry(e)) return;
  const slot1 = page_swap(f);
  const users = migration_entries(f) + page_mapcount(f) + (slot1 != 0 ? slot_count(slot1 - 1) : 0);
  // detail 4: a migration entry that is writable or exclusive.
  if (users != 1) violate(I.NOT_EXCLUSIVE, mm, page, NONE, 1, users, 4);
}

/** I8: what the CPUs have cached for this page is no more than the leaf allows. detail: the CPU. */
// @ts-ignore: decorator
@inline export function check_tlb(mm: u32, page: u32, e: u64): void {
  const entry = TLB + ((mm as usize) << 3) + (page as usize);
  const cpu0: u32 = load<u8>(entry);
  const cpu1: u32 = load<u8>(entry, TLB_CPU_SIZE);
  if ((cpu0 | cpu1) != 0) {
    check_translation(mm, page, e, cpu0, 0);
    check_translation(mm, page, e, cpu1, 1);
  }
}
// @ts-ignore: decorator
@inline function check_translation(mm: u32, page: u32, e: u64, cached: u32, cpu: u32): void {
  if ((cached & TLB_VALID) == 0) return;
  const allowed = TLB_VALID | frame_of(e, page) | (pte_write(e) ? TLB_WRITE : 0);
  if ((e & _PAGE_PRESENT) == 0 || ((cached ^ allowed) & TLB_FRAME) != 0 || (cached & ~allowed & TLB_WRITE) != 0) {
    violate(I.TLB_STALE, mm, page, NONE, (e & _PAGE_PRESENT) != 0 ? allowed : 0, cached, cpu);
    if ((load<u32>(FREE_MASK) >> (cached & TLB_FRAME)) & 1) miscount(Count.FREE, cached & TLB_FRAME, mm, page, 0, 1);
  }
}
/** The same for every translation that any CPU has cached. */
export function check_tlbs(): void {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    const entries = TLB + ((mm as usize) << 3);
    const cached = (load<u64>(entries) | load<u64>(entries, TLB_CPU_SIZE)) & 0x4040404040404040;
    for (let m = cached; m != 0; m &= m - 1) {
      const page = (ctz(m) >> 3) as u32;
      check_tlb(mm, page, leaf_of(mm, page));
    }
  }
}

/** I14 at a GUP: a pinned anonymous page is exclusive. detail 3. Skipped if the page has left the leaf since. */
export function check_pinned(mm: u32, page: u32, h: u32): void {
  if (!knob(K.REUSE_EXCLUSIVE)) return;
  const handle = HANDLES + (h as usize) * HANDLE_SIZE;
  const f: u32 = load<u8>(handle, 3);
  const e = leaf_of(mm, page);
  if (load<u8>(handle) == 0 || f >= NR_FRAMES || (page_flags(f) & PG_ANON) == 0 || !pte_present(e) || frame_of(e, page) != f) return;
  if (!PageAnonExclusive(pmd_trans_huge(e) ? pte_pfn(e) : f)) violate(I.NOT_EXCLUSIVE, mm, page, h, 1, 0, 3);
}
