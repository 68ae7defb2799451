// Page-table entries in the x86-64 layout (arch/x86/include/asm/pgtable_types.h). Present leaves and non-present
// entries keep uffd-wp, soft-dirty and exclusive at *different* bit positions, as on hardware, so that the wrong
// accessor reads or damages another field.
import { HPAGE_PMD_NR, MM_PMD, MM_PTE, MM_PUD, MM_SIZE, TOUCHED, WORLD } from './layout';
import { traceLeaf, tracing } from '../kernel/trace';

export const _PAGE_PRESENT: u64 = 0x001;
export const _PAGE_RW: u64 = 0x002;
export const _PAGE_USER: u64 = 0x004;
export const _PAGE_ACCESSED: u64 = 0x020;
export const _PAGE_DIRTY: u64 = 0x040;
export const _PAGE_PSE: u64 = 0x080;
/** Shares the global bit; means protnone when the present bit is clear. */
export const _PAGE_PROTNONE: u64 = 0x100;
export const _PAGE_SPECIAL: u64 = 0x200;
export const _PAGE_UFFD_WP: u64 = 0x400;
export const _PAGE_SOFT_DIRTY: u64 = 0x800;
export const _PAGE_NX: u64 = 0x8000000000000000;

export const _PAGE_SWP_SOFT_DIRTY: u64 = 0x002;
export const _PAGE_SWP_UFFD_WP: u64 = 0x004;
export const _PAGE_SWP_EXCLUSIVE: u64 = 0x008;

const PFN_SHIFT: u64 = 12;
const PFN_MASK: u64 = 0x000ffffffffff000;
/** A PMD (PUD) that points to a table of lower entries. */
export const _PAGE_TABLE: u64 = 0x067;

const SWP_OFFSET_SHIFT: u64 = 14;
const SWP_TYPE_SHIFT: u64 = 59;
const SWP_OFFSET_MASK: u64 = 0x1fffffffffff;
export const SWP_TYPE_SWAP: u64 = 1;
export const SWP_TYPE_MARKER: u64 = 31;
/** Three kinds of migration entries: read-only, read-only of an exclusive page (v5.19+), writable. */
export const SWP_TYPE_MIG_READ: u64 = 24;
export const SWP_TYPE_MIG_READ_EXCLUSIVE: u64 = 25;
export const SWP_TYPE_MIG_WRITE: u64 = 26;
/** The offset of a migration entry: the frame, and above it what the leaf said of use and change. */
export const SWP_MIG_YOUNG: u32 = 0x100;
export const SWP_MIG_DIRTY: u32 = 0x200;
const SWP_MIG_FRAME: u32 = 0xff;
export const PTE_MARKER_UFFD_WP: u32 = 1;
export const PTE_MARKER_GUARD: u32 = 4;

// ---- where entries live

// @ts-ignore: decorator
@inline export function mm_at(mm: u32): usize {
  return WORLD + (mm as usize) * MM_SIZE;
}
// @ts-ignore: decorator
@inline export function pte_at(mm: u32, page: u32): u64 {
  return load<u64>(mm_at(mm) + ((page as usize) << 3), MM_PTE);
}
// @ts-ignore: decorator
@inline export function pmd_at(mm: u32, pmd: u32): u64 {
  return load<u64>(mm_at(mm) + ((pmd as usize) << 3), MM_PMD);
}
// @ts-ignore: decorator
@inline export function pud_at(mm: u32): u64 {
  return load<u64>(mm_at(mm), MM_PUD);
}
// @ts-ignore: decorator
@inline function touch(mm: u32, pages: u32): void {
  store<u32>(TOUCHED, load<u32>(TOUCHED) | (pages << (mm << 3)));
}
// @ts-ignore: decorator
@inline export function set_pte_at(mm: u32, page: u32, entry: u64): void {
  store<u64>(mm_at(mm) + ((page as usize) << 3), entry, MM_PTE);
  touch(mm, 1 << page);
  if (tracing) traceLeaf(0, mm, page, entry);
}
// @ts-ignore: decorator
@inline export function set_pmd_at(mm: u32, pmd: u32, entry: u64): void {
  store<u64>(mm_at(mm) + ((pmd as usize) << 3), entry, MM_PMD);
  touch(mm, 0xf << (pmd * HPAGE_PMD_NR));
  if (tracing) traceLeaf(1, mm, pmd, entry);
}
export function set_pud_at(mm: u32, entry: u64): void {
  store<u64>(mm_at(mm), entry, MM_PUD);
  touch(mm, 0xff);
  if (tracing) traceLeaf(2, mm, 0, entry);
}

// ---- present leaves (PTE and PMD share the bits)

