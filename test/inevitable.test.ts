import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import { type CheckResult, checkKernel } from '../src/explore/check.js';
import { BROKEN, buildGraph, type EdgeSource, type Edges, type Graph } from '../src/explore/graph.js';
import { decisiveStep, HORIZON, Inevitability, type Odds, oddsOf, type Prospects } from '../src/explore/inevitable.js';
import { parseScope } from '../src/explore/scope.js';
import { diagnose } from '../src/findings/finding.js';
import { prospectsText } from '../src/report/prospects.js';
import { parseProgram } from '../src/text/parse.js';
import { sampled } from './sampled.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));

/** A transition: to a state, or a promise that breaks. */
type Move = number | { readonly breaks: number };

/** States as rows of their transitions. An entry is its state's number, in as many bytes as the depth and four more. */
class Toy implements EdgeSource {
  readonly batch: number;
  readonly #rows: readonly (readonly Move[])[];
  #next: number[] = [];
  #depth = 0;

  constructor(rows: readonly (readonly Move[])[], batch = 2) {
    this.#rows = rows;
    this.batch = batch;
  }

  entrySize(depth: number): number {
    return depth + 4;
  }

  roots(): Uint8Array {
    return this.#entry(0, 0);
  }

  rootFingerprints(): BigUint64Array {
    return BigUint64Array.of(print(0));
  }

  edges(entries: Uint8Array, count: number, depth: number): Edges {
    const size = this.entrySize(depth);
    const all = Array.from({ length: count }, (_, i) => {
      const state = new DataView(entries.buffer, entries.byteOffset + i * size).getUint32(0, true);
      return this.#rows[state]!.map((move, step) => ({ move, origin: (i << 16) | step }));
    }).flat();
    this.#next = all.map(({ move }) => (typeof move === 'number' ? move : -1));
    this.#depth = depth;
    const words = all.map(({ move }) => (typeof move === 'number' ? print(move) : BigInt(move.breaks)));
    return {
      count: all.length,
      targets: new Uint32Array(BigUint64Array.from(words).buffer),
      broken: Uint8Array.from(all, ({ move }) => (typeof move === 'number' ? 0 : 1)),
      origins: Uint32Array.from(all, ({ origin }) => origin),
    };
  }

  collect(chosen: Uint8Array): Uint8Array {
    const entries = this.#next.filter((_, i) => chosen[i]).map((state) => this.#entry(state, this.#depth + 1));
    return Uint8Array.from(entries.flatMap((entry) => [...entry]));
  }

  #entry(state: number, depth: number): Uint8Array {
    const bytes = new Uint8Array(this.entrySize(depth));
    new DataView(bytes.buffer).setUint32(0, state, true);
    return bytes;
  }
}

/** Three states each have the same home. */
function print(state: number): bigint {
  return (BigInt(Math.floor(state / 3)) << 32n) | BigInt(state + 1);
}

const ONE = { breaks: 1 << 1 };
const OTHER = { breaks: 1 << 2 };
const BOTH = { breaks: (1 << 1) | (1 << 2) };

async function toy(rows: readonly (readonly Move[])[]): Promise<Graph> {
  const graph = await buildGraph(new Toy(rows), { states: 1000, transitions: 10_000 });
  assert.ok(graph);
  return graph;
}

describe('the graph', () => {
  it('has every transition, self-loops and parallel ones too', async () => {
    const graph = await toy([[1, 2, 0], [2, 2, ONE], [], [0]]);
    assert.equal(graph.states, 3);
    assert.deepEqual([...graph.first], [0, 2, 5, 5]);
    assert.deepEqual([...graph.targets], [1, 2, 2, 2, BROKEN + 2]);
    assert.deepEqual([[...graph.loops], graph.transitions], [[1, 0, 0], 6]);
    assert.equal(graph.stateOf(print(2)), 2);
    assert.equal(graph.stateOf(print(3)), undefined, 'nothing leads to the fourth row');
  });

  it('grows, and ends where its limits are', async () => {
    const ring = Array.from({ length: 3000 }, (_, i) => [(i + 1) % 3000, (i * 17) % 3000]);
    const graph = await buildGraph(new Toy(ring, 100), { states: 3000, transitions: 6000 });
    assert.equal(graph?.states, 3000);
    assert.equal(graph?.transitions, 6000);
    assert.equal(new Set(graph?.targets).size, 3000);
    assert.deepEqual(
      [graph?.loops[0], graph?.first[3000]],
      [1, 5999 - ring.filter(([, to], i) => i > 0 && to === i).length],
    );
    assert.equal(await buildGraph(new Toy(ring, 100), { states: 2999, transitions: 6000 }), undefined);
    assert.equal(await buildGraph(new Toy(ring, 100), { states: 3000, transitions: 5999 }), undefined);
  });
});

