import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Campaign, type Setup } from '../src/campaign/campaign.js';
import { CANARIES, Canaries } from '../src/campaign/canary.js';
import { ownKnowledge } from '../src/campaign/knowledge.js';
import type { LaneState } from '../src/campaign/lane.js';
import { Pool } from '../src/campaign/pool.js';
import type { Journal, Resumed } from '../src/campaign/state.js';
import { loadEngine } from '../src/engine/engine.js';

const NAMES = ['v6.18', 'repaired', 'seed'];
const SETUP: Setup = {
  kernels: NAMES.map((kernel) => ({ kernel, with: [], without: [] })),
  arms: ['all', 'huge'].flatMap((focus) => NAMES.map((_, lane) => ({ lane, style: { strategy: 'guided', focus } }))),
  seed: 5n,
  programs: 60_000,
  keepGoing: true,
  epochShards: 4,
};

/** What a store would hold after each epoch. */
async function run(resumed?: Resumed): Promise<{ end: unknown; kept: Resumed[] }> {
  const { catalogue } = loadEngine();
  const canaries = new Canaries(catalogue, CANARIES, resumed?.state?.canaries);
  const runner = new Pool(2);
  const lanes: (LaneState | undefined)[] = [...(resumed?.lanes ?? NAMES.map(() => undefined))];
  const kept: Resumed[] = [];
  const journal: Journal = {
    arrived() {},
    found() {},
    merged(state, lane, { planned }) {
      lanes[lane.index] = structuredClone(lane.state);
      const ahead = planned.map(({ plan, knowledge }) => ({ plan, knowledge: ownKnowledge(knowledge) }));
      kept.push(structuredClone({ state, lanes: [...lanes], planned: ahead, arrived: new Map() }));
    },
  };
  const campaign = new Campaign(SETUP, {
    catalogue,
    canaries,
    runner,
    threads: 2,
    journal,
    ...(resumed && { resumed }),
  });
  try {
    await campaign.run();
    const { programs, ops, faults, coverage, digest, valid } = campaign.result();
    return { end: { programs, ops, faults, coverage, digest, valid }, kept };
  } finally {
    await runner.destroy();
  }
}

it('a campaign goes on from the end of any epoch to the same end', async () => {
  const { end, kept } = await run();
  assert.ok(kept.length >= 8, `${kept.length} epochs`);
  for (const [epoch, resumed] of kept.slice(0, -1).entries())
    assert.deepEqual((await run(resumed)).end, end, `after epoch ${epoch}`);
});
