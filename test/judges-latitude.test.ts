import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { parseProgram } from '../src/text/parse.js';

// What a correct kernel is free to do: the judges must not demand more than was promised. Each program is silent on
// the kernels named (default: all), whatever they do; a sharper judge would call some of them broken.

const engine = loadEngine();
const { ops, invariants, kernels } = engine.catalogue;
const ALL = kernels.map(({ name }) => name);
const since = (name: string) => ALL.slice(ALL.indexOf(name), ALL.indexOf('repaired') + 1);
const OK = 0;
const NOMEM = 4;

function found(program: string, kernel: string): string {
  engine.configure({ kernel, with: [], without: [] });
  const { violations } = engine.run(parseProgram(program, ops));
  return violations.map(({ invariant }) => invariants.find(({ id }) => id === invariant)?.slug).join(' ');
}

interface Case {
  readonly why: string;
  readonly program: string;
  readonly kernels?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    why: 'a short-term read pin of the zero page may be left behind by a store',
    program: 'mmap A p0; read A p0; h=gup A p0 R PIN; write A p0; hread h',
  },
  {
    why: 'a GET reference shows data of its own time or later',
    program: 'mmap A p0; write A p0; fork A->B; h=gup A p0 R GET; write A p0; hread h',
  },
  {
    why: 'a GET reference may show what its owner writes later',
    program: 'mmap A p0; write A p0; h=gup A p0 R GET; write A p0; hread h; h1=gup A p0 W GET; hwrite h1; hread h',
  },
  {
    why: 'a caller that says DONT_COW accepts the wrong side of a later COW',
    program: 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET DONT_COW; munmap B p0; write A p0; hread h',
  },
  {
    why: 'after a fork nobody is promised the writes of a GET reference, nor spared them',
    program: 'mmap A p0; write A p0; h=gup A p0 W GET; fork A->B; hwrite h; read A p0; read B p0',
  },
  {
    why: 'a child that shares such a page may read it, directly or by GUP',
    program: 'mmap A p0; write A p0; h=gup A p0 W GET; fork A->B; h1=gup B p0 R GET; munmap B p0; hwrite h; hread h1',
  },
  {
    why: "a pin shows what came through its owner's other references, also when the owner is gone",
    program: 'mmap A p0; h1=gup A p0 W PIN; h0=gup A p0 W GET; fork A->B; hwrite h0; exit A; hread h1',
  },
  {
    why: "a child's pin may show such writes, also when the child is gone: nobody said what its page holds",
    program:
      'mmap A p0; h0=gup A p0 W GET; hwrite h0; fork A->B; h1=gup B p0 R PIN fast-only; hwrite h0; exit B; hread h1',
  },
  {
    why: 'of two calls at once that want one handle, one gets it',
    program: 'mmap A p0; [h=gup A p0 R GET || h=gup A p0 W GET]@12; read A p0',
  },
  {
    why: 'mprotect waits for the GUP call that is under way',
    program: 'mmap A p0; [h=gup A p0 W GET || mprotect A p0 R]@12; hread h',
    kernels: since('v5.9'),
  },
  {
    why: 'a pin keeps the old page after its owner drops it',
    program:
      'mmap A p0; write A p0; h=gup A p0 W PIN; dontneed A p0; hwrite h; read A p0; hread h; write A p0; hread h',
  },
  {
    why: 'protecting memory that was never touched is a no-op without WP_UNPOPULATED',
    program: 'mmap A p0; uffd_reg A p0 WP; wp A p0; write A p0; write A p0',
  },
  {
    why: 'it may also have worked, on the zero page',
    program: 'mmap A p0; read A p0; uffd_reg A p0 WP; wp A p0; write A p0; unwp A p0; read A p0',
  },
  {
    why: 'dropping anonymous memory drops its protection',
    program: 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; dontneed A p0; write A p0; read A p0',
  },
  {
    why: 'a child with EVENT_FORK may have lost the protection of zeroes only',
    program: 'mmap A p0; uffd_reg A p0 WP EVENT_FORK WP_UNPOPULATED; wp A p0; fork A->B; write B p0',
    kernels: since('v6.7'),
  },
  {
    why: 'unknown contents may be no contents: nothing there to protect',
    program:
      'mmap A p0; h=gup A p0 W GET; fork A->B; dontneed B p0; fork B->C; hwrite h; uffd_reg C p0 WP; wp C p0; write C p0',
  },
  {
    why: 'an unprotected page is no longer protected',
    program: 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; unwp A p0; write A p0; read A p0',
  },
  {
    why: 'a sleeper that faults again sleeps again',
    program: 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; wake A p0; wake A p0; unwp A p0; read A p0',
  },
  {
    why: 'two lives of one process id are two processes, and neither sees the other',
    program: 'mmap A p0; fork A->B; write B p0; h=gup B p0 R GET; exit B; fork A->B; write B p0; hread h; read A p0',
  },
  {
    why: 'a child sees what its parent had before the fork, and neither what came after',
    program: 'mmap A p0; write A p0; fork A->B; write A p0; read B p0; fork B->C; write B p0; read C p0; read A p0',
  },
  {
    why: 'soft-dirty of a pinned page is not judged: clear_refs may leave it alone',
    program: 'mmap A p0; write A p0; h=gup A p0 W PIN; clear_refs A; write A p0; hwrite h; read A p0',
    kernels: since('v5.12'),
  },
  {
    why: 'which shows where a pinned page became writable without a store',
    program:
      'mmap A p0; h=gup A p0 R PIN LONGTERM; mprotect A p0 R; mprotect A p0 RW; clear_refs A; write A p0; read A p0',
    kernels: since('v6.7'),
  },
  {
    why: 'a wake-up is owed only to sleepers on memory that is still there',
    program: 'mmap A p0..p3; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; munmap A p0; wake A p0..p3',
  },
  {
    why: 'dropped memory is not dirty',
    program: 'mmap A p0; clear_refs A; write A p0; dontneed A p0; read A p0',
    kernels: since('v5.12'),
  },
  {
    why: 'what MADV_FREE gave up is there or zeroes, and protected or not, as is its copy in a child',
    program:
      'mmap A p0; write A p0; uffd_reg A p0 WP EVENT_FORK; wp A p0; madv_free A p0; fork A->B; pageout A p0; write A p0; write B p0',
  },
  {
    why: 'once it reads as zeroes it may be protected anew, and go all the same where it is kept in a page',
    program:
      'mmap A thp; write A p1; madv_free A p0..p3; read A p0; uffd_reg A p0..p3 WP; wp A p0..p3; pageout A p0..p3; write A p0',
    kernels: ['v5.7', 'v6.1', 'v6.18', 'repaired'],
  },
  {
    why: 'what was in swap goes with MADV_FREE, and who holds the page by GET holds another one then',
    program: 'mmap A p0; h=gup A p0 W GET; hwrite h; pageout A p0; madv_free A p0; hwrite h; read A p0; hread h',
  },
  {
    why: 'populating for writing is a write to soft-dirty, an event to uffd-wp, and no store',
    program: 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; populate A p0 R; populate A p0 W; unwp A p0; read A p0',
  },
  {
    why: 'guards are not protected, and what follows them is not either',
    program:
      'mmap A p0; write A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0; guard_install A p0; wp A p0; guard_remove A p0; write A p0',
    kernels: since('v6.18'),
  },
  {
    why: 'dirtiness goes with what was given up, too',
    program: 'mmap A p0; clear_refs A; write A p0; madv_free A p0; pageout A p0; read A p0',
    kernels: since('v5.12'),
  },
];

