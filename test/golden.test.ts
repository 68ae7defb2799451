import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { goldenFiles } from '../src/cli/conform-tables.js';
import { Comparison, kindOf } from '../src/conform/compare.js';
import { ProgramGenerator } from '../src/conform/generate.js';
import { decodeGolden, encodeGolden, type GoldenFile, type Recording } from '../src/conform/golden.js';
import { matchKernel, modelSpec } from '../src/conform/match.js';
import { ModelBackend } from '../src/conform/model.js';
import { OpenTable } from '../src/conform/open.js';
import { loadEngine } from '../src/engine/engine.js';
import type { KernelSpec } from '../src/engine/types.js';
import { printProgram } from '../src/text/print.js';

// What five kernels did, kept in test/golden, and the models of today: they agree, without root and without a kernel.

const engine = loadEngine();
const { catalogue } = engine;
const { ops } = catalogue;
const files = goldenFiles(fileURLToPath(new URL('../../test/golden/', import.meta.url)));

function differences(recording: Recording, spec: KernelSpec, kernel: string): string[] {
  const model = new ModelBackend(spec, engine);
  const open = new OpenTable(kernel);
  return recording.traces.flatMap(({ layout, words, run }) => {
    const comparison = open.comparison(ops, layout);
    const difference = comparison.first(words, model.runSync([words])[0]!, run);
    return difference ? [`${kindOf(difference)}: ${layout} ${printProgram(words, ops)}`] : [];
  });
}

describe('golden traces', () => {
  it('are there for kernels of every era', () => {
    const releases = files.map(({ file }) => file.release.replace(/^(\d+\.\d+).*/, '$1'));
    assert.deepEqual(releases.sort(), ['5.10', '6.1', '6.12', '6.18', '7.2']);
    for (const { file } of files) {
      assert.ok(file.programs.length > 200, `${file.release}: ${file.programs.length} programs`);
      assert.match(file.describe, /\S/);
    }
  });

  for (const { file } of files) {
    it(`the model agrees with ${file.release}`, () => {
      const { kernel } = matchKernel(file.release, catalogue);
      assert.deepEqual(differences(decodeGolden(file, ops), modelSpec(kernel, catalogue, file.machine), kernel), []);
    });

    it(`a model that is wrong does not agree with ${file.release}`, () => {
      const { kernel } = matchKernel(file.release, catalogue);
      const { with: knobs, ...rest } = modelSpec(kernel, catalogue, file.machine);
      const wrong = { ...rest, with: [...knobs, 'mutant.fork_keeps_write'] };
      const found = differences(decodeGolden(file, ops), wrong, kernel);
      assert.ok(found.length > 10, `${found.length} differ`);
    });
  }

  it('hold everything that was observed', () => {
    const model = new ModelBackend(modelSpec('v6.18', catalogue), engine);
    for (const layout of ['pte', 'pmd'] as const) {
      const programs = new ProgramGenerator(engine, { spec: model.spec, seed: 5n, layout, can: model.can, ops: 40 });
      const traces = programs.programs(0, 200).map((words) => ({ layout, words, run: model.runSync([words])[0]! }));
      const head = { release: '6.18.0', describe: 'a model', machine: [], can: model.can, missing: ['x: y'] };
      const file = JSON.parse(JSON.stringify(encodeGolden({ ...head, traces }, ops))) as GoldenFile;
      const back = decodeGolden(file, ops);
      assert.deepEqual([back.release, back.can, back.missing], ['6.18.0', model.can, ['x: y']]);
      const comparison = new Comparison(ops, layout);
      for (const [i, { words, run }] of back.traces.entries()) {
        assert.deepEqual(words, traces[i]!.words);
        assert.equal(comparison.first(words, traces[i]!.run, run), undefined);
        const plain = (seen: unknown) => JSON.stringify(seen, (key, value) => (key === 'frame' ? undefined : value));
        assert.deepEqual(JSON.parse(plain(run.ops)), JSON.parse(plain(traces[i]!.run.ops)));
      }
    }
  });

  it('refuse what they do not understand', () => {
    const [first] = files;
    assert.throws(() => decodeGolden({ ...first!.file, format: 2 as 1 }, ops), /format 2/);
    const [program] = first!.file.programs;
    const bad = { ...first!.file, programs: [{ ...program!, ops: ['0 o', 'nonsense'] }] };
    assert.throws(() => decodeGolden({ ...bad, programs: [{ ...program!, ops: ['0 o nonsense'] }] }, ops), /nonsense/);
    const trouble = { ...decodeGolden(first!.file, ops) };
    const traces = [{ ...trouble.traces[0]!, run: { ops: [], trouble: 'it died' } }];
    assert.throws(() => encodeGolden({ ...trouble, traces }, ops), /it died/);
  });
});
