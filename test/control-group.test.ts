import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { runCampaign } from '../src/campaign/index.js';
import { loadEngine } from '../src/engine/engine.js';
import { findOrigin } from '../src/findings/lineage.js';
import { parseProgram } from '../src/text/parse.js';
import { printProgram } from '../src/text/print.js';
import { anyProgram, busyProgram } from './programs.js';

const engine = loadEngine();
const { ops, invariants, kernels } = engine.catalogue;
const plain = (kernel: string) => ({ kernel, with: [], without: [] });

async function campaign(kernel: string, strategy: 'guided' | 'random', programs: number) {
  return await runCampaign({
    spec: plain(kernel),
    seed: 5n,
    workers: 2,
    strategy,
    programs,
    keepGoing: true,
    signal: new AbortController().signal,
    onProgress() {},
  });
}
function shown(words: Uint32Array): string {
  return printProgram(words, ops);
}

describe('the control group', () => {
  for (const [strategy, programs] of [
    ['guided', 4_000_000],
    ['random', 1_500_000],
  ] as const) {
    it(`breaks no promise in ${programs} ${strategy} programs`, async () => {
      const result = await campaign('repaired', strategy, programs);
      assert.deepEqual(
        result.raw.map(({ reduced, words }) => shown(reduced ?? words)),
        [],
      );
      assert.equal(result.programs, programs);
      // Uniform programs are too blind for the canary, so their silence alone would prove little.
      if (strategy === 'guided') assert.ok(result.valid, 'the canary was not found');
    });
  }

  it('breaks none in programs that fast-check makes, looked at as a whole after every op', () => {
    engine.configureVector(engine.catalogue.vector(plain('repaired')));
    engine.setJudges('world');
    const property = fc.property(fc.oneof(anyProgram(ops), busyProgram(ops)), (words) => {
      const { violations } = engine.run(words);
      assert.deepEqual(violations, [], shown(words));
    });
    fc.assert(property, { numRuns: 20_000, seed: 7 });
    engine.setJudges('touched');
  });
});

describe('the newest releases', () => {
  // Measured: unregistering a write-protect range wakes nobody (5.10 to 7.2); MADV_FREE reaches who shares the page (6.18);
  // a store to a huge page after MADV_FREE is lost if mprotect follows (until 7.2, f7491d7c81db). mremap without EVENT_REMAP
  // takes what the moved mapping merges with out of the registration (6.18), and moves page tables without soft-dirty;
  // UFFDIO_MOVE takes uffd-wp of a swapped page to where nothing is registered for it (6.18). A range
  // that is registered for missing pages only keeps the write-protection that it had (6.12 to 7.2). PAGEMAP_SCAN does not tell of
  // what was dropped (6.18.15, no longer 6.18.44). KSM merges a page without its uffd-wp and soft-dirty (6.1 to
  // 7.2), and clear_refs takes soft-dirty off a migration entry, but leaves it writable (6.12 to 7.2). Derived: KSM merges a
  // page that is held if its entry is read-only and clean.
  const KNOWN = [
    'uffd.unregister_wakes_wp',
    'madv_free.skips_shared',
    'clear_refs.downgrades_migration',
    'ksm.keeps_uffd_wp',
    'ksm.keeps_soft_dirty',
    'ksm.always_checks_refs',
  ];
  const REREGISTER = ['present', 'swap', 'marker', 'migration'].map((kind) => `reregister.clears_${kind}`);
  const SCAN = ['scan.hole_is_written', 'scan.none_is_written'];
  const MOVES = ['mremap.resets_merged', 'mremap.moves_tables', 'move_swap.keeps_uffd_wp'];
  const UNDONE: Readonly<Record<string, readonly string[]>> = {
    'v6.18': [...MOVES, 'pmd_modify.drops_dirty', 'fill.markers_alike'],
    'v7.2': MOVES,
  };
  for (const kernel of ['v6.18', 'v7.2']) {
    it(`${kernel} breaks the promises that are known, cured by a knob each`, async () => {
      const { raw } = await campaign(kernel, 'guided', 200_000);
      assert.ok(raw.length > 0);
      engine.configureVector(
        engine.catalogue.vector({ kernel, with: [...KNOWN, ...REREGISTER, ...SCAN], without: UNDONE[kernel]! }),
      );
      for (const { words } of raw) assert.deepEqual(engine.run(words).violations, [], shown(words));
    });
  }
});

describe('the origin of a flaw', () => {
  const origin = (kernel: string, slug: string, text: string) => {
    const invariant = invariants.find((one) => one.slug === slug)!.id;
    return findOrigin(engine, plain(kernel), parseProgram(text, ops), invariant);
  };
  const reuse = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0; h=gup A p0 R GET';
  const close = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; uffd_close A';

  it('is the first kernel in line that breaks the promise', () => {
    assert.deepEqual(origin('seed', 'wp-writable', reuse), {
      kernel: 'break-cow-v2',
      keptBy: 'break-cow-v1',
      refusedBy: '',
      inherited: false,
    });
    assert.deepEqual(origin('seed', 'wp-stray', close), { kernel: 'v5.7', keptBy: '', refusedBy: '', inherited: true });
    assert.deepEqual(origin('v6.7', 'wp-stray', close), {
      kernel: 'v5.7',
      keptBy: '',
      refusedBy: '',
      inherited: false,
    });
  });

  it('stays open where an older kernel refuses an operation', () => {
    const text = 'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0; write A p0; uffd_unreg A p0';
    assert.deepEqual(origin('v7.2', 'no-progress', text), {
      kernel: 'v6.7',
      keptBy: '',
      refusedBy: 'v6.1',
      inherited: false,
    });
  });

  it('is in the knobs where the kernel as such keeps the promise', () => {
    const words = parseProgram('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0', ops);
    const spec = { kernel: 'repaired', with: ['mutant.wp_keeps_write'], without: [] };
    assert.deepEqual(findOrigin(engine, spec, words, 1), {
      kernel: '',
      keptBy: 'repaired',
      refusedBy: '',
      inherited: false,
    });
  });

  it('every kernel but the first names a base of the catalogue', () => {
    const names = new Set(kernels.map(({ name }) => name));
    assert.deepEqual(
      kernels.filter(({ base }) => !names.has(base)).map(({ name }) => name),
      ['v5.7'],
    );
  });
});
