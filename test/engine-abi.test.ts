import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { eachMapping, TraceMap } from '@jridgewell/trace-mapping';
import fc from 'fast-check';
import { loadEngine } from '../src/engine/engine.js';
import { WASM_URL } from '../src/engine/load.js';
import { wordError } from '../src/engine/optable.js';
import { MAX_OPS, RESULT } from '../src/engine/opword.js';
import { EngineTrap, trapFrames, trapped } from '../src/engine/trap.js';
import { leafText, WorldReader } from '../src/engine/world.js';
import { UsageError } from '../src/errors.js';
import { parseProgram } from '../src/text/parse.js';
import { anyProgram, busyProgram } from './programs.js';

const engine = loadEngine();
const { catalogue, module } = engine;
const { ops } = catalogue;
const parse = (text: string) => parseProgram(text, ops);
const spec = (kernel: string, plus: string[] = [], minus: string[] = []) => ({ kernel, with: plus, without: minus });
const INVALID = 0x80000000;

/** Bytes that no call may change: the null page and the module's own data. */
function untouchable(): Buffer {
  const memory = Buffer.from(module.memory.buffer);
  return Buffer.concat([memory.subarray(0, catalogue.at('KVEC')), memory.subarray(0x100000, 0x140000)]);
}

describe('hostile input to the exports', () => {
  it('is an error exactly where the operation table says so', () => {
    const program = new Uint32Array(module.memory.buffer, catalogue.at('PROGRAM'), MAX_OPS);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.nat(0xffffffff),
          anyProgram(ops).map((words) => words[0]!),
        ),
        (word) => {
          program[0] = word;
          assert.equal(module.run_program(1) >>> 0 === INVALID, wordError(ops, word) !== undefined, `word ${word}`);
        },
      ),
      { numRuns: 20_000 },
    );
  });

  it('never traps and never writes outside its state', () => {
    const program = new Uint32Array(module.memory.buffer, catalogue.at('PROGRAM'), MAX_OPS);
    const before = untouchable();
    const words = fc.array(fc.nat(0xffffffff), { maxLength: MAX_OPS });
    const number = fc.oneof(fc.nat(70), fc.nat(0xffffffff), fc.integer());
    fc.assert(
      fc.property(fc.oneof(words, anyProgram(ops)), number, number, fc.nat(2), (list, index, n, kernel) => {
        program.set(list);
        module.kernel_vector(kernel * 9);
        module.configure();
        const mask = module.run_program(n) >>> 0;
        if (n > MAX_OPS || n < 0) assert.equal(mask, INVALID);
        module.begin_program();
        const used = module.step_program(index, n);
        assert.ok(used <= 2);
        if (index < 0 || index >= n || n > MAX_OPS || n < 0) assert.equal(used, 0);
        module.finish_program(n);
      }),
      { numRuns: 3000 },
    );
    assert.ok(before.equals(untouchable()));
  });

  it('gives nothing for tables and kernels that do not exist', () => {
    for (const section of [7, 1000, -1, 0xffffffff]) {
      assert.equal(module.describe_count(section), 0);
      assert.equal(module.__getString(module.describe(section, 0)), '');
    }
    for (let section = 0; section < 7; section++) {
      assert.ok(module.describe_count(section) > 0);
      for (const index of [module.describe_count(section), 100_000, -1])
        assert.equal(module.__getString(module.describe(section, index)), '');
    }
    for (const kernel of [catalogue.kernels.length, 1000, -1]) assert.equal(module.kernel_vector(kernel), 0);
  });

  it('is a UsageError by the class', () => {
    engine.configure(spec('seed'));
    assert.throws(() => engine.run(new Uint32Array(0)), UsageError);
    assert.throws(() => engine.run(new Uint32Array(MAX_OPS + 1)), UsageError);
    assert.throws(() => engine.run(Uint32Array.of(63)), UsageError);
    engine.begin(parse('mmap A p0'));
    assert.throws(() => engine.step(1, 1), UsageError);
  });
});