describe('the latitude of a kernel', () => {
  for (const { why, program, kernels: named } of CASES) {
    it(`${why}: ${program}`, () => {
      const loud = (named ?? ALL).map((kernel) => [kernel, found(program, kernel)]).filter(([, slugs]) => slugs !== '');
      assert.deepEqual(loud, []);
    });
  }

  it('a fork that runs out of memory midway may already have shared the pages that the parent holds by GET', () => {
    // Two references keep a THP each alive (8 frames), A and B have 8 pages each: none of the 24 frames is left when
    // fork wants to copy the pinned page p7 early, after it has shared p0.
    const fill = (mm: string) => Array.from({ length: 8 }, (_, page) => `write ${mm} p${page}`).join('; ');
    const program = [
      'mmap A p0..p3 thp; h2=gup A p0 W GET; munmap A p0..p7',
      'mmap A p0..p3 thp; h3=gup A p0 W GET; munmap A p0..p7',
      `mmap A p0..p7; ${fill('A')}; fork A->B; ${fill('B')}`,
      'h=gup A p0 W GET; h1=gup A p7 W PIN; fork A->C; dontneed B p0..p7; write A p0; hwrite h; read A p0',
    ].join('; ');
    assert.equal(found(program, 'repaired'), '');
    const words = parseProgram(program, ops);
    const results = engine.results(words.length);
    const fork = ops.find(({ name }) => name === 'fork')!.code;
    const forks = [...words.entries()].filter(([, word]) => (word & 63) === fork).map(([i]) => results[i]);
    assert.deepEqual(forks, [OK, NOMEM], 'the second fork fails');
    assert.deepEqual([...results.slice(-3)], [OK, OK, OK]);
  });
});
