// The module describes itself: TypeScript has no list of names of its own.
import * as L from '../mm/layout';
import * as PG from '../mm/page';
import * as PT from '../mm/pgtable';
import * as T from '../mm/tlb';
import * as V from '../mm/vma';
import { opRow, Op } from '../ops/table';
import { I, invariantRow } from '../oracle/invariants';
import { counterRow, N } from './counters';
import { kernelRow, Kernel } from './kernels';
import { knobRow } from './knob-rows';
import { END_OF_KNOBS, FIRST_CELL } from './knobs';
import { P, pointRow } from './points';
import { cellRow, END_OF_CELLS } from './tables';

/** Sections of describe(): 0 ops, 1 knobs, 2 kernels, 3 invariants, 4 points, 5 counters, 6 layout constants. */
export function describe_count(section: u32): u32 {
  switch (section) {
    case 0: return Op.COUNT;
    case 1: return END_OF_KNOBS;
    case 2: return Kernel.COUNT;
    case 3: return I.COUNT;
    case 4: return P.COUNT;
    case 5: return N.COUNT;
    case 6: return LAYOUT_COUNT;
  }
  return 0;
}
/** Row `index` of a section, fields separated by tabs (see the tables' *Row functions); "" where the id is unused. */
export function describe(section: u32, index: u32): string {
  switch (section) {
    case 0: return opRow(index);
    case 1: return index >= FIRST_CELL && index < END_OF_CELLS ? cellRow(index) : knobRow(index);
    case 2: return kernelRow(index);
    case 3: return invariantRow(index);
    case 4: return pointRow(index);
    case 5: return counterRow(index);
    case 6: return layoutRow(index);
  }
  return "";
}

