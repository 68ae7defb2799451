// What every mutant is tried with before anything is drawn at random: the corpus's programs, scenes that were thought out,
// and those by which a short campaign on the kernel as it is reached its states.

import { shardResult } from '../campaign/batches.js';
import { Learned, shareKnowledge } from '../campaign/knowledge.js';
import type { KnobVector } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { Fuzzer, type Knowledge } from '../engine/fuzzer.js';
import { MAX_OPS } from '../engine/opword.js';
import { CORPUS } from '../score/corpus.js';
import { parseProgram } from '../text/parse.js';
import { SCENES } from './scenes.js';
import { SCENES_CALLS } from './scenes-calls.js';

const SEED = 1n;
const SHARDS = 24;
const SHARD_PROGRAMS = 2000;
const DRAWN = 3000;
const NO_WORD = 0xffffffff;

export interface Learnt {
  readonly knowledge: Knowledge;
  /** Op words. */
  readonly programs: readonly Uint32Array[];
  /** Of a shard that the campaign did not come to. */
  readonly drawn: readonly Uint32Array[];
}

function draw(engine: Engine, fuzzer: Fuzzer, knowledge: Knowledge): Uint32Array[] {
  fuzzer.begin(SEED, SHARDS, 'guided', true, knowledge);
  return Array.from({ length: DRAWN }, (_, index) => {
    const area = new Uint32Array(engine.module.memory.buffer, engine.catalogue.at('PROGRAM'), MAX_OPS).fill(NO_WORD);
    fuzzer.run(index, 1);
    const end = area.indexOf(NO_WORD);
    return area.slice(0, end < 0 ? area.length : end);
  });
}

export function learn(engine: Engine, vector: KnobVector): Learnt {
  const fuzzer = new Fuzzer(engine);
  const { catalogue } = engine;
  const learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'));
  engine.setJudges('touched');
  for (let shard = 0; shard < SHARDS; shard++) {
    engine.configureVector(vector);
    fuzzer.begin(SEED, shard, 'guided', true, learned.snapshot());
    fuzzer.run(0, SHARD_PROGRAMS);
    learned.merge(shardResult(fuzzer));
  }
  const knowledge = shareKnowledge(learned.snapshot());
  const kept: Uint32Array[] = [];
  let from = 0;
  for (const length of knowledge.lengths) {
    kept.push(knowledge.words.slice(from, from + length));
    from += length;
  }
  const scenes = [...SCENES, ...SCENES_CALLS].map(({ program }) => program);
  const texts = new Set([...CORPUS.map(({ trigger }) => trigger), ...scenes]);
  const written = [...texts].map((text) => parseProgram(text, catalogue.ops));
  return { knowledge, programs: [...written, ...kept], drawn: draw(engine, fuzzer, knowledge) };
}
