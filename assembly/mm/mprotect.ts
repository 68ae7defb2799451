// change_protection (mm/mprotect.c): mprotect, NUMA hints and uffd write-protect share it.
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { HPAGE_PMD_NR, NR_PMDS } from './layout';
import { compound_head, is_special_pfn, page_count, page_mapcount, PageAnonExclusive, PageCompound, PageKsm } from './page';
import {
  is_guard_pte_marker, is_migration_entry, is_pte_marker, is_swap_pmd, make_pte_marker, pfn_bits, pmd_at, pmd_none,
  pmd_trans_huge, pte_at,
  pte_dirty, pte_mkdirty, pte_mkwrite, pte_mkyoung, pte_pfn, pte_present, pte_protnone, pte_soft_dirty, pte_uffd_wp, pte_write,
  pte_wrprotect, PTE_MARKER_UFFD_WP, set_pmd_at, set_pte_at, _PAGE_ACCESSED, _PAGE_DIRTY, _PAGE_PRESENT, _PAGE_PROTNONE, _PAGE_RW,
  _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP, _PAGE_USER,
} from './pgtable';
import { __split_huge_pmd } from './huge_memory';
import { migration_entry_wrprotect } from './migrate';
import { vma_modify_protection } from './mmap';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import {
  mm_uffd, pages_with, UFFD_WP_UNPOPULATED, vm_flags, VM_SOFTDIRTY, VM_UFFD_WP, VM_WRITE, vma_starts,
} from './vma';

export const CP_MPROTECT: u32 = 0;
export const CP_PROT_NUMA: u32 = 1;
export const CP_UFFD_WP: u32 = 2;
export const CP_UFFD_WP_RESOLVE: u32 = 3;

/** May the present, accessible leaf `e` of a private VMA get the write bit without a fault? PTE and PMD alike. */
export function can_change_pte_writable(vma: u32, e: u64): bool {
  if (!(vma & VM_WRITE) || pte_protnone(e)) return false;
  if (knob(K.UPGRADE_NEEDS_DIRTY) && !pte_dirty(e)) return false;
  const tracking = knob(K.UPGRADE_HONOURS_SOFT_DIRTY) ? !(vma & VM_SOFTDIRTY) : (vma & VM_SOFTDIRTY) != 0;
  if (tracking && !pte_soft_dirty(e)) return false;
  if (vma & VM_UFFD_WP && pte_uffd_wp(e)) return false;
  const f = pte_pfn(e);
  return !is_special_pfn(f) && PageAnonExclusive(f);
}

/** A protnone leaf, PTE or PMD, made accessible by a NUMA fault: write comes back if it was saved or can be proved. */
export function numa_restore(vma: u32, e: u64): u64 {
  const entry = pte_mkyoung((e & ~(_PAGE_PROTNONE | _PAGE_RW)) | _PAGE_PRESENT | _PAGE_USER);
  const saved = knob(K.NUMA_SAVES_WRITE) && pte_write(e);
  return saved || (knob(K.NUMA_UPGRADES_WRITE) && can_change_pte_writable(vma, entry)) ? pte_mkwrite(entry) : entry;
}

/** What pmd_modify keeps of a huge PMD; the dirty bit of a read-only one is in another place. */
// @ts-ignore: decorator
@inline export function pmd_modified(e: u64): u64 {
  return knob(K.PMD_MODIFY_DROPS_DIRTY) && pte_write(e) ? e & ~_PAGE_DIRTY : e;
}
/** Do two neighbours of one large folio differ in nothing but what the CPU notes in them? */
// @ts-ignore: decorator
@inline function batch_goes_on(e: u64, next: u64): bool {
  return pte_present(next) && (((e + pfn_bits(1)) ^ next) & ~(_PAGE_ACCESSED | _PAGE_DIRTY)) == 0;
}
/**
 * PTEs of a large folio are changed in batches, and what the CPU has noted in one of them all get: the bits for each of
 * the four pages, one byte each.
 */
