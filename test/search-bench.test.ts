import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checked, formatSearches, measureSearches, type Searcher } from '../bench/explore.js';

describe('the search bench', () => {
  const fake = (id: string, seconds: number[]): Searcher => ({
    id,
    label: `label of ${id}`,
    search: async () => ({ states: 1000, transitions: 22_000, bytes: 8000, seconds: seconds.shift()! }),
  });

  it('takes turns, and relates each search to the first of the same round', async () => {
    const order: string[] = [];
    const onSample = ({ id, round }: { id: string; round: number }) => void order.push(`${round} ${id}`);
    const searchers = [fake('slow', [10, 30]), fake('fast', [1, 2])];
    const table = await measureSearches('title', searchers, { samples: 2, onSample });
    assert.deepEqual(order, ['1 slow', '1 fast', '2 slow', '2 fast']);
    const [slow, fast] = table.rows;
    assert.deepEqual(slow!.ratio, { median: 1, min: 1, max: 1 });
    assert.deepEqual(fast!.ratio, { median: 12.5, min: 10, max: 15 });
    assert.deepEqual(fast!.kstates, { median: 0.75, min: 0.5, max: 1 });
    assert.equal(fast!.bytesPerState, 8);
    const lines = formatSearches([table]).split('\n');
    assert.match(lines[0]!, /^title .* vs label of slow/);
    assert.equal(new Set(lines.slice(0, 3).map(({ length }) => length)).size, 1, 'columns are aligned');
  });

  it('measures a real search of the small handler', async () => {
    const subject = { kind: 'small', symmetry: 'full', mutants: 0, lanes: true } as const;
    const count = await checked({ subject, workers: 1 });
    assert.equal(count.transitions, count.states * 22);
    assert.ok(count.bytes >= count.states * 8 && count.seconds > 0);
  });

  it('rejects what is not a positive whole number', async () => {
    await assert.rejects(measureSearches('title', [fake('a', [1])], { samples: 0 }), RangeError);
  });
});
