import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { engine, judged, slugs, type Trial, tryAll } from './trials.js';

// A judge that cannot fail is worth nothing: each one fires on a kernel with one thing wrong, and says the right word;
// the same program on the repaired kernel is silent.

const { invariants } = engine.catalogue;

const PROTECTED = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0';
const UNPOPULATED = 'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0';
const PROTECTED_THP = 'mmap A thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3';
const FORKED = 'mmap A p0; write A p0; fork A->B';
const PINNED = 'mmap A p0; write A p0; h=gup A p0 W PIN; fork A->B; write A p0; hwrite h';

const TRIALS: readonly Trial[] = [
  // I1
  {
    slug: 'wp-writable',
    program: PROTECTED,
    kernel: 'repaired +mutant.wp_keeps_write',
    where: { mm: 0, page: 0, op: 3 },
  },
  { slug: 'wp-writable', program: PROTECTED_THP, kernel: 'repaired +mutant.wp_keeps_write', where: { detail: 1 } },
  { slug: 'wp-writable', program: `${PROTECTED}; h=gup A p0 R GET`, kernel: 'break-cow-v3-followup' },
  // I2
  {
    slug: 'wp-silent-write',
    program: 'mmap A p0..p3; write A p3; uffd_reg A p0..p3 WP WP_UNPOPULATED; wp A p0..p3; write A p2',
    kernel: 'repaired +mutant.wp_no_marker',
    where: { page: 2, detail: 0 },
  },
  {
    slug: 'wp-silent-write',
    program: `${UNPOPULATED}; h=gup A p0 W GET`,
    kernel: 'repaired -anon_marker.keeps_uffd_wp',
    where: { handle: 0, detail: 1 },
  },
  // I3: through memory, through a handle, through a device's write
  {
    slug: 'cow-leak',
    program: `${FORKED}; write A p0; read B p0`,
    kernel: 'v5.7 +mutant.fork_keeps_write',
    where: { mm: 1, expected: 2, got: 4 },
  },
  {
    slug: 'cow-leak',
    program: `${FORKED}; write A p0`,
    kernel: 'v5.7 +mutant.fork_keeps_write',
    where: { mm: 1, got: 4 },
  },
  {
    slug: 'cow-leak',
    program: `${FORKED}; h=gup B p0 R GET; munmap B p0; write A p0; hread h`,
    kernel: 'v5.7',
    where: { mm: 1, handle: 0, expected: 2, got: 6, op: 6 },
  },
  { slug: 'cow-leak', program: `${PINNED}; read B p0`, kernel: 'v5.7', where: { mm: 1, got: 6 } },
  // I4
  { slug: 'pin-detached', program: `${PINNED}; read A p0`, kernel: 'v5.8', where: { mm: 0, expected: 6, got: 5 } },
  {
    slug: 'pin-detached',
    program: 'mmap A p0; write A p0; h=gup A p0 W PIN; fork A->B; write A p0; hread h',
    kernel: 'repaired -fork.early_copy_pinned',
    where: { handle: 0, expected: 5, got: 2 },
  },
  {
    slug: 'pin-detached',
    program: `${FORKED}; h=gup A p0 R PIN; write A p0; hread h`,
    kernel: 'v5.14',
    where: { handle: 0, expected: 5, got: 2 },
  },
  {
    slug: 'pin-detached',
    program: 'mmap A p0; read A p0; h=gup A p0 R PIN LONGTERM; write A p0; hread h',
    kernel: 'repaired -gup.unshare_longterm',
    where: { handle: 0, expected: 4, got: 0 },
  },
  {
    slug: 'pin-detached',
    program: 'mmap A p0; h=gup A p0 W GET; pageout A p0; write A p0; hwrite h; read A p0',
    kernel: 'repaired -swapin.keeps_exclusive',
    where: { expected: 5, got: 4 },
  },
  // I5
  { slug: 'wp-event-on-read', program: `${PROTECTED}; h=gup A p0 R GET`, kernel: 'v5.8', where: { op: 4 } },
  { slug: 'wp-event-on-read', program: `${PROTECTED}; pageout A p0; read A p0`, kernel: 'repaired +mutant.read_event' },
  // I6: present, huge, in swap, marker
  { slug: 'wp-lost', program: `${PROTECTED}; pageout A p0; swapoff`, kernel: 'v5.18', where: { op: 5, detail: 0 } },
  {
    slug: 'wp-lost',
    program: `${PROTECTED_THP}; thp_split A p0..p3`,
    kernel: 'repaired -split.keeps_uffd_wp',
    where: { page: 0 },
  },
  {
    slug: 'wp-lost',
    program: 'mmap A p0; write A p0; uffd_reg A p0 WP; pageout A p0; wp A p0',
    kernel: 'repaired +mutant.wp_skips_swap',
    where: { detail: 1 },
  },
  { slug: 'wp-lost', program: UNPOPULATED, kernel: 'repaired +mutant.wp_no_marker', where: { detail: 4 } },
  {
    slug: 'wp-lost',
    program: 'mmap A thp; read A p0; uffd_reg A p0..p3 WP WP_UNPOPULATED; wp A p0..p3; thp_split A p0..p3',
    kernel: 'repaired -split_zero.keeps_uffd_wp',
  },
  {
    slug: 'wp-lost',
    program: 'mmap A p0; write A p0; h=gup A p0 R PIN; uffd_reg A p0 WP EVENT_FORK; wp A p0; fork A->B',
    kernel: 'repaired -early_copy.keeps_uffd_wp',
    where: { mm: 1 },
  },
  // I7
  {
    slug: 'page-accounting',
    program: `${FORKED}; write B p0`,
    kernel: 'repaired +mutant.copy_leaks_ref',
    where: { expected: 1, got: 2, detail: 2 << 5 },
  },
  {
    slug: 'page-accounting',
    program: 'mmap A p1; read A p1; [write A.1 p1 || write A.2 p1]@12112',
    kernel: 'repaired +mutant.skip_pte_same',
    where: { expected: 0, got: 1, detail: 0 },
  },
  // I8
  {
    slug: 'tlb-stale',
    program: 'mmap A p0; read A p0; dontneed A p0',
    kernel: 'repaired +mutant.zap_forgets_flush',
    where: { detail: 0 },
  },
  {
    slug: 'tlb-stale',
    program: 'mmap A p0; read A.2 p0; write A p0',
    kernel: 'repaired +mutant.copy_skips_flush',
    where: { detail: 1 },
  },
  { slug: 'tlb-stale', program: 'mmap A p0; write A p0; clear_refs A', kernel: 'v5.9' },
  // I9: a loop, and a sleeper nobody wakes
  {
    slug: 'no-progress',
    program: 'mmap A thp; write A p0; mprotect A p0..p3 R; h=gup A p0 W GET FORCE',
    kernel: 'v5.7 -follow_pmd.accepts_cow',
    where: { detail: 0 },
  },
  {
    slug: 'no-progress',
    program: `${PROTECTED}; write A p0; unwp A p0`,
    kernel: 'repaired +mutant.unwp_forgets_wake',
    where: { op: 5, detail: 1 },
  },
  {
    slug: 'no-progress',
    program: `${PROTECTED}; write A p0; uffd_unreg A p0`,
    kernel: 'v7.2',
    where: { op: 5, detail: 1 },
  },
  // I10
  {
    slug: 'data-lost',
    program: 'mmap A p0; write A p0; pageout A p0; read A p0',
    kernel: 'repaired +mutant.pageout_drops_dirty',
    where: { expected: 2, got: 0, op: 2 },
  },
  {
    slug: 'data-lost',
    program: `${FORKED}; h=gup A p0 R PIN`,
    kernel: 'repaired +mutant.copy_forgets_content',
    where: { expected: 2, got: 0 },
  },
  // I11: present, in swap
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0; write A p0; clear_refs A; write A p0',
    kernel: 'repaired +mutant.fault_forgets_soft_dirty',
    where: { op: 3, detail: 0 },
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0; clear_refs A; write A p0; pageout A p0',
    kernel: 'repaired -swapout.keeps_soft_dirty',
    where: { detail: 1 },
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0; write A p0; clear_refs A; mprotect A p0 R; mprotect A p0 RW; write A p0',
    kernel: 'repaired -upgrade.honours_soft_dirty',
  },
  // I12: present, in swap, marker, event
  { slug: 'wp-stray', program: `${PROTECTED}; uffd_unreg A p0`, kernel: 'v5.19', where: { detail: 0 } },
  { slug: 'wp-stray', program: `${PROTECTED}; pageout A p0; uffd_unreg A p0`, kernel: 'v5.19', where: { detail: 1 } },
  {
    slug: 'wp-stray',
    program: `mmap A p0..p3; write A p1; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0; fork A->B`,
    kernel: 'repaired -fork.marker_by_child_vma',
    where: { mm: 1, detail: 2 },
  },
  {
    slug: 'wp-stray',
    program: `${PROTECTED}; uffd_unreg A p0; uffd_reg A p0 WP; write A p0`,
    kernel: 'v5.7',
    where: { op: 6, detail: 3 },
  },
  // I13
  {
    slug: 'wrong-decoder',
    program: 'mmap A p0; write A p0; uffd_reg A p0 WP; pageout A p0; wp A p0',
    kernel: 'repaired +mutant.wp_wrong_decoder',
    where: { detail: 1 },
  },
  // I14: shared but exclusive, writable but not exclusive, pinned but not exclusive
  {
    slug: 'not-exclusive',
    program: FORKED,
    kernel: 'repaired +mutant.fork_keeps_exclusive',
    where: { got: 2, detail: 1 },
  },
  { slug: 'not-exclusive', program: FORKED, kernel: 'repaired +mutant.fork_keeps_write', where: { mm: 0, detail: 0 } },
  {
    slug: 'not-exclusive',
    program: `${FORKED}; h=gup A p0 R PIN`,
    kernel: 'repaired -gup.unshare',
    where: { handle: 0, detail: 3 },
  },
  // I16
  {
    slug: 'permission-gained',
    program: 'mmap A p0; write A p0; mprotect A p0 R',
    kernel: 'repaired +mutant.mprotect_keeps_write',
    where: { detail: 2 },
  },
  // I22; more of it in judges-advice
  {
    slug: 'guard-lost',
    program: 'mmap A p0; guard_install A p0; dontneed A p0',
    kernel: 'repaired +mutant.zap_drops_guard',
  },
  // I19
  {
    slug: 'fast-only-refused',
    program: `${FORKED}; h=gup A p0 R GET fast-only`,
    kernel: 'repaired +gupfast_only.read_needs_write',
    where: { mm: 0, page: 0 },
  },
  // I17
  {
    slug: 'tracking-gap',
    program:
      'mmap A p0; write A p0; uffd_reg A p0 WP_ASYNC; pagemap_scan A p0 WP; pageout A p0; swapoff; write A p0; pageout A p0; pagemap_scan A p0',
    kernel: 'repaired +mutant.scan_skips_swap',
    where: { page: 0, op: 8, detail: 0 },
  },
  // I21
  {
    slug: 'missing-events',
    program: 'mmap A p0; write A p0; uffd_reg A p0 MISSING; dontneed A p0; read A p0',
    kernel: 'repaired +mutant.missing_reads_zero',
    where: { mm: 0, page: 0, op: 4, detail: 0 },
  },
];