describe('the catalogue', () => {
  it('knows every name once', () => {
    for (const list of [ops, catalogue.knobs, catalogue.kernels, catalogue.counters]) {
      const names = list.map(({ name }) => name);
      assert.equal(new Set(names).size, names.length);
      assert.ok(names.every((name) => /^[a-z0-9._-]+$/.test(name)));
    }
    const slugs = catalogue.invariants.map(({ slug }) => slug);
    assert.equal(new Set(slugs).size, slugs.length);
    assert.equal(catalogue.kernels.length, 22);
    for (const { base } of catalogue.kernels) assert.ok(base === '' || catalogue.kernel(base));
  });

  it('names what was probably meant, and what there is', () => {
    assert.throws(
      () => catalogue.vector(spec('v5.77')),
      /unknown kernel "v5.77"; did you mean v5\.7\?\nvalid: v5\.7, v5\.8/,
    );
    assert.throws(() => catalogue.vector(spec('seed', ['copy.keep_uffd_wp'])), /did you mean copy\.keeps_uffd_wp\?/);
    assert.throws(
      () => catalogue.vector(spec('seed', [], ['zzz'])),
      (error) => {
        assert.ok(error instanceof UsageError);
        assert.doesNotMatch(error.message, /did you mean/);
        return true;
      },
    );
    assert.throws(() => catalogue.vector(spec('seed', ['gup.unshare'], ['gup.unshare'])), /both with and without/);
  });

  it('turns single knobs on and off', () => {
    const names = (kernel: ReturnType<typeof spec>) =>
      catalogue.knobsOf(catalogue.vector(kernel)).map(({ name }) => name);
    const plain = names(spec('seed'));
    const hunk = 'copy.keeps_uffd_wp';
    assert.ok(plain.includes(hunk) && !plain.includes('gup.unshare'));
    assert.deepEqual(
      names(spec('seed', [], [hunk])),
      plain.filter((name) => name !== hunk),
    );
    assert.deepEqual(names(spec('seed', ['gup.unshare'])).sort(), [...plain, 'gup.unshare'].sort());
  });
});

