// The bug corpus as a benchmark: each flaw as the kernel that has it, the shortest program the corpus gives for it, and
// the knobs that cure it. Ids, names and promises are the corpus's.
import type { KernelSpec } from '../engine/types.js';
import { MOVES } from './corpus-moves.js';
import { BY_RMAP } from './corpus-rmap.js';
import { type CorpusEntry, type Fix, kernel, turnOff, turnOn } from './entry.js';

export type { CorpusEntry, Fix };

function apply(spec: KernelSpec, fix: Fix): KernelSpec {
  const both = (a: readonly string[], b: readonly string[], gone: readonly string[]) =>
    [...new Set([...a, ...b])].filter((knob) => !gone.includes(knob));
  return {
    kernel: spec.kernel,
    with: both(spec.with, fix.with, fix.without),
    without: both(spec.without, fix.without, fix.with),
  };
}

/** The kernel of an entry with its flaw cured. */
export function fixedSpec({ spec, fix }: Pick<CorpusEntry, 'spec' | 'fix'>): KernelSpec {
  return apply(spec, fix);
}

/** The kernel of an entry with its fix but for the decisive knob; undefined if the fix is that knob, or a set of twins. */
export function nearlyFixedSpec({ spec, fix, decisive }: CorpusEntry): KernelSpec | undefined {
  if (decisive === undefined) return undefined;
  const rest = (knobs: readonly string[]) => knobs.filter((knob) => knob !== decisive);
  return apply(spec, { with: rest(fix.with), without: rest(fix.without) });
}

const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
const WRONG_SIDE_THP = 'mmap A thp; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0..p3; write A p0; hread h';
const LOOKUP_HONOURS_BC = ['follow_pte.checks_bc', 'follow_pmd.checks_bc'];
const FOLLOWUP_LOOPS =
  'The follow-up to v3 cannot take a uffd-wp page at all: its lookup wants the write bit, which uffd-wp forbids.';

