import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { SCENES } from '../src/mutants/scenes.js';
import { SCENES_CALLS } from '../src/mutants/scenes-calls.js';
import { slugsOf } from '../src/score/hunt.js';
import { parseProgram } from '../src/text/parse.js';

const scenes = [...SCENES, ...SCENES_CALLS];

describe('the scenes for mutants', () => {
  it('are each written once', () => {
    assert.equal(new Set(scenes.map(({ what }) => what)).size, scenes.length);
    assert.equal(new Set(scenes.map(({ program }) => program)).size, scenes.length);
  });

  it('break no promise of the kernel that is mutated', () => {
    const engine = loadEngine();
    engine.configure({ kernel: 'repaired', with: [], without: [] });
    for (const { what, program } of scenes) {
      const { mask } = engine.run(parseProgram(program, engine.catalogue.ops));
      assert.deepEqual(slugsOf(engine, mask), [], `${what}: ${program}`);
    }
  });
});
