// Page migration (mm/migrate.c, mm/rmap.c, mm/huge_memory.c): the mappings of a folio become migration entries, its
// contents move to a new folio, the entries become leaves again. What meets the entries in between is elsewhere.
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried, cell, Column } from '../kernel/tables';
import { at } from '../kernel/trace';
import { HPAGE_PMD_NR, NR_FRAMES, NR_MMS, NR_PAGES, NR_PMDS, PG_SLOT, SWAP_CACHE } from './layout';
import {
  alloc_page, alloc_thp, ClearPageAnonExclusive, compound_head, folio_change, get_page, is_special_pfn, NO_PAGE, page_add_rmap,
  page_add_rmap_pmd, page_count, page_flags, page_maybe_dma_pinned, page_remove_rmap, page_remove_rmap_pmd, page_swap,
  page_version, PageAnonExclusive, PageCompound, PG_DIRTY, PG_EXCLUSIVE, PG_MIGRATING, put_page, set_page_dirty, set_page_flags,
  set_page_version, SetPageAnonExclusive,
} from './page';
import {
  is_migration_entry, is_readable_migration_entry, is_swap_pmd, is_writable_migration_entry, migration_entry_as,
  migration_entry_pfn, pfn_bits, pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_dirty, pte_mkdirty, pte_mkold, pte_mkwrite,
  pte_pfn, pte_present, pte_soft_dirty, pte_uffd_wp, pte_write, pte_wrprotect, set_pmd_at, set_pte_at, SWP_MIG_DIRTY,
  SWP_MIG_YOUNG, swp_entry, swp_offset, SWP_TYPE_MIG_READ, SWP_TYPE_MIG_READ_EXCLUSIVE, SWP_TYPE_MIG_WRITE, _PAGE_ACCESSED,
  _PAGE_DIRTY, _PAGE_PSE, _PAGE_SOFT_DIRTY, _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import { swp_bits_as_present } from './swapfile';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import { VM_PAGE_PROT } from './vma';

// ---- entries

/** Kind and offset of the entry that takes the place of leaf `e` of page (or huge page) `f`. */
function make_migration_entry(e: u64, f: u32, exclusive: bool): u64 {
  const type = pte_write(e) ? SWP_TYPE_MIG_WRITE : exclusive ? SWP_TYPE_MIG_READ_EXCLUSIVE : SWP_TYPE_MIG_READ;
  let offset = f;
  if (e & _PAGE_ACCESSED) offset |= SWP_MIG_YOUNG;
  if (pte_dirty(e)) offset |= SWP_MIG_DIRTY;
  return swp_entry(type, offset);
}
/** A change of protection, by whomever: nothing writable comes out of the entry again without a fault. */
export function migration_entry_wrprotect(e: u64): u64 {
  if (!is_writable_migration_entry(e)) return e;
  at(P.MIGRATION_WRPROTECT);
  return migration_entry_as(e, knob(K.REUSE_EXCLUSIVE) ? SWP_TYPE_MIG_READ_EXCLUSIVE : SWP_TYPE_MIG_READ);
}
/** fork shares the page: the entry is neither writable nor exclusive any more. */
export function migration_entry_share(e: u64): u64 {
  return is_readable_migration_entry(e) ? e : migration_entry_as(e, SWP_TYPE_MIG_READ);
}
/** An architecture where "dirty" and "writable" are not apart (sparc64 until v6.4). */
export function arch_mkdirty(e: u64): u64 {
  return knob(K.ARCH_MKDIRTY_SETS_WRITE) ? pte_mkwrite(e) : e;
}

/** Where dirty is restored in an entry that is not to be writable. */
export function wrprotect_last(e: u64): u64 {
  return knob(K.DIRTY_THEN_WRPROTECT) ? pte_wrprotect(e) : e;
}

// ---- the way in

/** folio_try_share_anon_rmap: false if the page is exclusive and may be pinned. `exclusive` says what it was. */
let was_exclusive: bool = false;
function try_share_anon_rmap(f: u32): bool {
  was_exclusive = knob(K.REUSE_EXCLUSIVE) && PageAnonExclusive(f);
  if (!was_exclusive) return true;
  if (page_maybe_dma_pinned(f)) {
    at(P.MIGRATE_PINNED);
    return false;
  }
  if (!knob(K.MUTANT_MIGRATE_KEEPS_EXCLUSIVE)) ClearPageAnonExclusive(f);
  return true;
}
function try_to_migrate_one(mm: u32, page: u32, e: u64, f: u32): bool {
  if (!knob(K.MUTANT_MIGRATE_FORGETS_FLUSH)) flush_tlb_page(mm, page);
  if (!try_share_anon_rmap(f)) return false;
  if (pte_dirty(e)) set_page_dirty(f);
  let entry = make_migration_entry(e, f, was_exclusive);
  if (pte_soft_dirty(e) && knob(K.MIGRATE_KEEPS_SOFT_DIRTY)) entry |= _PAGE_SWP_SOFT_DIRTY;
  if (pte_uffd_wp(e) && knob(K.MIGRATE_KEEPS_WP)) entry |= knob(K.MUTANT_MIGRATE_WRONG_SETTER) ? _PAGE_UFFD_WP : _PAGE_SWP_UFFD_WP;
  at(P.TRY_TO_MIGRATE_ONE);
  set_pte_at(mm, page, entry);
  page_remove_rmap(f, mm);
  put_page(f);
  return true;
}
function set_pmd_migration_entry(mm: u32, pmd: u32, e: u64, head: u32): bool {
  flush_pmd_tlb_range(mm, pmd);
  if (!try_share_anon_rmap(head)) return false;
  if (pte_dirty(e)) folio_change(head, PG_DIRTY, 0);
  let entry = make_migration_entry(e, head, was_exclusive);
  if (pte_soft_dirty(e)) entry |= _PAGE_SWP_SOFT_DIRTY;
  if (pte_uffd_wp(e) && knob(K.MIGRATE_PMD_KEEPS_WP)) entry |= _PAGE_SWP_UFFD_WP;
  at(P.SET_PMD_MIGRATION_ENTRY);
  set_pmd_at(mm, pmd, entry);
  page_remove_rmap_pmd(head, mm);
  put_page(head);
  return true;
}
/** Every mapping of the folio becomes an entry. False: one of them has to stay. */
function try_to_migrate(head: u32): bool {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
      const upper = pmd_at(mm, pmd);
      if (pmd_none(upper)) continue;
      if (pmd_trans_huge(upper)) {
        if (pte_pfn(upper) == head && !set_pmd_migration_entry(mm, pmd, upper, head)) return false;
        continue;
      }
      for (let page = pmd << 2; page < (pmd << 2) + 4; page++) {
        const e = pte_at(mm, page);
        if (!pte_present(e) || is_special_pfn(pte_pfn(e)) || compound_head(pte_pfn(e)) != head) continue;
        if (!try_to_migrate_one(mm, page, e, pte_pfn(e))) return false;
      }
    }
  }
  return true;
}

