import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadEngine } from '../src/engine/engine.js';
import { canonical, wordError } from '../src/engine/optable.js';
import { decodeOp, encodeOp, pagesOf } from '../src/engine/opword.js';
import { UsageError } from '../src/errors.js';
import { alphabet, operations } from '../src/explore/alphabet.js';
import { explore } from '../src/explore/explore.js';
import { DEFAULT_SCOPE, GUP_SETS, parseScope, printScope, type Scope, scopeWords } from '../src/explore/scope.js';
import type { ExploreResult } from '../src/explore/types.js';
import { printItems, printOp } from '../src/text/print.js';

const { catalogue } = loadEngine();
const { ops } = catalogue;

const anyScope: fc.Arbitrary<Scope> = fc
  .record(
    {
      mms: fc.integer({ min: 1, max: 3 }),
      pages: fc.integer({ min: 1, max: 8 }),
      pmds: fc.integer({ min: 0, max: 2 }),
      pins: fc.integer({ min: 0, max: 4 }),
      gup: fc.constantFrom(['none'], ['common'], ['all'], ['R.GET', 'W.PIN'], ['fast', 'longterm']),
      uffd: fc.constantFrom('none', 'wp', 'all' as const),
      asleep: fc.integer({ min: 0, max: 4 }),
      swap: fc.boolean(),
      zap: fc.boolean(),
      mprotect: fc.boolean(),
      softdirty: fc.boolean(),
      migrate: fc.boolean(),
      ksm: fc.boolean(),
      numa: fc.boolean(),
      dax: fc.boolean(),
      cpus: fc.integer({ min: 1, max: 2 }),
      pairs: fc.boolean(),
    },
    { noNullPrototype: true },
  )
  .map(
    (scope): Scope => (scope.pairs ? { ...scope, cpus: 2, pages: 1, pins: Math.min(scope.pins, 1) } : scope) as Scope,
  );

/** Words after mms (or pages) trade names. */
function renamed(words: Uint32Array, mms: (mm: number) => number, pages: (page: number) => number): number[] {
  return [...words].map((word) => {
    const fields = decodeOp(word);
    const info = ops[fields.code]!;
    return encodeOp({
      ...fields,
      mm: info.takesMm ? mms(fields.mm) : fields.mm,
      y: info.takesY === 'mm' ? mms(fields.y) : fields.y,
      page: info.pages && fields.page < 8 ? pages(fields.page) : fields.page,
    });
  });
}

function sorted(words: Iterable<number>): number[] {
  return [...words].sort((a, b) => a - b);
}

describe('the scope as text', () => {
  it('is read back as it was printed', () => {
    fc.assert(fc.property(anyScope, (scope) => assert.deepEqual(parseScope(printScope(scope)), scope)));
  });

  it('takes what it does not say from the defaults', () => {
    assert.deepEqual(parseScope(''), DEFAULT_SCOPE);
    assert.deepEqual(parseScope('pages=2,uffd=all'), { ...DEFAULT_SCOPE, pages: 2, uffd: 'all' });
    assert.equal(parseScope('pairs=1').cpus, 2);
  });

  it('names a wrong value and the valid ones', () => {
    const cases: [text: string, message: RegExp][] = [
      ['pgaes=2', /unknown key of the scope "pgaes"; did you mean pages\?\nvalid: mms, pages/],
      ['mms=4', /^scope: mms=4: expected 1 to 3$/],
      ['mms=0', /mms=0: expected 1 to 3/],
      ['pages=x', /pages=x: expected 1 to 8/],
      ['swap=yes', /swap=yes: expected 0 or 1/],
      ['uffd=on', /uffd=on: expected none, wp, all/],
      ['gup=R.GETT', /gup=R.GETT: expected .*all, none, common.*R\.GET/],
      ['gup=none+common', /gup=none stands alone/],
      ['pages', /"pages": expected pages=VALUE/],
      ['pages=1,pages=2', /pages is given twice/],
      ['pairs=1,cpus=1', /pairs=1 needs the second thread: cpus=2/],
    ];
    for (const [text, message] of cases)
      assert.throws(
        () => parseScope(text),
        (error) => error instanceof UsageError && message.test(error.message),
        text,
      );
  });

  it('is told in words', () => {
    assert.equal(
      scopeWords(parseScope('mms=1,pages=2,pmds=1,swap=0')),
      '1 process, 2 pages, 1 huge page, 1 GUP handle (R.GET, R.PIN), at most 1 thread asleep, no swap, mprotect, soft-dirty, NUMA hints',
    );
  });
});

