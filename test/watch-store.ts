// Campaigns on disk without fuzzing: what a driver would have written, for the tests of who reads it.
import { join } from 'node:path';
import { CANARIES, Canaries } from '../src/campaign/canary.js';
import type { Progress } from '../src/campaign/types.js';
import { type Engine, loadEngine } from '../src/engine/engine.js';
import { diagnose } from '../src/findings/finding.js';
import { createCampaign, makeConfig } from '../src/night/begin.js';
import { diagnosisJson, type FindingJson, specJson } from '../src/report/json.js';
import { openToWrite } from '../src/store/database.js';
import type { CampaignStore } from '../src/store/store.js';
import { parseSpec, programId } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';

export const engine: Engine = loadEngine();

export const LEAK = 'mmap A p0 anon; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
export const EVENT = 'mmap A p0 anon; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET';
export const STALE = 'mmap A p0 anon; write A p0; clear_refs A';

/** Makes DIR/NAME.db, whose driver is whoever has the store open. */
export function makeStore(directory: string, name: string, kernels = ['v5.7', 'v5.8']): CampaignStore {
  const config = makeConfig(engine, { kernels: kernels.map(parseSpec), seed: 7n, timeMs: 60_000, random: true });
  return createCampaign(join(directory, `${name}.db`), name, config);
}

export function progressAt(seconds: number, programs = Math.round(1000 * seconds)): Progress {
  const coverage = { points: 50, pointsTotal: engine.catalogue.points.length, states: 20 * programs };
  const canary = new Canaries(engine.catalogue, CANARIES).report;
  return {
    programs,
    ops: 30 * programs,
    faults: 5 * programs,
    seconds,
    epoch: 1,
    coverage,
    raw: 1,
    canary,
    fraction: 0,
  };
}

export function findingOn(kernel: string, program: string, firstAt = 10): FindingJson {
  const spec = parseSpec(kernel);
  const { ops } = engine.catalogue;
  const words = parseProgram(program, ops);
  const diagnosis = diagnose(engine, spec, words);
  if (!diagnosis) throw new Error(`${program} breaks nothing on ${kernel}`);
  return {
    id: programId(words, spec, ops),
    ...specJson(spec),
    seed: '7',
    program,
    minimized: program,
    length: words.length,
    firstAt: { programs: firstAt, faults: 5 * firstAt },
    ...diagnosisJson(engine, diagnosis),
  };
}

/** Writes a finding down as the sorter does. */
export function keepFinding(
  store: CampaignStore,
  lane: number,
  place: number,
  json: FindingJson,
  seconds: number,
): void {
  const { id, slug, cause } = json;
  const row = { lane, place, id, slug, cause: cause.key, known: {}, json, report: 'told' };
  store.sorted(1000 * lane + place, [row], [], seconds);
}

/** For what no driver writes: the past. */
export function alter(path: string, sql: string, ...values: readonly unknown[]): void {
  const db = openToWrite(path);
  db.run(sql, ...values);
  db.close();
}