describe('a signal', () => {
  it('ends both the graph and the odds', async () => {
    const rows = [[1, ONE], [0]];
    assert.equal(await buildGraph(new Toy(rows), undefined, AbortSignal.abort()), undefined);
    assert.equal(await oddsOf(await toy(rows), [1], 8, AbortSignal.abort()), undefined);
  });
});

async function only(graph: Graph, invariant: number, horizon: number): Promise<Odds> {
  const odds = await oddsOf(graph, [invariant], horizon);
  return odds!.get(invariant)!;
}

describe('the odds of a graph', () => {
  it('are exact', async () => {
    // 0 goes on to 1 by one of four steps; 1 breaks the promise by one of three, and another one by the second.
    const graph = await toy([
      [1, 0, 0, 0],
      [ONE, OTHER, 1],
    ]);
    const at1 = (k: number) => (1 / 2) * (1 - (1 / 3) ** k);
    const at0 = (k: number): number => (k === 0 ? 0 : (1 / 4) * at1(k - 1) + (3 / 4) * at0(k - 1));
    for (const horizon of [1, 2, 3, 8, 32]) {
      const { probability, distance } = await only(graph, 1, horizon);
      assert.ok(Math.abs(probability[1]! - at1(horizon)) < 1e-12, `${horizon}: ${probability[1]}`);
      assert.ok(Math.abs(probability[0]! - at0(horizon)) < 1e-12, `${horizon}: ${probability[0]}`);
      assert.deepEqual([...distance], [horizon < 2 ? 0 : 2, 1]);
    }
  });

  it('tell promises apart, and what never happens', async () => {
    const graph = await toy([[1, 2, 3], [BOTH], [OTHER], [], []]);
    assert.deepEqual([...(await only(graph, 1, 2)).probability], [1 / 3, 1, 0, 0]);
    assert.deepEqual([...(await only(graph, 2, 2)).probability], [2 / 3, 1, 1, 0]);
    assert.deepEqual([...(await only(graph, 3, 2)).distance], [0, 0, 0, 0]);
    const together = await oddsOf(graph, [2, 1], 2);
    for (const invariant of [1, 2]) assert.deepEqual(together!.get(invariant), await only(graph, invariant, 2));
  });

  it('mark the step by which the probability rose most, but never the violation', () => {
    assert.equal(decisiveStep([0.1, 0.2, 0.6, 0.7, 1]), 2);
    assert.equal(decisiveStep([0.1, 0.2, 1]), 1);
    assert.equal(decisiveStep([0.1, 1]), undefined);
  });
});

const engine = loadEngine();
const { catalogue } = engine;
const SPEC = { kernel: 'v5.7', with: [], without: [] };
/** Closes in a second. */
const SCOPE = parseScope('swap=0,uffd=none');
const LEAK = 'mmap A p0; write A p0; h=gup A p0 R GET; fork A->B; munmap A p0; write B p0';