// ---- the way out

function remove_migration_pte(mm: u32, page: u32, e: u64, f: u32): void {
  const offset = swp_offset(e);
  const kept = carried(C.MIG_REMOVE, knob(K.MUTANT_MIGRATE_WRONG_GETTER) ? e : swp_bits_as_present(e));
  let entry = VM_PAGE_PROT | pfn_bits(f) | (kept & _PAGE_SOFT_DIRTY);
  const keeps = knob(K.MIGRATION_KEEPS_DIRTY);
  if (!keeps || !(offset & SWP_MIG_YOUNG)) entry = pte_mkold(entry);
  if (keeps && offset & SWP_MIG_DIRTY) {
    entry = arch_mkdirty(knob(K.MIGRATION_KEEPS_CLEAN) ? entry | _PAGE_DIRTY : pte_mkdirty(entry));
  }
  if (is_writable_migration_entry(e)) entry = pte_mkwrite(entry);
  else entry = wrprotect_last(entry | (kept & _PAGE_UFFD_WP));
  at(P.REMOVE_MIGRATION_PTE);
  get_page(f);
  page_add_rmap(f, mm);
  if (comes_back_exclusive(e)) SetPageAnonExclusive(f);
  set_pte_at(mm, page, entry);
}
function comes_back_exclusive(e: u64): bool {
  return knob(K.REUSE_EXCLUSIVE) && !is_readable_migration_entry(e) && knob(cell(C.MIG_REMOVE, Column.EXCLUSIVE));
}
function remove_migration_pmd(mm: u32, pmd: u32, e: u64, head: u32): void {
  const offset = swp_offset(e);
  const bits = swp_bits_as_present(e);
  let entry = VM_PAGE_PROT | _PAGE_PSE | pfn_bits(head) | (bits & _PAGE_SOFT_DIRTY);
  const keeps = knob(K.MIGRATION_KEEPS_DIRTY);
  if (!keeps || !(offset & SWP_MIG_YOUNG)) entry = pte_mkold(entry);
  if (keeps && offset & SWP_MIG_DIRTY) {
    entry = arch_mkdirty(knob(K.MIGRATE_PMD_KEEPS_CLEAN) ? entry | _PAGE_DIRTY : pte_mkdirty(entry));
  }
  if (is_writable_migration_entry(e)) entry = pte_mkwrite(entry);
  else entry = wrprotect_last(entry);
  if (bits & _PAGE_UFFD_WP && knob(K.MIGRATE_PMD_CARRIES_WP)) entry = pte_wrprotect(entry | _PAGE_UFFD_WP);
  at(P.REMOVE_MIGRATION_PMD);
  get_page(head);
  page_add_rmap_pmd(head, mm);
  if (comes_back_exclusive(e)) SetPageAnonExclusive(head);
  set_pmd_at(mm, pmd, entry);
}
/** The entries of folio `from` become leaves of folio `to`, which may be the same. */
function remove_migration_ptes(from: u32, to: u32): void {
  const n: u32 = PageCompound(from) ? HPAGE_PMD_NR : 1;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const upper = pmd_at(mm, page >> 2);
      const level = is_swap_pmd(upper);
      const e = level ? upper : pte_at(mm, page);
      if ((!level && upper != _PAGE_TABLE) || !is_migration_entry(e)) continue;
      const nth = migration_entry_pfn(e) - from;
      if (nth >= n) continue;
      if (level) remove_migration_pmd(mm, page >> 2, e, to);
      else remove_migration_pte(mm, page, e, to + nth);
    }
  }
}

