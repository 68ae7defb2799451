import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCampaign } from '../src/campaign/index.js';
import { Solo } from '../src/campaign/solo.js';
import type { RawFinding } from '../src/campaign/types.js';
import { loadEngine } from '../src/engine/engine.js';
import { Hunt, type HuntNews } from '../src/page/hunt.js';
import { commandText, standText, worthText } from '../src/page/hunt-text.js';
import { startSession } from '../src/page/session.js';

const kernel = (name: string) => ({ kernel: name, with: [], without: [] });

/** The first `count` causes, or shorter programs of one. */
function newsOf(name: string, seed: bigint, count: number): HuntNews[] {
  const hunt = new Hunt(loadEngine(), loadEngine(), kernel(name), seed);
  const news: HuntNews[] = [];
  while (news.length < count) news.push(...hunt.step());
  return news;
}

describe('fuzz here', () => {
  it('finds the same with the same seed, and something else with another', () => {
    const once = newsOf('seed', 7n, 4);
    assert.deepEqual(newsOf('seed', 7n, 4), once);
    assert.notDeepEqual(newsOf('seed', 8n, 4), once);
  });

  it('tells programs that break what it says, reduced', () => {
    const engine = loadEngine();
    for (const { found } of newsOf('v5.7', 1n, 5)) {
      const session = startSession(engine, found.program, kernel('v5.7'));
      assert.equal(session.broken?.slug, found.slug);
      assert.equal(session.broken?.sentence, found.sentence);
      assert.equal(session.words.length, found.operations);
      assert.ok(found.foundAs >= found.operations && found.after >= 1);
    }
  });

  it('runs the programs of a campaign over threads, and finds what that finds', async () => {
    const programs = 8000;
    const options = {
      spec: kernel('v5.7'),
      seed: 3n,
      programs,
      workers: 2,
      strategy: 'guided',
      keepGoing: true,
    } as const;
    const { signal } = new AbortController();
    const campaign = await runCampaign({ ...options, signal, onProgress: () => undefined });
    const solo = new Solo(loadEngine(), options.spec, options.seed);
    const raw: RawFinding[] = [];
    while (solo.progress().programs < programs) raw.push(...solo.step());
    const within = raw.filter(({ firstAt }) => firstAt.programs <= programs);
    assert.ok(within.length > 20, `${within.length} findings`);
    assert.deepEqual(within, campaign.raw);
    const { coverage, ops, faults } = solo.progress();
    assert.deepEqual([ops, faults, coverage], [campaign.ops, campaign.faults, campaign.coverage]);
  });

  it('says of a kernel that keeps everything how much was tried, and what that is worth', () => {
    const hunt = new Hunt(loadEngine(), loadEngine(), kernel('repaired'), 1n);
    let before = 0;
    for (let steps = 0; steps < 60; steps++) {
      assert.deepEqual(hunt.step(), []);
      const { programs } = hunt.progress();
      assert.ok(programs >= before);
      before = programs;
    }
    assert.equal(hunt.owes, false);
    const progress = hunt.progress();
    assert.ok(progress.programs > 500 && progress.coverage.points > 50);
    assert.equal(progress.canary.found, true);
    const state = {
      phase: 'resting',
      spec: kernel('repaired'),
      seed: '1',
      more: false,
      progress,
      findings: [],
    } as const;
    const said = standText(state, 'repaired');
    assert.match(
      said,
      /^Every promise was kept in [\d,]+ programs \([\d,]+ operations, [\d,]+ page faults\) on repaired/,
    );
    assert.equal(Number(/in ([\d,]+)/.exec(said)![1]!.replaceAll(',', '')), progress.programs);
    assert.match(worthText(progress), /^Tried, not proven/);
    const missed = { ...progress, canary: { ...progress.canary, found: false } };
    assert.match(worthText(missed), /^It proves nothing/);
  });

  it('names the same search in a terminal', () => {
    const spec = { kernel: 'v5.7', with: ['reuse.page_count'], without: ['gup.as_write'] };
    assert.equal(
      commandText(spec, '5'),
      'npx breakcow fuzz --kernel v5.7 --with reuse.page_count --without gup.as_write --seed 5 --keep-going',
    );
  });
});