describe('inevitability', () => {
  const words = parseProgram(LEAK, catalogue.ops);
  let check: CheckResult;
  let inevitability: Inevitability;
  let prospects: Prospects;
  let invariant: number;

  before(async () => {
    const options = { symmetry: 'full', workers: 1, memory: 2 ** 28, visited: { kind: 'exact' }, until: 0 } as const;
    check = await checkKernel(engine, SPEC, SCOPE, options);
    const made = await Inevitability.of(check.subject);
    assert.ok(made);
    inevitability = made;
    const diagnosis = diagnose(engine, SPEC, words);
    assert.ok(diagnosis);
    invariant = diagnosis.violation.invariant;
    const answer = await inevitability.of(engine, [{ words, invariant }]);
    assert.ok(answer);
    prospects = answer[0]!;
  });

  it('knows the graph that the search counts', () => {
    const { result } = check;
    assert.equal(result.ended, 'closed');
    assert.equal(inevitability.graph.states, result.states);
    assert.equal(inevitability.graph.transitions, result.transitions);
  });

  it('draws nearer with every step of a shortest program', () => {
    assert.deepEqual(
      prospects.steps.map(({ distance }) => distance),
      [6, 5, 4, 3, 2, 1, 0],
    );
    const probabilities = prospects.steps.map(({ probability }) => probability);
    assert.ok(
      probabilities.every((value, i) => i === 0 || value > probabilities[i - 1]!),
      probabilities.join(),
    );
    assert.equal(probabilities.at(-1), 1);
  });

  it('is what random programs do', () => {
    const samples = 20_000;
    for (const step of [2, 4, 5]) {
      const { probability } = prospects.steps[step]!;
      const share = sampled(engine, SPEC, check.subject.alphabet, words.subarray(0, step), invariant, samples);
      const error = Math.sqrt((probability * (1 - probability)) / samples);
      assert.ok(Math.abs(share - probability) < 4 * error, `step ${step}: ${share}, not ${probability} +- ${error}`);
    }
  });

  it('is a table that fits a mail', () => {
    const lines = prospectsText(prospects);
    assert.ok(lines.every(({ length }) => length <= 78));
    assert.match(lines.at(-1)!, /^ {2}6\. write B p0 +0 +broken {2}#{20}$/);
    assert.equal(lines.filter((line) => line.endsWith('<<')).length, 1);
    assert.match(lines.find((line) => line.endsWith('<<'))!, new RegExp(`^ {2}${prospects.decisive}\\. `));
  });
});

describe('check', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [BIN, 'check', '--kernel', 'v5.7', '--workers', '1', ...args], { encoding: 'utf8' });

  it('tells it where the graph is small', () => {
    const { stdout } = run('--scope', 'swap=0,uffd=none,gup=R.GET');
    assert.match(stdout, /\n {2}0\. \(empty\) +6 +[\d.]+ %\n {2}1\. mmap A p0 anon +5 /);
    const { findings } = JSON.parse(run('--scope', 'swap=0,uffd=none', '--json').stdout) as {
      findings: { length: number; inevitability: Prospects }[];
    };
    assert.ok(findings.length > 1);
    for (const { length, inevitability } of findings) {
      assert.equal(inevitability.horizon, HORIZON);
      assert.equal(inevitability.steps.length, length + 1);
      assert.deepEqual([inevitability.steps[0]!.distance, inevitability.steps.at(-1)!.probability], [length, 1]);
    }
  });

  it('knows concurrent steps', () => {
    const { findings } = JSON.parse(run('--scope', 'mms=1,gup=none,zap=0,pairs=1', '--json').stdout) as {
      findings: { program: string; label: string; inevitability: Prospects }[];
    };
    const concurrent = findings.filter(({ program }) => program.includes(' || '));
    assert.ok(concurrent.length > 0);
    for (const { label, inevitability } of concurrent) {
      assert.equal(label, `shortest (exhaustive to length ${inevitability.steps.length - 1})`);
      assert.ok(inevitability.steps.some(({ text }) => text.startsWith('[')));
    }
  });

  it('says nothing of a graph that it does not know', () => {
    const { stdout } = run('--scope', 'swap=0,uffd=none', '--until', 'any');
    assert.ok(stdout.includes('exhaustive to length'));
    assert.ok(!stdout.includes('What was left after each step') && !stdout.includes('--inevitable'));
    const without = run('--scope', 'swap=0,uffd=none', '--no-inevitable').stdout;
    assert.ok(!without.includes('What was left after each step'));
    assert.match(without, /^With --inevitable: how near each step/m);
  });
});
