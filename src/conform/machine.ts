// What is of the machine and not of the kernel, found by trying: switches of the model for modelSpec.
import type { Catalogue } from '../engine/catalogue.js';
import { RESULT } from '../engine/opword.js';
import { parseProgram } from '../text/parse.js';
import type { Backend, Capability } from './observed.js';

const TLB = 'tlb.readonly_faults';
/** Fixes of July 2026, which stable releases have as well: what their first releases did not report. */
const SCAN_FIXES = ['scan.hole_is_written', 'scan.none_is_written'];
const EMPTY = 'mmap A p0; uffd_reg A p0 WP WP_ASYNC; pagemap_scan A p0';

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

/** Switches of the machine under `backend`, found by trying. Rejects as it does. */
export async function probeMachine(backend: Backend, catalogue: Catalogue): Promise<string[]> {
  return [...(await probeTlb(backend, catalogue)), ...(await probeScan(backend, catalogue))];
}

async function probeScan(backend: Backend, catalogue: Catalogue): Promise<string[]> {
  if (!backend.can.has('PAGEMAP_SCAN') || !backend.can.has('WP_ASYNC')) return [];
  const [run] = await backend.run([parseProgram(EMPTY, catalogue.ops)], 'pte');
  const scan = run!.ops.at(2)?.outcomes[0];
  return scan?.result === RESULT.OK && (scan.value ?? 0) !== 0 ? SCAN_FIXES : [];
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