describe('the operations of a scope', () => {
  it('are valid, canonical, each once, and touch no other page', () => {
    fc.assert(
      fc.property(anyScope, (scope) => {
        const { alphabet: words, pages, mms } = alphabet(catalogue, scope);
        assert.equal(new Set(words).size, words.length);
        assert.deepEqual([...canonical(ops, words)], [...words]);
        for (const word of words) {
          assert.equal(wordError(ops, word), undefined);
          const fields = decodeOp(word);
          const info = ops[fields.code]!;
          assert.ok(!info.takesMm || fields.mm < mms);
          if (info.takesY === 'handle') assert.ok(fields.y < scope.pins, printOp(word, ops));
          if (info.pages) for (const page of pagesOf(fields.page)) assert.ok((pages >> page) & 1, printOp(word, ops));
        }
      }),
    );
  });

  it('stay the same set when processes trade names', () => {
    fc.assert(
      fc.property(anyScope, (scope) => {
        const { alphabet: words, mms } = alphabet(catalogue, scope);
        const turned = renamed(
          words,
          (mm) => (mm + 1) % mms,
          (page) => page,
        );
        if (mms === 2 || mms === 3) assert.deepEqual(sorted(turned), sorted(words));
      }),
    );
  });

  it('stay the same set when pages of a PMD that are all in scope trade names', () => {
    for (const text of [
      'pages=2',
      'pages=3,uffd=all',
      'pages=4,mprotect=1',
      'pages=4,pmds=1,numa=1',
      'pages=8,pmds=2',
    ]) {
      const scope = parseScope(text);
      const { alphabet: words } = alphabet(catalogue, scope);
      const first = Math.min(4, scope.pages);
      const turned = renamed(
        words,
        (mm) => mm,
        (page) => (page < first ? (page + 1) % first : page),
      );
      assert.deepEqual(sorted(turned), sorted(words), text);
    }
  });

  it('leave out what says the same as another, and what the scope has not', () => {
    const has = (text: string, part: RegExp) => operations(parseScope(text)).some((one) => part.test(one));
    assert.ok(!has('pages=3', /p0\.\.p3/));
    assert.ok(has('pages=4', /wp A p0\.\.p3/));
    assert.ok(!has('pages=4', /thp/));
    assert.ok(has('pmds=1', /mmap A p0\.\.p3 thp/));
    assert.ok(!has('pmds=1', /mmap A p0$/));
    assert.ok(has('pmds=2,pages=2', /write A p4/));
    assert.ok(!has('mms=1', /fork|exit/));
    assert.ok(!has('pins=0', /gup|put|hwrite/));
    assert.ok(!has('gup=R.GET', /hwrite/));
    assert.ok(has('gup=W.PIN', /hwrite/));
    assert.ok(!has('uffd=wp', /EVENT_FORK|uffd_close|wake/));
    assert.ok(has('uffd=all', /uffd_close B/));
    assert.ok(!has('swap=0', /pageout|swapoff/));
    assert.ok(!has('zap=0', /munmap|dontneed/));
    assert.ok(!has('cpus=1', /A\.2/));
    assert.ok(has('dax=1', /mmap B p0\.\.p7 dax/));
    assert.equal(operations(DEFAULT_SCOPE).length, 28);
  });

  it('every flavour of GUP is one that the table knows', () => {
    for (const flavour of Object.values(GUP_SETS).flat()) {
      const { alphabet: words } = alphabet(catalogue, parseScope(`gup=${flavour}`));
      const texts = [...words].map((word) => printOp(word, ops));
      assert.ok(texts.includes(`h0=gup A p0 ${flavour.replaceAll('.', ' ')}`), flavour);
    }
  });
});