function batch_bits(mm: u32, pmd: u32, part: u32): u32 {
  const starts = vma_starts(mm) >> (pmd << 2);
  let all: u32 = 0;
  for (let i: u32 = 0; i < HPAGE_PMD_NR; ) {
    const first = i++;
    let e = pte_at(mm, (pmd << 2) + first);
    if (!((part >> first) & 1) || !pte_present(e) || is_special_pfn(pte_pfn(e)) || !PageCompound(pte_pfn(e))) continue;
    const head = compound_head(pte_pfn(e));
    let noted = e;
    for (; i < HPAGE_PMD_NR && ((part & ~starts) >> i) & 1; i++) {
      const next = pte_at(mm, (pmd << 2) + i);
      if (!batch_goes_on(e, next) || compound_head(pte_pfn(next)) != head) break;
      noted |= next;
      e = next;
    }
    const bits = (noted as u32) & ((_PAGE_ACCESSED | _PAGE_DIRTY) as u32);
    for (let k = first; k < i; k++) all |= bits << (k << 3);
  }
  return all;
}
/** The entry with the bits of its batch; a dirty one is soft-dirty too. */
// @ts-ignore: decorator
@inline function batched(e: u64, bits: u32): u64 {
  const young = e | ((bits as u64) & _PAGE_ACCESSED);
  return bits & (_PAGE_DIRTY as u32) ? pte_mkdirty(young) : young;
}
/** New value of a present leaf. */
function change_present(mode: u32, vma: u32, e: u64, huge: bool): u64 {
  let entry = (e & ~(_PAGE_PROTNONE | _PAGE_RW)) | _PAGE_PRESENT | _PAGE_USER;
  if (mode == CP_PROT_NUMA) {
    entry = (e & ~(_PAGE_PRESENT | _PAGE_USER | _PAGE_RW)) | _PAGE_PROTNONE;
    return knob(K.NUMA_SAVES_WRITE) && pte_write(e) ? pte_mkwrite(entry) : entry;
  }
  if (mode == CP_UFFD_WP) {
    entry |= _PAGE_UFFD_WP;
    return knob(K.MUTANT_WP_KEEPS_WRITE) && pte_write(e) ? pte_mkwrite(entry) : pte_wrprotect(entry);
  }
  if (mode == CP_MPROTECT && pte_write(e) && knob(K.MUTANT_MPROTECT_KEEPS_WRITE)) return e;
  let upgrade = knob(K.MPROTECT_UPGRADES_WRITE);
  if (mode == CP_UFFD_WP_RESOLVE) {
    entry &= ~_PAGE_UFFD_WP;
    upgrade = knob(K.UNWP_UPGRADES_WRITE);
  }
  if (upgrade && (!huge || knob(K.UPGRADE_PMD)) && can_change_pte_writable(vma, entry)) {
    at(P.UPGRADE_WRITE);
    entry = pte_mkwrite(entry);
  }
  return entry;
}

/** NUMA hinting leaves alone what it would only disturb. */
function numa_skips_pte(e: u64): bool {
  if (pte_protnone(e)) return true;
  const f = pte_pfn(e);
  if (is_special_pfn(f) || PageKsm(f)) return true;
  return knob(K.NUMA_SKIPS_BY_COUNT) ? page_count(f) != 1 : page_mapcount(f) != 1;
}

/** Software bits need no flush. (Before v6.0 there was one all the same, which no store could tell.) */
// @ts-ignore: decorator
@inline function pte_needs_flush(old: u64, entry: u64): bool {
  return ((old ^ entry) & (_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_PROTNONE)) != 0;
}
/** uffd-wp of a non-present entry, which cares for nothing else. */
function change_swap_bits(mode: u32, e: u64): u64 {
  if (mode == CP_UFFD_WP) return e | _PAGE_SWP_UFFD_WP;
  return mode == CP_UFFD_WP_RESOLVE ? e & ~_PAGE_SWP_UFFD_WP : e;
}
function change_pte(mm: u32, page: u32, mode: u32, bits: u32): void {
  const e = pte_at(mm, page);
  const vma = vm_flags(mm, page);
  if (e == 0) {
    if (mode == CP_UFFD_WP && mm_uffd(mm) & UFFD_WP_UNPOPULATED && !knob(K.MUTANT_WP_NO_MARKER)) {
      at(P.WP_INSTALLS_MARKER);
      set_pte_at(mm, page, make_pte_marker(PTE_MARKER_UFFD_WP));
    }
    return;
  }
  if (pte_present(e)) {
    if (mode == CP_PROT_NUMA && numa_skips_pte(e)) return;
    at(P.CHANGE_PRESENT);
    const entry = change_present(mode, vma, batched(e, bits), false);
    if (entry != e) {
      set_pte_at(mm, page, entry);
      if (pte_needs_flush(e, entry)) flush_tlb_page(mm, page);
    }
    return;
  }
  if (is_pte_marker(e)) {
    if (is_guard_pte_marker(e) && !knob(K.MUTANT_UNWP_CLEARS_GUARD)) return;
    if (mode == CP_UFFD_WP_RESOLVE) set_pte_at(mm, page, 0);
    return;
  }
  if (is_migration_entry(e)) {
    const entry = change_swap_bits(mode, migration_entry_wrprotect(e));
    if (entry != e) set_pte_at(mm, page, entry);
    return;
  }
  if (mode == CP_UFFD_WP && !knob(K.MUTANT_WP_SKIPS_SWAP)) {
    at(P.WP_SWAP_ENTRY);
    set_pte_at(mm, page, e | (knob(K.MUTANT_WP_WRONG_DECODER) ? _PAGE_UFFD_WP : _PAGE_SWP_UFFD_WP));
  } else if (mode == CP_UFFD_WP_RESOLVE) set_pte_at(mm, page, e & ~_PAGE_SWP_UFFD_WP);
}

