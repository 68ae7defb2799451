// The fixed set of programs that golden traces are made of, and how they are taken.
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { CORPUS } from '../score/corpus.js';
import { parseProgram } from '../text/parse.js';
import { Expresser } from './express.js';
import { ProgramGenerator } from './generate.js';
import { encodeGolden, type GoldenFile, type GoldenTrace } from './golden.js';
import type { PageLayout } from './observed.js';
import { SELFTESTS, trialOf } from './selftests.js';
import type { Target } from './target.js';

/** Generated programs of each layout. */
const GENERATED: Readonly<Record<PageLayout, number>> = { pte: 160, pmd: 60 };
const SEED = 20200810n;
const OPS = 32;
/** A program is kept if the kernel does the same so many times in a row. */
const TIMES = 3;

interface Wanted {
  readonly layout: PageLayout;
  readonly words: Uint32Array;
}

/** Bug corpus, selftests, and random programs of a fixed seed, as `target` can do them; each once. */
function programs(engine: Engine, spec: KernelSpec, target: Target): Wanted[] {
  const { ops } = engine.catalogue;
  const { can } = target.backend;
  const wanted = new Map<string, Wanted>();
  for (const layout of ['pte', 'pmd'] as const) {
    const expresser = new Expresser(engine, can, layout);
    const add = (words: Uint32Array) => {
      if (words.length > 1) wanted.set(`${layout} ${words.join()}`, { layout, words });
    };
    engine.setJudges('off');
    engine.configure(spec);
    for (const { trigger } of CORPUS) {
      const thp = /\bthp\b/.test(trigger);
      if (thp === (layout === 'pmd')) add(expresser.program(parseProgram(trigger, ops)));
    }
    for (const selftest of SELFTESTS) {
      if (selftest.layout === layout) add(expresser.program(trialOf(selftest, ops).words));
    }
    const generator = new ProgramGenerator(engine, { spec, seed: SEED, layout, can, ops: OPS });
    for (const words of generator.programs(0, GENERATED[layout])) add(words);
  }
  return [...wanted.values()];
}

/** Runs the fixed set on the target; what it does not do the same way each time is left out. Rejects as it does. */
export async function recordGolden(engine: Engine, spec: KernelSpec, target: Target): Promise<GoldenFile> {
  const { ops } = engine.catalogue;
  const { backend, describe, machine } = target;
  const traces: GoldenTrace[] = [];
  const wanted = programs(engine, spec, target);
  for (const layout of ['pte', 'pmd'] as const) {
    const set = wanted.filter((one) => one.layout === layout).map(({ words }) => words);
    const times = [];
    for (let i = 0; i < TIMES; i++) times.push(await backend.run(set, layout));
    for (const [i, words] of set.entries()) {
      const runs = times.map((time) => time[i]!);
      if (runs.some(({ trouble }) => trouble !== undefined)) continue;
      const head = { release: '', describe: '', machine: [], can: backend.can, missing: [] };
      const texts = runs.map((run) => JSON.stringify(encodeGolden({ ...head, traces: [{ layout, words, run }] }, ops)));
      if (new Set(texts).size === 1) traces.push({ layout, words, run: runs[0]! });
    }
  }
  const { release, can, missing } = backend;
  return encodeGolden({ release, describe, machine, can, missing, traces }, ops);
}