// ---- the migration

/** Contents and state go over; the swap cache learns the new page. */
function move_to_new_folio(from: u32, to: u32): void {
  const n: u32 = PageCompound(from) ? HPAGE_PMD_NR : 1;
  for (let i: u32 = 0; i < n; i++) {
    set_page_version(to + i, page_version(from + i));
    set_page_flags(to + i, page_flags(from + i) & ~PG_EXCLUSIVE);
  }
  const slot1 = page_swap(from);
  if (slot1 == 0) return;
  get_page(to);
  store<u8>(SWAP_CACHE + ((slot1 - 1) as usize), to + 1);
  store<u8>(PG_SLOT + (to as usize), slot1);
  store<u8>(PG_SLOT + (from as usize), 0);
  put_page(from);
}
/** Nobody may hold the folio but the migration and the swap cache. */
function folio_migrate_mapping(head: u32): u32 {
  if (page_count(head) != 1 + ((page_swap(head) != 0) as u32) && !knob(K.MUTANT_MIGRATE_IGNORES_REFS)) {
    at(P.MIGRATE_BUSY);
    return NO_PAGE;
  }
  return PageCompound(head) ? alloc_thp() : alloc_page();
}
/**
 * First half: isolates the folio that mm maps at `page` and takes all its mappings away. Returns its head, or NO_PAGE if
 * nothing can be migrated there or some mapping had to stay, which leaves all as they were.
 */
export function migrate_folio_unmap(mm: u32, page: u32): u32 {
  const upper = pmd_at(mm, page >> 2);
  const e = pmd_trans_huge(upper) ? upper : upper == _PAGE_TABLE ? pte_at(mm, page) : 0;
  if (!pte_present(e) || is_special_pfn(pte_pfn(e))) return NO_PAGE;
  const head = compound_head(pte_pfn(e));
  get_page(head);
  set_page_flags(head, page_flags(head) | PG_MIGRATING);
  if (try_to_migrate(head)) return head;
  finish(head, head);
  return NO_PAGE;
}
function finish(head: u32, to: u32): void {
  set_page_flags(head, page_flags(head) & ~PG_MIGRATING);
  remove_migration_ptes(head, to);
  if (to != head) put_page(to);
  put_page(head);
}
/** Second half: moves the folio if nobody holds it and there is room, and maps it again where its entries are. */
export function migrate_folio_move(head: u32): void {
  const to = folio_migrate_mapping(head);
  if (to == NO_PAGE) {
    finish(head, head);
    return;
  }
  at(P.MIGRATE_MOVED);
  set_page_flags(head, page_flags(head) & ~PG_MIGRATING);
  move_to_new_folio(head, to);
  finish(head, to);
}
/** All migrations that are under way come to their end. */
export function migrate_folios_move(): void {
  for (let f: u32 = 0; f < NR_FRAMES; f++) if (page_flags(f) & PG_MIGRATING) migrate_folio_move(f);
}

/** Whoever runs into the entry (or the page's lock) waits for the end of its migration; so that comes now. */
export function migration_entry_wait(e: u64): void {
  migration_wait_on(compound_head(migration_entry_pfn(e)));
}
export function migration_wait_on(head: u32): void {
  if (!(page_flags(head) & PG_MIGRATING)) return;
  at(P.MIGRATION_WAIT);
  migrate_folio_move(head);
}