describe('the judges', () => {
  tryAll(TRIALS);

  it('has a trial for every invariant that some judge claims', () => {
    const claimed = invariants.filter(({ judge }) => judge === 'structure' || judge === 'reference');
    assert.deepEqual([...new Set(TRIALS.map(({ slug }) => slug))].sort(), claimed.map(({ slug }) => slug).sort());
  });

  it('warn of soft-dirty without a write, on request only', () => {
    // T2-20: the read GUP of v5.8 writes. A write GUP may, and so may a store.
    const read = 'mmap A p0; write A p0; clear_refs A; h=gup A p0 R GET';
    const kernel = 'v5.8 +clear_refs.flushes';
    assert.deepEqual(slugs(judged(read, kernel)), []);
    engine.module.set_judges(5);
    assert.deepEqual(slugs(judged(read, kernel)), ['softdirty-spurious', 'needless-fault']);
    assert.deepEqual(slugs(judged(read, 'repaired')), []);
    for (const fine of ['h=gup A p0 W GET', 'write A p0', 'read A p0', 'pageout A p0; swapoff'])
      assert.deepEqual(slugs(judged(`mmap A p0; write A p0; clear_refs A; ${fine}`, 'repaired')), [], fine);
    engine.setJudges('touched');
  });

  it('finds the same when it looks at the whole world after every op, nothing when it is off', () => {
    for (const { slug, program, kernel } of TRIALS) {
      engine.setJudges('world');
      const whole = slugs(judged(program, kernel));
      const repaired = slugs(judged(program, 'repaired'));
      engine.setJudges('off');
      const off = slugs(judged(program, kernel));
      engine.setJudges('touched');
      assert.ok(whole.length > 0, `${kernel}: ${program}: ${slug}`);
      assert.deepEqual([repaired, off], [[], []], `${kernel}: ${program}`);
    }
  });

  it('judges by a reference memory that shares nothing with the model but observations and op words', () => {
    const folder = new URL('../../assembly/oracle/', import.meta.url);
    for (const file of ['reference.ts', 'handles.ts', 'promises.ts']) {
      const text = readFileSync(new URL(file, folder), 'utf8');
      for (const [, names, from] of text.matchAll(/import \{([^}]*)\} from '([^']*)'/g)) {
        if (!from!.startsWith('..')) continue;
        assert.match(from!, /^\.\.\/(?:mm\/observe|ops\/table|mm\/layout)$/, file);
        if (from === '../mm/layout') assert.equal(names!.trim(), 'REFERENCE', file);
      }
    }
  });
});