describe('a run', () => {
  const wrongSide = parse('mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h');

  it('judges the configured kernel', () => {
    engine.configure(spec('v5.7'));
    const { mask, violations } = engine.run(wrongSide);
    const leak = catalogue.invariants.find(({ slug }) => slug === 'cow-leak')!;
    assert.equal(mask, 1 << leak.id);
    const { expected, got, handle, mm, op, page } = violations[0]!;
    assert.deepEqual(
      { expected, got, handle, mm, op, page },
      { expected: 2, got: 6, handle: 0, mm: 1, op: 6, page: 0 },
    );
    engine.configure(spec('v5.9'));
    assert.deepEqual(engine.run(wrongSide), { mask: 0, violations: [] });
    assert.deepEqual([...engine.results(wrongSide.length)], wrongSide.length === 7 ? Array(7).fill(RESULT.OK) : []);
  });

  it('in steps is the same as at once', () => {
    for (const kernel of ['v5.7', 'seed', 'repaired']) {
      engine.configure(spec(kernel));
      fc.assert(
        fc.property(busyProgram(ops), (words) => {
          const whole = engine.run(words);
          const results = engine.results(words.length);
          engine.begin(words);
          for (let i = 0; i < words.length && engine.verdict().mask === 0; ) i += engine.step(i, words.length);
          const broken = engine.verdict().mask !== 0;
          assert.deepEqual(broken ? engine.verdict() : engine.finish(words.length), whole);
          assert.deepEqual(engine.results(words.length), results);
        }),
        { numRuns: 300 },
      );
    }
  });

  it('goes on from a saved state as if nothing had happened', () => {
    engine.configure(spec('repaired'));
    fc.assert(
      fc.property(busyProgram(ops), fc.nat(40), fc.array(fc.nat(255)), (words, cut, rubbish) => {
        const n = words.length;
        const starts: number[] = [];
        engine.begin(words);
        let i = 0;
        for (; i < Math.min(cut, n); ) {
          starts.push(i);
          i += engine.step(i, n);
        }
        const from = i;
        const saved = engine.save();
        const rest = () => {
          for (let k = from; k < n; ) k += engine.step(k, n);
          return { world: engine.snapshot(), results: engine.results(n), verdict: engine.finish(n) };
        };
        const first = rest();
        engine.bytes('WORLD', rubbish.length).set(rubbish);
        engine.restore(saved);
        assert.deepEqual(engine.save(), saved);
        assert.deepEqual(rest(), first);
      }),
      { numRuns: 300 },
    );
  });

  it('tells leaves in kernel terms', () => {
    const reader = new WorldReader(catalogue);
    const leafAfter = (text: string, kernel = 'repaired') => {
      engine.configure(spec(kernel));
      engine.begin(parse(text));
      const n = parse(text).length;
      for (let i = 0; i < n; ) i += engine.step(i, n);
      const world = reader.world(engine.snapshot());
      return leafText(world.mms[0]!.leaves[0]!);
    };
    const start = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0';
    assert.equal(leafAfter('mmap A p0'), 'none');
    assert.equal(leafAfter('mmap A p0; read A p0'), 'P A Z');
    assert.equal(leafAfter('mmap A p0; write A p0'), 'P W D A SD');
    assert.equal(leafAfter(start), 'P D A U SD');
    assert.equal(leafAfter(`${start}; clear_refs A`), 'P D A U');
    assert.equal(leafAfter(`${start}; numa_hint A p0`), 'N D A U SD');
    assert.equal(leafAfter(`${start}; pageout A p0`), 'swap(slot 0, U, SD, E)');
    assert.equal(leafAfter(`${start}; pageout A p0`, 'v5.7'), 'swap(slot 0, U, SD)');
    assert.equal(leafAfter('mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0'), 'marker(UFFD_WP)');
    assert.equal(leafAfter('mmap A thp; write A p0'), 'P W D A SD PSE');
    assert.equal(leafAfter('mmap A dax; read A p0'), 'P A Z PSE');
  });
});

describe('a trap', () => {
  /** (module (func (export "f") unreachable)) */
  const UNREACHABLE = Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11],
  );

  it('is told apart from other errors, with its frames', () => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(UNREACHABLE));
    assert.throws(
      () => trapped(exports.f as () => void),
      (error) => {
        assert.ok(error instanceof EngineTrap);
        assert.equal(error.frames.length, 1);
        return true;
      },
    );
    assert.throws(
      () =>
        trapped(() => {
          throw new TypeError('mine');
        }),
      TypeError,
    );
  });

  it('names the AssemblyScript line of a byte offset', () => {
    const map = new TraceMap(readFileSync(new URL(`${WASM_URL.href}.map`), 'utf8'));
    const offsets = new Map<number, string>();
    eachMapping(map, ({ generatedColumn, source, originalLine }) => {
      if (source?.endsWith('assembly/mm/memory.ts')) offsets.set(generatedColumn, `${source}:${originalLine}`);
    });
    assert.ok(offsets.size > 100, `${offsets.size} places of mm/memory.ts in the map`);
    const lines = readFileSync(new URL('../../assembly/mm/memory.ts', import.meta.url), 'utf8').split('\n');
    for (const [offset, place] of offsets) {
      const stack = `RuntimeError: x\n    at wasm://wasm/1234:wasm-function[9]:0x${offset.toString(16)}`;
      assert.deepEqual(trapFrames(stack), [place]);
      assert.match(lines[Number(place.split(':')[1]) - 1]!, /^(?!\s*\/\/).*[a-z]/i, `${place} is no code`);
    }
  });
});