// @ts-ignore: decorator
@inline export function pte_present(e: u64): bool {
  return (e & (_PAGE_PRESENT | _PAGE_PROTNONE)) != 0;
}
// @ts-ignore: decorator
@inline export function pte_protnone(e: u64): bool {
  return (e & (_PAGE_PRESENT | _PAGE_PROTNONE)) == _PAGE_PROTNONE;
}
// @ts-ignore: decorator
@inline export function pte_write(e: u64): bool {
  return (e & _PAGE_RW) != 0;
}
// @ts-ignore: decorator
@inline export function pte_dirty(e: u64): bool {
  return (e & _PAGE_DIRTY) != 0;
}
// @ts-ignore: decorator
@inline export function pte_uffd_wp(e: u64): bool {
  return (e & _PAGE_UFFD_WP) != 0;
}
// @ts-ignore: decorator
@inline export function pte_soft_dirty(e: u64): bool {
  return (e & _PAGE_SOFT_DIRTY) != 0;
}
// @ts-ignore: decorator
@inline export function pte_special(e: u64): bool {
  return (e & _PAGE_SPECIAL) != 0;
}
// @ts-ignore: decorator
@inline export function pte_pfn(e: u64): u32 {
  return ((e & PFN_MASK) >> PFN_SHIFT) as u32;
}
// @ts-ignore: decorator
@inline export function pfn_bits(frame: u32): u64 {
  return (frame as u64) << PFN_SHIFT;
}
/** Also sets soft-dirty, as on x86. */
// @ts-ignore: decorator
@inline export function pte_mkdirty(e: u64): u64 {
  return e | (_PAGE_DIRTY | _PAGE_SOFT_DIRTY);
}
// @ts-ignore: decorator
@inline export function pte_mkclean(e: u64): u64 {
  return e & ~_PAGE_DIRTY;
}
// @ts-ignore: decorator
@inline export function pte_mkyoung(e: u64): u64 {
  return e | _PAGE_ACCESSED;
}
// @ts-ignore: decorator
@inline export function pte_mkold(e: u64): u64 {
  return e & ~_PAGE_ACCESSED;
}
// @ts-ignore: decorator
@inline export function pte_mkwrite(e: u64): u64 {
  return e | _PAGE_RW;
}
// @ts-ignore: decorator
@inline export function pte_wrprotect(e: u64): u64 {
  return e & ~_PAGE_RW;
}

// ---- PMD level

// @ts-ignore: decorator
@inline export function pmd_none(e: u64): bool {
  return e == 0;
}
/** A present (or protnone) PMD that maps a huge page. */
// @ts-ignore: decorator
@inline export function pmd_trans_huge(e: u64): bool {
  return (e & _PAGE_PSE) != 0;
}
/** A PMD that is no table and maps nothing: a migration entry of a huge page. */
// @ts-ignore: decorator
@inline export function is_swap_pmd(e: u64): bool {
  return e != 0 && (e & (_PAGE_PRESENT | _PAGE_PSE)) == 0;
}

// ---- non-present entries

// @ts-ignore: decorator
@inline export function swp_entry(type: u64, offset: u32): u64 {
  return (type << SWP_TYPE_SHIFT) | ((~(offset as u64) & SWP_OFFSET_MASK) << SWP_OFFSET_SHIFT);
}
// @ts-ignore: decorator
@inline export function swp_type(e: u64): u64 {
  return e >> SWP_TYPE_SHIFT;
}
// @ts-ignore: decorator
@inline export function swp_offset(e: u64): u32 {
  return (~(e >> SWP_OFFSET_SHIFT) & SWP_OFFSET_MASK) as u32;
}
/** A swap entry proper: not none, not present, not a marker. */
// @ts-ignore: decorator
@inline export function is_swap_pte(e: u64): bool {
  return !pte_present(e) && swp_type(e) == SWP_TYPE_SWAP;
}
// @ts-ignore: decorator
@inline export function is_pte_marker(e: u64): bool {
  return !pte_present(e) && swp_type(e) == SWP_TYPE_MARKER;
}
// @ts-ignore: decorator
@inline export function is_migration_entry(e: u64): bool {
  return !pte_present(e) && swp_type(e) - SWP_TYPE_MIG_READ <= SWP_TYPE_MIG_WRITE - SWP_TYPE_MIG_READ;
}
// @ts-ignore: decorator
@inline export function is_writable_migration_entry(e: u64): bool {
  return swp_type(e) == SWP_TYPE_MIG_WRITE;
}
// @ts-ignore: decorator
@inline export function is_readable_migration_entry(e: u64): bool {
  return swp_type(e) == SWP_TYPE_MIG_READ;
}
/** The same entry as one of another kind. */
// @ts-ignore: decorator
@inline export function migration_entry_as(e: u64, type: u64): u64 {
  return (e & ~((31 as u64) << SWP_TYPE_SHIFT)) | (type << SWP_TYPE_SHIFT);
}
/** The page that a migration entry stands for; of a PMD entry the first one. */
// @ts-ignore: decorator
@inline export function migration_entry_pfn(e: u64): u32 {
  return swp_offset(e) & SWP_MIG_FRAME;
}
// @ts-ignore: decorator
@inline export function make_pte_marker(kind: u32): u64 {
  return swp_entry(SWP_TYPE_MARKER, kind);
}
// @ts-ignore: decorator
@inline export function pte_marker_uffd_wp(e: u64): bool {
  return is_pte_marker(e) && (swp_offset(e) & PTE_MARKER_UFFD_WP) != 0;
}
/** Whatever flags mremap and PAGEMAP_SCAN put beside it. */
// @ts-ignore: decorator
@inline export function is_guard_pte_marker(e: u64): bool {
  return (e & ~(_PAGE_SWP_SOFT_DIRTY | _PAGE_SWP_UFFD_WP)) == make_pte_marker(PTE_MARKER_GUARD);
}
// @ts-ignore: decorator
@inline export function pte_swp_uffd_wp(e: u64): bool {
  return (e & _PAGE_SWP_UFFD_WP) != 0;
}
// @ts-ignore: decorator
@inline export function pte_swp_soft_dirty(e: u64): bool {
  return (e & _PAGE_SWP_SOFT_DIRTY) != 0;
}
// @ts-ignore: decorator
@inline export function pte_swp_exclusive(e: u64): bool {
  return (e & _PAGE_SWP_EXCLUSIVE) != 0;
}