const LAYOUT_COUNT: u32 = 104;
function row(name: string, value: u64): string {
  return name + "\t" + value.toString();
}
function layoutRow(index: u32): string {
  switch (index) {
    case 0: return row("NR_MMS", L.NR_MMS);
    case 1: return row("NR_PAGES", L.NR_PAGES);
    case 2: return row("NR_PMDS", L.NR_PMDS);
    case 3: return row("HPAGE_PMD_NR", L.HPAGE_PMD_NR);
    case 4: return row("NR_FRAMES", L.NR_FRAMES);
    case 5: return row("NR_SLOTS", L.NR_SLOTS);
    case 6: return row("NR_HANDLES", L.NR_HANDLES);
    case 7: return row("NR_SLEEPERS", L.NR_SLEEPERS);
    case 8: return row("NR_CPUS", L.NR_CPUS);
    case 9: return row("MAX_OPS", L.MAX_OPS);
    case 10: return row("KVEC", L.KVEC);
    case 11: return row("COUNTERS", L.COUNTERS);
    case 12: return row("VIOLATION", L.VIOLATION);
    case 13: return row("SCRATCH", L.SCRATCH);
    case 14: return row("OBS", L.OBS);
    case 15: return row("OBS_COUNT", L.OBS_COUNT);
    case 16: return row("OP_RESULT", L.OP_RESULT);
    case 17: return row("WORLD", L.WORLD);
    case 18: return row("WORLD_SIZE", L.WORLD_SIZE);
    case 19: return row("MM_SIZE", L.MM_SIZE);
    case 20: return row("MM_PTE", L.MM_PTE);
    case 21: return row("MM_PMD", L.MM_PMD);
    case 22: return row("MM_PUD", L.MM_PUD);
    case 23: return row("MM_VMA", L.MM_VMA);
    case 24: return row("MM_ALIVE", L.MM_ALIVE);
    case 25: return row("MM_GEN", L.MM_GEN);
    case 26: return row("MM_HAS_PINNED", L.MM_HAS_PINNED);
    case 27: return row("MM_UFFD", L.MM_UFFD);
    case 28: return row("PG_REFS", L.PG_REFS);
    case 29: return row("PG_MAPCOUNT", L.PG_MAPCOUNT);
    case 30: return row("PG_ENTIRE", L.PG_ENTIRE);
    case 31: return row("PG_PINS", L.PG_PINS);
    case 32: return row("PG_FLAGS", L.PG_FLAGS);
    case 33: return row("PG_VERSION", L.PG_VERSION);
    case 34: return row("PG_SLOT", L.PG_SLOT);
    case 35: return row("SWAP_COUNT", L.SWAP_COUNT);
    case 36: return row("SWAP_CACHE", L.SWAP_CACHE);
    case 37: return row("SWAP_VERSION", L.SWAP_VERSION);
    case 38: return row("TLB", L.TLB);
    case 39: return row("TLB_CPU_SIZE", L.TLB_CPU_SIZE);
    case 40: return row("HANDLES", L.HANDLES);
    case 41: return row("HANDLE_SIZE", L.HANDLE_SIZE);
    case 42: return row("SLEEPERS", L.SLEEPERS);
    case 43: return row("SLEEPER_SIZE", L.SLEEPER_SIZE);
    case 44: return row("FREE_MASK", L.FREE_MASK);
    case 45: return row("PAGE_BUGS", L.PAGE_BUGS);
    case 46: return row("REFERENCE", L.REFERENCE);
    case 47: return row("REFERENCE_SIZE", L.REFERENCE_SIZE);
    case 48: return row("PROGRAM", L.PROGRAM);
    case 49: return row("RESULTS", L.RESULTS);
    case 50: return row("COVERAGE", L.COVERAGE);
    case 51: return row("COVERAGE_SIZE", L.COVERAGE_SIZE);
    case 52: return row("STATES", L.STATES);
    case 53: return row("STATES_SIZE", L.STATES_SIZE);
    case 54: return row("TRACE", L.TRACE);
    case 55: return row("TRACE_MAX", L.TRACE_MAX);
    case 56: return row("FUZZ_AREA", L.FUZZ_AREA);
    case 57: return row("_PAGE_PRESENT", PT._PAGE_PRESENT);
    case 58: return row("_PAGE_RW", PT._PAGE_RW);
    case 59: return row("_PAGE_ACCESSED", PT._PAGE_ACCESSED);
    case 60: return row("_PAGE_DIRTY", PT._PAGE_DIRTY);
    case 61: return row("_PAGE_PSE", PT._PAGE_PSE);
    case 62: return row("_PAGE_PROTNONE", PT._PAGE_PROTNONE);
    case 63: return row("_PAGE_SPECIAL", PT._PAGE_SPECIAL);
    case 64: return row("_PAGE_UFFD_WP", PT._PAGE_UFFD_WP);
    case 65: return row("_PAGE_SOFT_DIRTY", PT._PAGE_SOFT_DIRTY);
    case 66: return row("_PAGE_SWP_SOFT_DIRTY", PT._PAGE_SWP_SOFT_DIRTY);
    case 67: return row("_PAGE_SWP_UFFD_WP", PT._PAGE_SWP_UFFD_WP);
    case 68: return row("_PAGE_SWP_EXCLUSIVE", PT._PAGE_SWP_EXCLUSIVE);
    case 69: return row("SWP_TYPE_MARKER", PT.SWP_TYPE_MARKER);
    case 70: return row("PTE_MARKER_UFFD_WP", PT.PTE_MARKER_UFFD_WP);
    case 71: return row("VM_READ", V.VM_READ);
    case 72: return row("VM_WRITE", V.VM_WRITE);
    case 73: return row("VM_UFFD_WP", V.VM_UFFD_WP);
    case 74: return row("VM_HUGEPAGE", V.VM_HUGEPAGE);
    case 75: return row("VM_SOFTDIRTY", V.VM_SOFTDIRTY);
    case 76: return row("VM_DAX", V.VM_DAX);
    case 77: return row("UFFD_OPEN", V.UFFD_OPEN);
    case 78: return row("UFFD_EVENT_FORK", V.UFFD_EVENT_FORK);
    case 79: return row("UFFD_WP_UNPOPULATED", V.UFFD_WP_UNPOPULATED);
    case 80: return row("PG_ANON", PG.PG_ANON);
    case 81: return row("PG_EXCLUSIVE", PG.PG_EXCLUSIVE);
    case 82: return row("PG_DIRTY", PG.PG_DIRTY);
    case 83: return row("PG_COMPOUND", PG.PG_COMPOUND);
    case 84: return row("ZERO_PFN", PG.ZERO_PFN);
    case 85: return row("DAX_PFN", PG.DAX_PFN);
    case 86: return row("HUGE_ZERO_PFN", PG.HUGE_ZERO_PFN);
    case 87: return row("TLB_VALID", T.TLB_VALID);
    case 88: return row("TLB_WRITE", T.TLB_WRITE);
    case 89: return row("TLB_FRAME", T.TLB_FRAME);
    case 90: return row("FAULTS_TAKEN", L.FAULTS_TAKEN);
    case 91: return row("KVEC_SIZE", L.KVEC_SIZE);
    case 92: return row("PG_LAZYFREE", PG.PG_LAZYFREE);
    case 93: return row("SWP_TYPE_MIG_READ", PT.SWP_TYPE_MIG_READ);
    case 94: return row("SWP_TYPE_MIG_WRITE", PT.SWP_TYPE_MIG_WRITE);
    case 95: return row("PG_MIGRATING", PG.PG_MIGRATING);
    case 96: return row("SWP_MIG_YOUNG", PT.SWP_MIG_YOUNG);
    case 97: return row("SWP_MIG_DIRTY", PT.SWP_MIG_DIRTY);
    case 98: return row("_PAGE_TABLE", PT._PAGE_TABLE);
    case 99: return row("VM_UFFD_MISSING", V.VM_UFFD_MISSING);
    case 100: return row("UFFD_WP_ASYNC", V.UFFD_WP_ASYNC);
    case 101: return row("UFFD_EVENT_REMOVE", V.UFFD_EVENT_REMOVE);
    case 102: return row("UFFD_EVENT_UNMAP", V.UFFD_EVENT_UNMAP);
    case 103: return row("PTE_MARKER_GUARD", PT.PTE_MARKER_GUARD);
  }
  return "";
}
