// Random programs run one by one: what a graph says of them, without the graph.
import assert from 'node:assert/strict';
import type { Engine } from '../src/engine/engine.js';
import { MAX_OPS, RESULT } from '../src/engine/opword.js';
import type { KernelSpec } from '../src/engine/types.js';
import { HORIZON } from '../src/explore/inevitable.js';

/** A generator of 32-bit numbers: xorshift. */
function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Share of random programs after `prefix` that break `invariant`, each step drawn evenly among those that apply. */
export function sampled(
  engine: Engine,
  spec: KernelSpec,
  alphabet: Uint32Array,
  prefix: Uint32Array,
  invariant: number,
  samples: number,
): number {
  const draw = random(20_200_810);
  const program = () => new Uint32Array(engine.module.memory.buffer, engine.catalogue.at('PROGRAM'), MAX_OPS);
  engine.configure(spec);
  engine.setJudges('world');
  engine.begin(prefix);
  for (let i = 0; i < prefix.length; i++) engine.step(i, prefix.length);
  assert.equal(engine.brokenSoFar(), 0);
  const start = engine.save();
  let hits = 0;
  for (let n = 0; n < samples; n++) {
    engine.restore(start);
    let mask = 0;
    const refused = new Set<number>();
    // Where everybody has exited, nothing applies.
    for (let at = prefix.length; at < prefix.length + HORIZON && mask === 0 && refused.size < alphabet.length; ) {
      const word = alphabet[draw(alphabet.length)]!;
      program()[at] = word;
      engine.step(at, at + 1);
      // An op that does not apply changes nothing: drawing again is drawing among those that do.
      if (engine.result(at) === RESULT.SKIP) {
        refused.add(word);
        continue;
      }
      refused.clear();
      at++;
      mask = engine.brokenSoFar();
    }
    if ((mask >>> invariant) & 1) hits++;
    if (mask !== 0) engine.begin(prefix);
  }
  engine.setJudges('touched');
  return hits / samples;
}
