// Keeps campaign.json while a campaign runs, so that a page can tell afterwards how it went.
import { join } from 'node:path';
import type { CampaignResult, Progress } from '../campaign/types.js';
import type { KernelSpec } from '../engine/types.js';
import type { Finding } from '../findings/finding.js';
import { writeWhole } from '../findings/store.js';
import { specJson } from '../report/json.js';
import { makeRecord, RECORD } from '../report/record.js';
import { Series } from '../report/series.js';
import type { Asked, Outcome, Totals } from '../report/story.js';
import { complain } from './output.js';

/** What a killed campaign loses at most of its course. */
const WRITE_EVERY_MS = 2000;

export interface Recorded {
  readonly spec: KernelSpec;
  readonly asked: Asked;
  readonly workers: number;
}

function totalsOf({ programs, ops, faults, seconds, coverage, canary }: Progress | CampaignResult): Totals {
  const { points, pointsTotal, states } = coverage;
  return { programs, ops, faults, seconds: Math.round(1000 * seconds) / 1000, points, pointsTotal, states, canary };
}

export class Recorder {
  readonly #path: string;
  readonly #recorded: Recorded;
  readonly #started = new Date();
  readonly #clock = performance.now();
  readonly #series = new Series();
  /** When a finding was met, by the programs before it: minimizing and shortening change its id, not that. */
  readonly #met = new Map<number, number>();
  #totals: Totals | undefined;
  #ended: string | undefined;
  #written = Number.NEGATIVE_INFINITY;
  #failed = false;

  constructor(directory: string, recorded: Recorded) {
    this.#path = join(directory, RECORD);
    this.#recorded = recorded;
    this.#series.add({ seconds: 0, programs: 0, ops: 0, faults: 0, points: 0, states: 0, findings: 0 });
  }

  update(progress: Progress, findings: readonly Finding[]): void {
    this.#sample(totalsOf(progress), findings);
    if (performance.now() - this.#written >= WRITE_EVERY_MS) this.#write(findings);
  }

  /** A raw finding came in. */
  met(programs: number): void {
    if (!this.#met.has(programs)) this.#met.set(programs, Math.round(performance.now() - this.#clock) / 1000);
  }

  /** The campaign has ended; once more with what its findings were shortened to. */
  end(result: CampaignResult, findings: readonly Finding[]): void {
    const { digest, valid, interrupted, quarantined } = result;
    this.#ended ??= new Date().toISOString();
    this.#sample(totalsOf(result), findings);
    this.#write(findings, { digest, valid, interrupted, quarantined });
  }

  /** The process is about to end before the campaign has. */
  flush(findings: readonly Finding[]): void {
    this.#write(findings);
  }

  #sample(totals: Totals, findings: readonly Finding[]): void {
    const { seconds, programs, ops, faults, points, states } = totals;
    this.#totals = totals;
    this.#series.add({ seconds, programs, ops, faults, points, states, findings: findings.length });
  }

  #write(findings: readonly Finding[], outcome?: Outcome): void {
    if (!this.#totals) return;
    this.#written = performance.now();
    const { spec, asked, workers } = this.#recorded;
    const record = makeRecord({
      kernels: [specJson(spec)],
      asked,
      workers,
      started: this.#started.toISOString(),
      ...(this.#ended !== undefined && { ended: this.#ended }),
      totals: this.#totals,
      ...(outcome && { outcome }),
      samples: this.#series.samples,
      found: findings.map(({ id, firstAt }) => ({ id, seconds: this.#met.get(firstAt.programs) ?? 0 })),
    });
    try {
      writeWhole(this.#path, `${JSON.stringify(record)}\n`);
    } catch (error) {
      // A night's search goes on without its course.
      if (!this.#failed)
        complain(`breakcow: ${this.#path} is not kept: ${error instanceof Error ? error.message : error}`);
      this.#failed = true;
    }
  }
}