function change_pmd_migration(mm: u32, pmd: u32, mode: u32, e: u64): void {
  let entry = migration_entry_wrprotect(e);
  if (entry != e && !knob(K.MIGRATE_PMD_CARRIES_WP)) entry &= ~_PAGE_SWP_UFFD_WP;
  if (knob(K.MIGRATE_PMD_WP)) entry = change_swap_bits(mode, entry);
  if (entry != e) set_pmd_at(mm, pmd, entry);
}
function change_huge_pmd(mm: u32, pmd: u32, mode: u32, e: u64): void {
  if (is_swap_pmd(e)) {
    change_pmd_migration(mm, pmd, mode, e);
    return;
  }
  if (mode == CP_PROT_NUMA && (pte_protnone(e) || is_special_pfn(pte_pfn(e)))) return;
  at(P.CHANGE_HUGE_PMD);
  const entry = change_present(mode, vm_flags(mm, pmd << 2), pmd_modified(e), true);
  if (entry != e) {
    set_pmd_at(mm, pmd, entry);
  }
  flush_pmd_tlb_range(mm, pmd);
}

/** The mutant of a batch: what the first entry may do, the others may. */
function copy_write_bit(mm: u32, pmd: u32, part: u32): void {
  const first = pte_at(mm, (pmd << 2) + ctz(part));
  if (!pte_present(first) || !pte_write(first)) return;
  for (let rest = part & (part - 1); rest != 0; rest &= rest - 1) {
    const page = (pmd << 2) + ctz(rest);
    const e = pte_at(mm, page);
    if (pte_present(e) && !is_special_pfn(pte_pfn(e))) set_pte_at(mm, page, pte_mkwrite(e));
  }
}
/** Applies `mode` to the pages of `mask`; a huge leaf only partly covered is split first. */
export function change_protection(mm: u32, mask: u32, mode: u32): void {
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    const part = (mask >> (pmd << 2)) & 0xf;
    if (part == 0) continue;
    let e = pmd_at(mm, pmd);
    if (pmd_none(e)) {
      // change_pmd_prepare: markers need a page table.
      if (mode != CP_UFFD_WP || !(mm_uffd(mm) & UFFD_WP_UNPOPULATED)) continue;
      set_pmd_at(mm, pmd, _PAGE_TABLE);
    } else if (pmd_trans_huge(e) || is_swap_pmd(e)) {
      if (part == 0xf) {
        change_huge_pmd(mm, pmd, mode, e);
        continue;
      }
      __split_huge_pmd(mm, pmd);
    }
    const bits = knob(K.CHANGE_PTE_BATCHES) ? batch_bits(mm, pmd, part) : 0;
    for (let rest = part; rest != 0; rest &= rest - 1) change_pte(mm, (pmd << 2) + ctz(rest), mode, (bits >> (ctz(rest) << 3)) & 0xff);
    if (mode == CP_MPROTECT && knob(K.MUTANT_MPROTECT_BATCH_COPIES_WRITE)) copy_write_bit(mm, pmd, part);
  }
}

/** mprotect to RW (write) or R: returns without effect on pages that have that protection already. */
export function mprotect_fixup(mm: u32, mask: u32, write: bool): void {
  const changed = write ? pages_with(mm, mask, 0, VM_WRITE) : pages_with(mm, mask, VM_WRITE, 0);
  if (changed == 0) return;
  at(write ? P.MPROTECT_RW : P.MPROTECT_R);
  vma_modify_protection(mm, changed, write);
  change_protection(mm, changed, CP_MPROTECT);
}