describe('concurrent steps of a scope', () => {
  const { alphabet: words, pairs, schedulesSpared } = alphabet(catalogue, parseScope('pairs=1,gup=R.GET+W.PIN'));
  const items = Array.from({ length: pairs.length / 2 }, (_, i) => pairs.subarray(2 * i, 2 * i + 2));
  const texts = items.map((pair) => printItems(pair, ops)[0]!.text);

  it('are two operations of the alphabet, by a schedule in which they overlap', () => {
    assert.ok(items.length > 0);
    assert.equal(new Set(texts).size, texts.length);
    for (const [i, [first, second]] of items.entries()) {
      const { pair, schedule, ...fields } = decodeOp(first!);
      assert.ok(pair, texts[i]);
      assert.ok(words.includes(encodeOp({ ...fields, pair: false, schedule: 0 })), texts[i]);
      assert.ok(words.includes(second!), texts[i]);
      // Neither of them begins when the other one has ended.
      assert.ok(schedule !== 0 && schedule !== 63, texts[i]);
    }
    assert.equal((schedulesSpared + items.length) % 64, 0);
    assert.ok(schedulesSpared > items.length);
  });

  it('are of one process, and never with a call that waits for mmap_lock', () => {
    for (const text of texts) {
      const names = [...text.matchAll(/ ([AB])\b/g)].map(([, name]) => name);
      assert.ok(new Set(names).size <= 1, text);
      assert.doesNotMatch(text, /munmap|fork|exit|mprotect|uffd/);
    }
    assert.ok(texts.some((text) => /write A p0 \|\| write A\.2 p0/.test(text)));
    assert.ok(texts.some((text) => /gup A p0 R GET \|\| wp A p0/.test(text)));
  });
});

describe('schedules left out', () => {
  const scope = parseScope('pairs=1,uffd=none,swap=0,zap=0');
  const { alphabet: words, pairs, pages, mms } = alphabet(catalogue, scope);
  /** Every schedule of 6 choices for each pair of operations. */
  const all = new Map<string, [first: number, second: number]>();
  for (let i = 0; i < pairs.length; i += 2) {
    const first = encodeOp({ ...decodeOp(pairs[i]!), schedule: 0 });
    all.set(`${first} ${pairs[i + 1]}`, [first, pairs[i + 1]!]);
  }
  const every = [...all.values()].flatMap(([first, second]) =>
    Array.from({ length: 64 }, (_, schedule) => [encodeOp({ ...decodeOp(first), schedule }), second]).flat(),
  );
  const search = (spec: Parameters<typeof catalogue.vector>[0], used: Uint32Array) =>
    explore({
      subject: {
        kind: 'engine',
        vector: catalogue.vector(spec),
        alphabet: words,
        pairs: used,
        mms,
        pages,
        symmetry: 'full',
      },
      workers: 2,
      memory: 2 ** 30,
      visited: { kind: 'exact' },
      until: 0,
    });
  // One pair is one step, so that the lengths differ: the longer list has ones that do one op after the other.
  const broken = ({ violations }: ExploreResult) => [...new Set(violations.map(({ mask }) => mask))].sort();

  it('lead nowhere else: with all 64 of them the states and what breaks are the same', async () => {
    assert.ok(every.length > 4 * pairs.length);
    const kernels = [
      { kernel: 'repaired', with: [], without: [] },
      { kernel: 'repaired', with: ['mutant.skip_pte_same'], without: [] },
      { kernel: 'v5.7', with: [], without: [] },
    ];
    for (const spec of kernels) {
      const [few, many] = [await search(spec, pairs), await search(spec, Uint32Array.from(every))];
      assert.equal(few.ended, 'closed');
      assert.equal(few.states, many.states, spec.kernel);
      assert.deepEqual(broken(few), broken(many));
      assert.ok(many.transitions > 4 * few.transitions);
    }
  });
});