export const CORPUS: readonly CorpusEntry[] = [
  {
    id: 'T1-01',
    name: 'gup-wrong-side-cow',
    spec: kernel('v5.7'),
    slugs: ['cow-leak'],
    trigger: WRONG_SIDE,
    triggerLength: 7,
    fix: turnOn('reuse.page_count'),
    note: 'CVE-2020-29374. Cured by 09854ba94c6a (v5.9) after the detour of v5.8.',
  },
  {
    id: 'T1-02',
    name: 'forced-write-gup-uffd-hang',
    spec: kernel('v5.8'),
    slugs: ['wp-event-on-read', 'no-progress'],
    trigger: 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET',
    triggerLength: 5,
    fix: turnOff('gup.as_write'),
    note: 'What the seed mail is about; solved in the end by reverting 17839856fd58.',
  },
  {
    id: 'T1-03',
    name: 'bc1-flag-not-plumbed',
    spec: kernel('break-cow-v1'),
    slugs: ['cow-leak'],
    trigger: WRONG_SIDE,
    triggerLength: 7,
    fix: turnOn('gup.faultin_passes_bc', ...LOOKUP_HONOURS_BC),
    decisive: 'gup.faultin_passes_bc',
    note: 'The flag must be passed on and the lookup must ask for it (T1-08): either alone leaves the hole open.',
  },
  {
    id: 'T1-04',
    name: 'bc2-pte-copy-drops-wp',
    spec: kernel('break-cow-v2'),
    slugs: ['wp-lost', 'wp-silent-write'],
    trigger: 'mmap A p0; write A p0; fork A->B; uffd_reg A p0 WP; wp A p0; pageout A p0; gup A p0 R GET; write A p0',
    triggerLength: 8,
    fix: turnOn('copy.keeps_uffd_wp'),
    note: 'Hunk of the seed mail in wp_page_copy.',
  },
  {
    id: 'T1-05a',
    name: 'bc2-thp-not-broken',
    spec: kernel('break-cow-v2'),
    slugs: ['cow-leak'],
    trigger: WRONG_SIDE_THP,
    triggerLength: 7,
    fix: turnOn('fault.bc_pmd', ...LOOKUP_HONOURS_BC),
    decisive: 'fault.bc_pmd',
    note: 'As posted: the THP is not broken, and the lookup does not mind.',
  },
  {
    id: 'T1-05b',
    name: 'bc2-thp-not-broken',
    spec: kernel('break-cow-v2', LOOKUP_HONOURS_BC),
    slugs: ['no-progress'],
    trigger: WRONG_SIDE_THP,
    triggerLength: 7,
    fix: turnOn('fault.bc_pmd'),
    note: 'With the lookup of the follow-up: the handler breaks nothing, the lookup insists.',
  },
  {
    id: 'T1-06',
    name: 'bc2-thp-event-on-read',
    spec: kernel('break-cow-v3-followup', [], ['wp_pmd.event_needs_write']),
    slugs: ['wp-event-on-read'],
    trigger: 'mmap A thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3; gup A p0 R GET',
    triggerLength: 5,
    fix: turnOn('wp_pmd.event_needs_write'),
    leaves: ['no-progress'],
    note: `Hunk of the seed mail in wp_huge_pmd. ${FOLLOWUP_LOOPS}`,
  },
  {
    id: 'T1-07',
    name: 'bc2-thp-reuse-drops-wp',
    spec: kernel('break-cow-v3-followup', [], ['wp_pmd_reuse.keeps_wp']),
    slugs: ['wp-writable', 'wp-silent-write'],
    trigger: 'mmap A thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3; gup A p0 R GET; write A p0',
    triggerLength: 6,
    fix: turnOn('wp_pmd_reuse.keeps_wp'),
    leaves: ['no-progress'],
    note: `Hunk of the seed mail in do_huge_pmd_wp_page. ${FOLLOWUP_LOOPS}`,
  },
  {
    id: 'T1-08',
    name: 'bc3-follow-page-ignores-flag',
    spec: kernel('seed'),
    slugs: ['cow-leak'],
    trigger: WRONG_SIDE,
    triggerLength: 7,
    fix: turnOn(...LOOKUP_HONOURS_BC),
    note: 'Jann Horn on v3, 11 Aug 2020; the seed mail has it too.',
  },
  {
    id: 'T1-11',
    name: 'thp-wrong-side-cow-5.9',
    spec: kernel('v5.14'),
    slugs: ['cow-leak'],
    trigger: WRONG_SIDE_THP,
    triggerLength: 7,
    fix: turnOn('reuse_pmd.page_count'),
    note: 'Open from v5.9 to v5.17; 3bff7e3f1f16 (v5.18).',
  },
  {
    id: 'T1-12',
    name: 'pagecount-cow-detaches-pin',
    spec: kernel('v5.9', [], ['fork.early_copy_pinned']),
    slugs: ['pin-detached', 'cow-leak'],
    trigger: 'mmap A p0; write A p0; h=gup A p0 W PIN; fork A->B; write A p0 5; hwrite h 7; read A p0',
    triggerLength: 7,
    fix: turnOn('fork.early_copy_pinned'),
    note: '09854ba94c6a without 70e806e4e645, as in v5.9-rc.',
  },
  {
    id: 'T1-13',
    name: 'thp-fork-after-pin',
    spec: kernel('v5.9', [], ['fork.split_pinned_pmd']),
    slugs: ['pin-detached', 'cow-leak'],
    trigger: 'mmap A thp; write A p0; h=gup A p0 W PIN; fork A->B; write A p0 5; hwrite h 7; read A p0',
    triggerLength: 7,
    fix: turnOn('fork.split_pinned_pmd'),
    note: 'The PMD twin of T1-12: d042035eaf5f (v5.9).',
  },
  {
    id: 'T1-14',
    name: 'ro-pin-diverges',
    spec: kernel('v5.18'),
    slugs: ['pin-detached'],
    trigger: 'mmap A p0; write A p0 1; fork A->B; h=gup A p0 R PIN; write A p0 2; hread h',
    triggerLength: 6,
    fix: turnOn('gup.unshare', 'reuse.exclusive', 'reuse_pmd.exclusive', 'split.keeps_exclusive'),
    decisive: 'gup.unshare',
    note: 'The whole class of flaws that PageAnonExclusive and unshare faults end in v5.19.',
  },
  {
    id: 'T1-15',
    name: 'ro-longterm-pin-not-private',
    spec: kernel('v6.1'),
    slugs: ['pin-detached'],
    trigger: 'mmap A p0; read A p0; h=gup A p0 R PIN LONGTERM; write A p0 1; hread h',
    triggerLength: 5,
    fix: turnOn('gup.unshare_longterm'),
    note: '84209e87c696 (v6.2). A short-term pin may stay with the zero page.',
  },
  {
    id: 'T1-16',
    name: 'fork-child-stale-wp',
    spec: kernel('v5.12'),
    slugs: ['wp-stray', 'wp-writable'],
    trigger: 'mmap A p0; uffd_reg A p0 WP; write A p0; wp A p0; fork A->B; exit A; write B p0',
    triggerLength: 7,
    fix: turnOn('fork.wp_by_child_vma'),
    note: '8f34f1eac382 (v5.14).',
  },
  {
    id: 'T1-18',
    name: 'thp-foll-force-livelock',
    spec: kernel('v5.7', [], ['follow_pmd.accepts_cow']),
    slugs: ['no-progress'],
    trigger: 'mmap A thp; write A p0; mprotect A p0..p3 R; gup A p0 W GET FORCE',
    triggerLength: 4,
    fix: turnOn('follow_pmd.accepts_cow'),
    note: 'v4.9, between 19be0eaffa3a and 8310d48b125d.',
  },
  {
    id: 'T1-19a',
    name: 'fast-gup-not-covered',
    spec: kernel('v5.8', [], ['gupfast.read_needs_write']),
    slugs: ['cow-leak'],
    trigger: 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET fast; munmap B p0; write A p0; hread h',
    triggerLength: 7,
    fix: turnOn('gupfast.read_needs_write'),
    note: 'Stable backports of 17839856fd58: an architecture with a GUP-fast of its own.',
  },
  {
    id: 'T1-19b',
    name: 'fast-gup-not-covered',
    spec: kernel('v5.9', ['gupfast_only.read_needs_write']),
    slugs: ['fast-only-refused'],
    trigger: 'mmap A p0; write A p0; fork A->B; gup A p0 R GET fast-only',
    triggerLength: 4,
    fix: turnOff('gupfast_only.read_needs_write'),
    note: 'The opposite error of the same backports: fast-only has no slow path to fall back to.',
  },
  {
    id: 'T2-01',
    name: 'swapoff-lost-bits',
    spec: kernel('v5.18'),
    slugs: ['wp-lost', 'wp-silent-write', 'softdirty-lost'],
    trigger: 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0; swapoff; write A p0',
    triggerLength: 7,
    fix: turnOn('unuse.keeps_uffd_wp', 'unuse.keeps_soft_dirty'),
    note: '14a762dd1977 (v5.19).',
  },
  {
    id: 'T2-02',
    name: 'clear-refs-breaks-pin',
    spec: kernel('v5.12', [], ['clear_refs.skips_pinned']),
    slugs: ['pin-detached'],
    trigger: 'mmap A p0; write A p0; h=gup A p0 W PIN; clear_refs A; write A p0 5; hwrite h 7; read A p0',
    triggerLength: 7,
    fix: turnOn('clear_refs.skips_pinned'),
    note: '9348b73c2e1b (v5.11).',
  },
  {
    id: 'T2-03',
    name: 'pinned-page-into-swapcache',
    spec: kernel('v5.12', [], ['reclaim.skips_pinned']),
    slugs: ['pin-detached', 'data-lost'],
    trigger: 'mmap A p0; write A p0; h=gup A p0 W PIN; pageout A p0; read A p0; write A p0 5; hwrite h 7; read A p0',
    triggerLength: 7,
    addedOps: 1,
    fix: turnOn('reclaim.skips_pinned'),
    note: 'feb889fb40fa (v5.11). Until v5.17 a store that swaps in reuses the page, so a read must map it read-only first.',
  },
  {
    id: 'T2-08',
    name: 'mprotect-softdirty-polarity',
    spec: kernel('v6.1', [], ['upgrade.honours_soft_dirty']),
    slugs: ['softdirty-lost'],
    trigger: 'mmap A p0; write A p0; clear_refs A; mprotect A p0 R; mprotect A p0 RW; write A p0',
    triggerLength: 6,
    fix: turnOn('upgrade.honours_soft_dirty'),
    note: '76aefad628aa (v6.0).',
  },
  {
    id: 'T2-09',
    name: 'madvfree-loses-direct-io',
    spec: kernel('v5.14'),
    slugs: ['data-lost', 'pin-detached'],
    trigger: 'mmap A p0; write A p0; madv_free A p0; h=gup A p0 W GET fast; pageout A p0; hwrite h 9; put h; read A p0',
    triggerLength: 7,
    addedOps: 1,
    fix: turnOn('lazyfree.check_refs'),
    note: '6c8e2a256915 (v5.18). As direct I/O does, GUP-fast takes the page: the slow path would make it dirty at once.',
  },
  {
    id: 'T2-11',
    name: 'unregister-leaves-wp',
    spec: kernel('v5.19'),
    slugs: ['wp-stray', 'wp-writable'],
    trigger: 'mmap A p0; uffd_reg A p0 WP; write A p0; wp A p0; uffd_unreg A p0; write A p0',
    triggerLength: 6,
    fix: turnOn('unregister.clears_present', 'unregister.clears_swap', 'unregister.clears_marker'),
    note: 'f369b07c8614 (v6.0).',
  },
  {
    id: 'T2-12',
    name: 'close-leaves-wp',
    spec: kernel('v6.7'),
    slugs: ['wp-stray', 'wp-writable'],
    trigger: 'mmap A p0; uffd_reg A p0 WP; write A p0; wp A p0; uffd_close A; write A p0',
    triggerLength: 6,
    fix: turnOn('close.clears_present', 'close.clears_swap', 'close.clears_marker'),
    note: 'c88033efe9a3 (v6.9), CVE-2024-36881.',
  },
  {
    id: 'T2-17',
    name: 'wp-unpopulated-is-silent',
    spec: kernel('v6.7', ['mutant.wp_no_marker']),
    slugs: ['wp-lost', 'wp-silent-write'],
    trigger: 'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0; write A p0',
    triggerLength: 4,
    fix: turnOff('mutant.wp_no_marker'),
    note: 'The feature of 2bad466cc9d9 (v6.4) granted, but no marker installed.',
  },
  {
    id: 'T2-20',
    name: 'forced-write-gup-side-effects',
    spec: kernel('v5.8', ['clear_refs.flushes']),
    slugs: ['softdirty-spurious'],
    trigger: 'mmap A p0; write A p0; clear_refs A; h=gup A p0 R GET; put h',
    triggerLength: 5,
    fix: turnOff('gup.as_write'),
    warning: true,
    note: 'A read GUP that pretends to write sets soft-dirty: a cost, so a warning.',
  },
  ...MOVES,
  ...BY_RMAP,
];
