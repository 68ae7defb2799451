import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { alphabet } from '../src/explore/alphabet.js';
import { type EngineSpec, EngineSubject, pageOrders } from '../src/explore/engine-subject.js';
import { explore } from '../src/explore/explore.js';
import { parseScope } from '../src/explore/scope.js';
import type { Symmetry } from '../src/explore/types.js';
import { printProgram } from '../src/text/print.js';

const { catalogue } = loadEngine();

function specOf(kernel: string, scope: string, symmetry: Symmetry = 'full'): EngineSpec {
  const asked = parseScope(scope);
  const { alphabet: words, pairs, mms, pages } = alphabet(catalogue, asked);
  const vector = catalogue.vector({ kernel, with: [], without: [] });
  return { kind: 'engine', vector, alphabet: words, pairs, mms, pages, asleep: asked.asleep, symmetry };
}

/** Small, and the same on every machine. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

interface Census {
  readonly states: number;
  /** Visits of a state that another path had reached. */
  readonly again: number;
  /** Two paths with one fingerprint, after which not the same can come. */
  readonly conflict?: string;
}

/** Random walks through whole programs: what comes after a state must be a function of its fingerprint. */
function census(spec: EngineSpec, walks: number, length: number): Census {
  const subject = new EngineSubject(spec);
  const draw = random(walks);
  const seen = new Map<bigint, { readonly digest: bigint; readonly path: Uint16Array }>();
  const steps = spec.alphabet.length;
  const words = (path: Uint16Array) => Uint32Array.from(path, (step) => spec.alphabet[step]!);
  let again = 0;
  for (let walk = 0; walk < walks; walk++) {
    let path = new Uint16Array();
    let here: bigint | undefined;
    for (let tries = 0; tries < 12 * length && path.length < length; tries++) {
      const next = Uint16Array.from([...path, draw(steps)]);
      if (subject.engine.mask(words(next)) !== 0) continue;
      const { fingerprint, digest } = subject.inspect(next);
      if (fingerprint === here) continue;
      here = fingerprint;
      path = next;
      const known = seen.get(fingerprint);
      if (!known) seen.set(fingerprint, { digest, path });
      else if (known.digest === digest) again++;
      else {
        const text = (of: Uint16Array) => printProgram(words(of), catalogue.ops);
        return { states: seen.size, again, conflict: `${text(known.path)}\nand ${text(path)}` };
      }
    }
  }
  return { states: seen.size, again };
}

describe('what can come after a state is a function of its fingerprint', () => {
  const scopes: [string, string, number][] = [
    ['repaired', 'gup=common', 500],
    ['repaired', 'mms=3,gup=common+longterm,pins=2,uffd=none,mprotect=1', 250],
    ['v5.7', 'gup=all,softdirty=1', 400],
    ['v5.8', 'uffd=all,asleep=4,gup=W.PIN,cpus=2', 400],
    ['seed', 'gup=asked+common,swap=0,mprotect=1', 400],
    ['v5.9', 'pages=2,numa=1,gup=force', 250],
    ['v6.18', 'pages=4,pmds=1,gup=common,zap=0', 200],
    ['repaired', 'dax=1,uffd=none,swap=0', 800],
    ['seed', 'dax=1,gup=common+asked,zap=0', 800],
    ['v7.2', 'pages=3,asleep=2,mprotect=1,softdirty=1', 250],
    ['repaired', 'migrate=1,gup=common,mprotect=1,softdirty=1', 400],
    ['repaired', 'ksm=1,pages=2,gup=common,zap=0', 400],
    ['v6.1', 'migrate=1,pages=4,pmds=1,gup=W.PIN', 250],
  ];
  for (const [kernel, scope, walks] of scopes) {
    it(`${kernel}, ${scope}`, () => {
      const { conflict, again, states } = census(specOf(kernel, scope), 4 * walks, 16);
      assert.equal(conflict, undefined);
      assert.ok(again > 1000 && states > 1000, `${again} states met again of ${states}`);
    });
  }

  it('pages that have no neighbour are alike', () => {
    const spec = specOf('repaired', 'pages=8,uffd=none,gup=common');
    const single = spec.alphabet.filter((word) => ((word >>> 8) & 15) === 0 || ((word >>> 8) & 15) === 4);
    const apart: EngineSpec = { ...spec, alphabet: single, pages: 0b10001 };
    assert.deepEqual(pageOrders(apart), [
      [0, 4],
      [4, 0],
    ]);
    const { conflict, again } = census(apart, 400, 16);
    assert.equal(conflict, undefined);
    assert.ok(again > 300);
  });

  it('a fingerprint that leaves out a process is found out', () => {
    const { conflict } = census({ ...specOf('repaired', 'gup=common'), mms: 1 }, 500, 16);
    assert.match(conflict ?? '', /fork/);
  });

  it('a fingerprint that leaves out a page is found out', () => {
    const { conflict } = census({ ...specOf('repaired', 'pages=2'), pages: 1 }, 500, 16);
    assert.notEqual(conflict, undefined);
  });
});

describe('symmetry', () => {
  const LEVELS: readonly Symmetry[] = ['none', 'frames', 'mms', 'full'];

  async function shortest(kernel: string, scope: string, symmetry: Symmetry, depth: number) {
    const { violations, states, ended } = await explore({
      subject: specOf(kernel, scope, symmetry),
      workers: 1,
      depth,
      memory: 2 ** 30,
      visited: { kind: 'exact' },
      until: 0,
    });
    const lengths = new Map<number, number>();
    for (const { mask, program } of violations) {
      for (let id = 0; id < 32; id++) {
        if ((mask >> id) & 1) lengths.set(id, Math.min(lengths.get(id) ?? 99, program.length));
      }
    }
    return { lengths: [...lengths].toSorted(([a], [b]) => a - b), states, ended };
  }

  for (const [kernel, scope, depth] of [
    ['v5.7', 'gup=common', 6],
    ['v5.8', 'gup=common', 6],
    ['seed', 'gup=common+asked', 6],
    ['v5.9', 'pages=2,gup=common', 5],
    ['v5.18', 'uffd=all,swap=0', 6],
  ] as const) {
    it(`leaves verdicts and shortest lengths as they are: ${kernel}, ${scope}`, async () => {
      const results = [];
      for (const level of LEVELS) results.push(await shortest(kernel, scope, level, depth));
      const [none, ...merged] = results;
      assert.ok(none!.lengths.length > 0, 'nothing broke');
      for (const result of merged) assert.deepEqual(result.lengths, none!.lengths);
      for (let i = 1; i < results.length; i++) assert.ok(results[i]!.states <= results[i - 1]!.states);
      assert.ok(merged.at(-1)!.states < none!.states);
    });
  }
});
