// The fixed set of programs that golden traces are made of, and how they are taken.
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { CORPUS } from '../score/corpus.js';
import { parseProgram } from '../text/parse.js';
import { Expresser } from './express.js';
import { ProgramGenerator } from './generate.js';
import { encodeGolden, type GoldenFile, type GoldenTrace } from './golden.js';
import type { Capability, PageLayout } from './observed.js';
import { SELFTESTS, trialOf } from './selftests.js';
import type { Target } from './target.js';
import { TAUGHT } from './taught.js';

/** Generated programs of each layout. */
const GENERATED: Readonly<Record<PageLayout, number>> = { pte: 180, pmd: 70 };
const SEED = 20200810n;
const OPS = 32;
/** A program is kept if the kernel does the same so many times in a row. */
const TIMES = 3;

/** Programs with a purpose, as `can` allows them, each once: of the bug corpus, of the selftests, and what taught the model. */
export function directedPrograms(
  engine: Engine,
  spec: KernelSpec,
  can: ReadonlySet<Capability>,
  layout: PageLayout,
): Uint32Array[] {
  const { ops } = engine.catalogue;
  const expresser = new Expresser(engine, can, layout);
  engine.setJudges('off');
  engine.configure(spec);
  const triggers = CORPUS.map(({ trigger }) => trigger).filter((text) => /\bthp\b/.test(text) === (layout === 'pmd'));
  const cases = SELFTESTS.filter((selftest) => selftest.layout === layout);
  const asked = [
    ...[...triggers, ...TAUGHT[layout]].map((text) => parseProgram(text, ops)),
    ...cases.map((selftest) => trialOf(selftest, ops).words),
  ];
  const programs = asked.map((words) => expresser.program(words)).filter((words) => words.length > 1);
  return [...new Map(programs.map((words) => [words.join(), words])).values()];
}

/** Those, and random programs of a fixed seed. */
function programs(engine: Engine, spec: KernelSpec, can: ReadonlySet<Capability>, layout: PageLayout): Uint32Array[] {
  const directed = directedPrograms(engine, spec, can, layout);
  const generator = new ProgramGenerator(engine, { spec, seed: SEED, layout, can, ops: OPS });
  return [...directed, ...generator.programs(0, GENERATED[layout])];
}

/** Runs the fixed set on the target; what it does not do the same way each time is left out. Rejects as it does. */
export async function recordGolden(engine: Engine, spec: KernelSpec, target: Target): Promise<GoldenFile> {
  const { ops } = engine.catalogue;
  const { backend, describe, machine } = target;
  const traces: GoldenTrace[] = [];
  for (const layout of ['pte', 'pmd'] as const) {
    const set = programs(engine, spec, backend.can, layout);
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
