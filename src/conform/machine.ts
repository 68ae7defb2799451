// What is of the machine and not of the kernel, found by trying: switches of the model for modelSpec.
import type { Catalogue } from '../engine/catalogue.js';
import { RESULT } from '../engine/opword.js';
import { parseProgram } from '../text/parse.js';
import type { Backend, Capability, Observed, PageLayout } from './observed.js';

const TLB = 'tlb.readonly_faults';

/** A stable release is not its first one: what came with time, in the models of those that began without it. */
interface Later {
  readonly needs: readonly Capability[];
  readonly layout: PageLayout;
  readonly program: string;
  /** Did the program end as it does with these switches? */
  readonly shows: (last: Observed) => boolean;
  /** Knobs to turn on, or with "-" off. */
  readonly switches: readonly string[];
}
const LATER: readonly Later[] = [
  {
    // Fixes of July 2026 (6.18.44, 7.2.12).
    needs: ['PAGEMAP_SCAN', 'WP_ASYNC'],
    layout: 'pte',
    program: 'mmap A p0; uffd_reg A p0 WP WP_ASYNC; pagemap_scan A p0',
    shows: ({ outcomes: [scan] }) => scan?.result === RESULT.OK && (scan.value ?? 0) !== 0,
    switches: ['scan.hole_is_written', 'scan.none_is_written'],
  },
  {
    // 75cb1cca2c88 (v6.15, and 6.12.95).
    needs: ['UFFD_MOVE', 'SOFT_DIRTY', 'SWAP'],
    layout: 'pte',
    program: 'mmap A p0..p3; write A p0; uffd_reg A p2 WP; clear_refs A; pageout A p0 madv; uffd_move A p0->p2',
    shows: ({ cells }) => cells[0]?.[2]?.kind === 'swap' && cells[0][2].softDirty === true,
    switches: ['move_present.sets_soft_dirty', 'move_swap.sets_soft_dirty', '-uffd_move.marks_dirty'],
  },
  {
    // 6.18.44 drops the huge page page by page again, and leaves its page table.
    needs: ['THP', 'SWAP', 'KPAGE'],
    layout: 'pmd',
    program: 'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; pageout A p0..p3 madv; write A p0',
    shows: ({ cells }) => cells[0]?.[0]?.kind === 'present' && cells[0][0].huge === false,
    switches: ['-lazyfree.discards_pmd'],
  },
  {
    // f7491d7c81db (6.18.44; not 6.18.15).
    needs: ['THP', 'SWAP', 'KPAGE'],
    layout: 'pmd',
    program: 'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; write A p0; mprotect A p0..p3 R; pageout A p0 madv',
    shows: ({ cells }) => cells[0]?.[0]?.kind === 'present',
    switches: ['-pmd_modify.drops_dirty'],
  },
];

/**
 * A page is read, then made writable without its CPU, then written: does the CPU fault through what it remembers?
 * GUP by way of what the machine has.
 */
const PROBES: readonly (readonly [needs: Capability, program: string])[] = [
  ['IO_URING', 'h=gup A p0 W PIN LONGTERM; write A p0'],
  ['PROCESS_VM', 'h=gup A p0 W PIN; hwrite h; put h; write A p0'],
];
const READ_ONLY = 'mmap A p0; write A p0; fork A->B; munmap B p0; read A p0';
const TIMES = 5;

/** Switches for modelSpec of the machine under `backend`, found by trying. Rejects as it does. */
export async function probeMachine(backend: Backend, catalogue: Catalogue): Promise<string[]> {
  const switches = await probeTlb(backend, catalogue);
  for (const later of LATER) if (await shown(later, backend, catalogue)) switches.push(...later.switches);
  return switches;
}

async function shown(
  { needs, layout, program, shows }: Later,
  backend: Backend,
  catalogue: Catalogue,
): Promise<boolean> {
  if (!needs.every((capability) => backend.can.has(capability))) return false;
  const [run] = await backend.run([parseProgram(program, catalogue.ops)], layout);
  const last = run!.ops.at(-1);
  return last !== undefined && shows(last);
}

async function probeTlb(backend: Backend, catalogue: Catalogue): Promise<string[]> {
  const [, taken] = PROBES.find(([needs]) => backend.can.has(needs)) ?? [];
  if (taken === undefined) return [];
  const words = parseProgram(`${READ_ONLY}; ${taken}`, catalogue.ops);
  const runs = await backend.run(
    Array.from({ length: TIMES }, () => words),
    'pte',
  );
  const stores = runs.map(({ ops }) => ops.at(words.length - 1)?.outcomes[0]);
  const faulted = stores.filter((store) => store?.result === RESULT.OK && (store.faults ?? 0) > 0).length;
  return 2 * faulted > TIMES ? [TLB] : [];
}
