// Raw findings become findings while the campaign runs: one at a time, each kept before the next one is looked at.
import { setImmediate } from 'node:timers/promises';
import type { Engine } from '../engine/engine.js';
import { FindingCollector, type KnownState } from '../findings/collect.js';
import type { Finding } from '../findings/finding.js';
import { findingJson } from '../report/json.js';
import { reportText } from '../report/text.js';
import type { CampaignConfig } from '../store/config.js';
import type { CampaignStore, Compared, FindingRow } from '../store/store.js';

interface Desk {
  readonly collector: FindingCollector;
  /** Place in the store of each finding of the collector, and its tries as they are kept. */
  readonly places: number[];
  readonly tries: number[];
  next: number;
}

export class Sorter {
  readonly #engine: Engine;
  readonly #store: CampaignStore;
  readonly #desks: readonly Desk[];
  readonly #seconds: () => number;
  readonly #onNew: (lane: number, finding: Finding) => void;
  #running: Promise<void> | undefined;

  /** `onNew`: a cause not seen before. */
  constructor(
    engine: Engine,
    store: CampaignStore,
    { kernels, seed }: CampaignConfig,
    seconds: () => number,
    onNew: (lane: number, finding: Finding) => void,
  ) {
    this.#engine = engine;
    this.#store = store;
    this.#seconds = seconds;
    this.#onNew = onNew;
    this.#desks = kernels.map((spec, lane) => {
      const kept = store.known<KnownState>(lane);
      // What another build broke and this one keeps stands in the store, but is no finding of this run.
      const alive = kept.filter(({ known }) => new FindingCollector(engine, spec, seed, [known]).findings.length > 0);
      return {
        collector: new FindingCollector(
          engine,
          spec,
          seed,
          alive.map(({ known }) => known),
        ),
        places: alive.map(({ place }) => place),
        tries: alive.map(({ known }) => known.tries),
        next: Math.max(-1, ...kept.map(({ place }) => place)) + 1,
      };
    });
  }

  /** Findings of each kernel. */
  get findings(): readonly (readonly Finding[])[] {
    return this.#desks.map(({ collector }) => collector.findings);
  }

  get count(): number {
    return this.findings.reduce((sum, { length }) => sum + length, 0);
  }

  /** Place in the store of a kernel's i-th finding. */
  place(lane: number, i: number): number {
    return this.#desks[lane]!.places[i]!;
  }

  /** Sorts what there is to sort. Resolves when nothing is left, or `until` says so; rejects where the store fails. */
  async sort(until: () => boolean = () => false): Promise<void> {
    this.#running ??= this.#sortAll(until).finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #sortAll(until: () => boolean): Promise<void> {
    for (;;) {
      const [next] = this.#store.unsorted(1);
      if (!next || until()) return;
      const { lane } = next.finding;
      const desk = this.#desks[lane]!;
      const news = desk.collector.add(next.finding);
      const fresh = news.map(({ finding }) => finding);
      this.#store.sorted(next.ordinal, ...this.#rows(lane, desk, fresh), this.#seconds());
      for (const { finding, replaces } of news) if (!replaces) this.#onNew(lane, finding);
      await setImmediate();
    }
  }

  /** Rows for what is new or shorter, and for what was only compared. */
  #rows(lane: number, desk: Desk, fresh: readonly Finding[]): [FindingRow[], Compared[]] {
    const rows: FindingRow[] = [];
    const compared: Compared[] = [];
    const { findings, state } = desk.collector;
    for (const [i, finding] of findings.entries()) {
      const known = state[i]!;
      desk.places[i] ??= desk.next++;
      const place = desk.places[i]!;
      if (fresh.includes(finding)) {
        const { id, slug, diagnosis } = finding;
        const json = findingJson(this.#engine, finding);
        const report = reportText(this.#engine, diagnosis);
        rows.push({ lane, place, id, slug, cause: diagnosis.cause.key, known, json, report });
      } else if (known.tries !== desk.tries[i]) compared.push({ lane, place, known });
      desk.tries[i] = known.tries;
    }
    return [rows, compared];
  }
}
