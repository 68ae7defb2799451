// Old findings under a new engine.
import type { Engine } from '../engine/engine.js';
import type { KnownState } from '../findings/collect.js';
import { Trial } from '../findings/trial.js';
import type { CampaignConfig } from '../store/config.js';
import type { CampaignStore } from '../store/store.js';

export interface Verified {
  readonly lane: number;
  readonly place: number;
  readonly verdict: 'still fails' | 'fixed' | `fails differently: ${string}`;
}

/** Runs each finding's program again and writes down what came of it. */
export function verifyFindings(engine: Engine, store: CampaignStore, { kernels }: CampaignConfig): Verified[] {
  const { catalogue } = engine;
  return kernels.flatMap((spec, lane) => {
    const trial = new Trial(engine, catalogue.vector(spec));
    return store.known<KnownState>(lane).map(({ place, known }): Verified => {
      const { verdict } = trial.run(known.minimized);
      const broken = catalogue.invariants.filter(({ id }) => ((verdict.mask >> id) & 1) !== 0).map(({ id }) => id);
      const said = broken.includes(known.invariant)
        ? 'still fails'
        : broken.length === 0
          ? 'fixed'
          : (`fails differently: ${broken.map((id) => catalogue.invariant(id).slug).join(', ')}` as const);
      store.verify(lane, place, said);
      return { lane, place, verdict: said };
    });
  });
}
