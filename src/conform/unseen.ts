// Why a flipped knob may go unnoticed: what user space cannot do, or what another decision makes up for.
import type { KnobInfo } from '../engine/catalogue.js';
import type { Capability } from './observed.js';

const UNSEEN: readonly (readonly [RegExp, string])[] = [
  [
    /break_cow|break_opt|break_pin|_bc$|bc_p[tmu]|\.bc$/,
    'only patches of 2020 know BREAK_COW; no system call passes it',
  ],
  [/^gup\.unshare_longterm$/, 'no system call takes a long-term pin for reading'],
  [/^gupfast/, 'where fast GUP gives up, the slow path comes to the same end'],
  [/^follow\.cow_needs_force|^follow_pmd\.accepts_cow/, 'FOLL_COW: since v6.0 exclusivity decides instead'],
  [
    /^(?:reuse|reuse_pmd)\.(?:page_count|swapcache_aware|uses_total_mapcount)$/,
    'since v5.19 exclusivity decides instead',
  ],
  [/^reclaim\.skips_pinned$/, 'since v5.19 try_to_unmap refuses exclusive pages that may be pinned anyway'],
  [/^reuse\.never_large$/, 'since v6.18 reuse.large_folio decides before'],
  [/^mutant\.move_(?:forgets_wake|ignores_pins)$/, 'a page that is pinned, or waited for, seldom meets UFFDIO_MOVE'],
  [/^mutant\.unwp_clears_guard$/, 'a guard seldom meets un-protection of its very page'],
  [/^numa\./, 'user space cannot ask for NUMA hints'],
  [
    /mprotect_batch_copies_write/,
    'one call has to make a page of its own and, behind it, a shared one writable, which is rare',
  ],
  [/ksm/, 'ksmd serves the whole machine: programs do not drive it'],
  [/migrat|mkdirty_sets_write/, 'a machine of one node cannot be asked to migrate a page'],
  [
    /^mutant\.(?:missing|fill|async|scan)_|^scan\.|^pagemap\./,
    'no program here registers for missing pages, or asynchronously',
  ],
  [/skip_pte_same|skips_flush|zap_forgets_flush/, 'shows between two threads on two CPUs only'],
  [
    /_reuse\.keeps_wp$|\.event_needs_write$|^copy\.keeps_uffd_wp$/,
    'a write fault on a uffd-wp page ends in an event before',
  ],
  [/^split\.keeps_soft_dirty$/, 'the dirty bit that a split carries makes the PTEs soft-dirty anyway'],
];

/** What a machine may not show. */
const HIDDEN: readonly (readonly [Capability, RegExp, string])[] = [
  [
    'SOFT_DIRTY',
    /soft_dirty|^clear_refs|\.batches$|uffd_merge_leaves|mmap_asks_next/,
    'it is about soft-dirty, which is not tracked here',
  ],
  ['RAW', /dirty|exclusive|keeps_write/, 'dirty bits and PageAnonExclusive are not seen here; guests show them'],
];

/** The reason, in a line; undefined if the flip should be noticed where `can` is what there is. */
export function whyUnseen({ name }: KnobInfo, can: ReadonlySet<Capability>): string | undefined {
  const known = UNSEEN.find(([pattern]) => pattern.test(name))?.[1];
  return known ?? HIDDEN.find(([capability, pattern]) => !can.has(capability) && pattern.test(name))?.[2];
}
