import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { formatKernel, runKernel } from '../bench/kernel.js';

// The bench of the running kernel: what can be measured here is, and the rest says why not.

const compiler = process.env.CC || 'cc';
const compiles = process.platform === 'linux' && spawnSync(compiler, ['--version']).status === 0;

describe('the running kernel', () => {
  it('is measured beside the model, in the same round', async () => {
    const table = await runKernel({ samples: 1 });
    const ids = table.rows.map(({ id }) => id);
    assert.equal(ids[0], 'model-faults');
    assert.ok(ids.includes('model-ops'));
    for (const { id, kps, model } of table.rows) {
      assert.ok(kps.median > 0 && Number.isFinite(kps.median), id);
      assert.equal(kps.min, kps.max, id);
      if (model) assert.ok(model.median > 0, id);
    }
    if (compiles) {
      for (const id of ['syscall', 'anon-write', 'cow']) assert.ok(ids.includes(id), id);
      const rate = (id: string) => table.rows.find((row) => row.id === id)!.kps.median;
      assert.ok(rate('syscall') > rate('cow'), 'a fault that copies costs more than an empty call');
    } else {
      assert.match(table.missing.join('\n'), /compiler/);
    }
    const text = formatKernel(table);
    assert.match(text, /^real kernel, .*model : kernel/);
    assert.equal(text.split('\n').filter((line) => line.startsWith('not measured')).length, table.missing.length);
  });

  it('without a compiler says what is missing and measures the model', async () => {
    const before = process.env.CC;
    process.env.CC = '/nowhere/cc';
    try {
      const { rows, missing } = await runKernel({ samples: 1 });
      assert.deepEqual(
        rows.map(({ id }) => id).filter((id) => !id.startsWith('executor')),
        ['model-faults', 'model-ops'],
      );
      assert.match(missing[0]!, /raw fault rates: \/nowhere\/cc does not work here .*install a C compiler/);
    } finally {
      if (before === undefined) delete process.env.CC;
      else process.env.CC = before;
    }
  });

  it('refuses samples that are no number of rounds', async () => {
    await assert.rejects(runKernel({ samples: 0 }), RangeError);
  });
});
