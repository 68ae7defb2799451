import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Feed, rateNow, spent, storyOf } from '../src/page/watch-feed.js';
import { MOST_SAMPLES } from '../src/report/series.js';
import type { Status, Update, WatchedFinding, WatchedSample } from '../src/watch/wire.js';

function sampleAt(seconds: number, programs = 100 * seconds): WatchedSample {
  return {
    row: seconds,
    seconds,
    programs,
    ops: programs,
    faults: programs,
    points: 1,
    states: 1,
    findings: 0,
    rss: 1,
  };
}

function found(key: string, at: string, id = key): WatchedFinding {
  const summary = { id, kernel: 'v5.7' } as WatchedFinding['summary'];
  return { key, fresh: false, found: at, verified: '', summary };
}

function statusWith(story: Partial<Status['story']>): Status {
  return { story, state: 'running' } as Status;
}

describe('what a page that watches knows', () => {
  it('is put together from updates', () => {
    const feed = new Feed();
    const updates: Update[] = [
      { reset: true, status: statusWith({ title: 'night' }), samples: [sampleAt(1), sampleAt(2)] },
      { log: [event(1), event(2)], findings: [found('0.0', '1'), found('0.1', '3')] },
      { log: [event(3)], findings: [found('1.0', '2'), found('0.0', '1', 'shorter')], dropped: ['0.1'] },
      { samples: [sampleAt(3)] },
    ];
    const view = updates.map((update) => feed.apply(update)).at(-1)!;
    assert.deepEqual(
      view.samples.map(({ seconds }) => seconds),
      [1, 2, 3],
    );
    assert.deepEqual(
      view.log.map(({ id }) => id),
      [3, 2, 1],
    );
    assert.deepEqual(
      view.findings.map(({ key, summary }) => [key, summary.id]),
      [
        ['0.0', 'shorter'],
        ['1.0', '1.0'],
      ],
    );
    const story = storyOf(view)!;
    assert.equal(story.title, 'night');
    assert.equal(story.findings.length, 2);
    const again = feed.apply({ reset: true, unreadable: 'it is gone' });
    assert.deepEqual({ ...again }, { samples: [], log: [], findings: [], unreadable: 'it is gone' });
    assert.equal(feed.apply({ reset: true, status: statusWith({}) }).unreadable, '');
  });

  it('stays small for nights, and takes back what a killed driver had not kept', () => {
    const feed = new Feed();
    for (let i = 1; i <= 20_000; i++) feed.apply({ samples: [sampleAt(2 * i)], log: [event(i)] });
    const { samples, log } = feed.apply({ samples: [sampleAt(30_000)] });
    assert.ok(samples.length <= MOST_SAMPLES && samples.length > MOST_SAMPLES / 4, `${samples.length}`);
    assert.equal(samples.at(-1)!.seconds, 30_000);
    assert.ok(samples.every(({ seconds }, i) => i === 0 || seconds > samples[i - 1]!.seconds));
    assert.equal(log.length, 200);
    assert.equal(log[0]!.id, 20_000);
  });

  it('tells the rate of late, and what is spent', () => {
    const samples = [0, 10, 20, 30].map((seconds) => sampleAt(seconds, seconds < 20 ? 0 : 1000 * (seconds - 10)));
    assert.equal(
      rateNow(samples, ({ programs }) => programs),
      1000,
    );
    assert.equal(
      rateNow(samples.slice(0, 1), ({ programs }) => programs),
      undefined,
    );
    const totals = { seconds: 30, programs: 500 } as Status['story']['totals'] & object;
    const asked = { seed: '1', strategy: 'guided', keepGoing: true } as const;
    assert.equal(spent(statusWith({ totals, asked: { ...asked, timeMs: 120_000 } })), 0.25);
    assert.equal(spent(statusWith({ totals, asked: { ...asked, programs: 1000, timeMs: 120_000 } })), 0.5);
    assert.equal(spent(statusWith({ totals, asked: { ...asked, timeMs: 10 } })), 1);
    assert.equal(spent(statusWith({})), undefined);
  });
});

function event(id: number) {
  return { id, at: '2026-11-28T00:00:00.000Z', kind: 'note', text: `${id}` };
}
