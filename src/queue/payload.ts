// A job as it stands in the queue: small, with the hash of its knowledge in place of it.
import { createHash } from 'node:crypto';
import type { CanaryJob, ShardJob } from '../campaign/task.js';
import { STRATEGIES } from '../engine/fuzzer.js';
import { flag, hex64, Malformed, record, text, whole, wrong } from './check.js';
import { CAMPAIGN_NAME } from './keys.js';
import type { Limits } from './limits.js';

/** What a shard knows comes by another way. */
export type QueuedJob = CanaryJob | Omit<ShardJob, 'knowledge'>;

export type Payload = Readonly<Record<string, unknown>>;

const SHARD_MAX = 2 ** 31 - 1;
const HASH = /^[0-9a-f]{64}$/;
const FAULTS = /^(?:digest|trap|hang|die)$/;

/** `knowledge`: hash of what a shard knows, '' for a canary. */
export function payloadOf(campaign: string, job: QueuedJob, knowledge: string): Payload {
  const { kind, vector, seed, shard, programs, strategy, focus } = job;
  const hex = (word: bigint) => word.toString(16);
  const base = { campaign, kind, vector: vector.map(hex), seed: hex(seed), shard, programs, strategy, focus };
  if (job.kind === 'canary') return { ...base, invariant: job.invariant };
  const { epoch, counted, fault } = job;
  return { ...base, epoch, knowledge, counted, ...(fault && { fault }) };
}

/** Says which job it is, and binds it to all that it says: the same after every restart, and never another's. */
export function jobId(payload: Payload, attempt: number): string {
  const { campaign, kind, shard, counted } = payload;
  const hash = createHash('sha256').update(JSON.stringify(payload)).digest('hex').slice(0, 16);
  return `${campaign}.${kind}-${shard}${counted === false ? '-again' : ''}.${attempt}.${hash}`;
}

export const JOB_ID = /^[A-Za-z0-9_-]{1,64}\.(?:shard|canary)-\d{1,10}(?:-again)?\.([01])\.[0-9a-f]{16}$/;

export interface ParsedJob {
  readonly campaign: string;
  /** '' for a canary. */
  readonly knowledge: string;
  readonly job: QueuedJob;
}

/** Throws Malformed for what this build cannot run, or does not want to. `faults`: those of tests are welcome. */
export function parsePayload(id: unknown, name: unknown, data: unknown, limits: Limits, faults: boolean): ParsedJob {
  const attempt = Number(JOB_ID.exec(text('id', id, JOB_ID))![1]);
  const payload = record('job', data);
  const campaign = text('campaign', payload.campaign, CAMPAIGN_NAME);
  const focus = payload.focus;
  if (typeof focus !== 'string' || !limits.focuses.has(focus)) wrong('focus', focus);
  const strategy = STRATEGIES.find((known) => known === payload.strategy) ?? wrong('strategy', payload.strategy);
  const base = {
    vector: limits.vector(payload.vector),
    seed: hex64('seed', payload.seed),
    shard: whole('shard', payload.shard, SHARD_MAX),
    programs: whole('programs', payload.programs, limits.programs, 1),
    strategy,
    focus,
  };
  const { kind } = payload;
  if (kind !== name) wrong('name', name);
  const parsed = kind === 'canary' ? canary(payload, base, limits) : shard(payload, base, faults);
  const { knowledge } = parsed;
  // Whatever else the payload holds changes its hash.
  if (jobId(payloadOf(campaign, parsed.job, knowledge), attempt) !== id) throw new Malformed('id: not that of its job');
  return { campaign, ...parsed };
}

type Base = Omit<CanaryJob, 'kind' | 'invariant'>;

function canary(payload: Payload, base: Base, limits: Limits): Omit<ParsedJob, 'campaign'> {
  const invariant = whole('invariant', payload.invariant, 31);
  if (!limits.invariants.has(invariant)) wrong('invariant', invariant);
  return { knowledge: '', job: { kind: 'canary', ...base, invariant } };
}

function shard(payload: Payload, base: Base, faults: boolean): Omit<ParsedJob, 'campaign'> {
  if (payload.kind !== 'shard') wrong('kind', payload.kind);
  const epoch = whole('epoch', payload.epoch, Number.MAX_SAFE_INTEGER);
  const counted = flag('counted', payload.counted);
  const knowledge = text('knowledge', payload.knowledge, HASH);
  if (payload.fault === undefined) return { knowledge, job: { kind: 'shard', ...base, epoch, counted } };
  if (!faults) wrong('fault', payload.fault);
  const fault = text('fault', payload.fault, FAULTS) as NonNullable<ShardJob['fault']>;
  return { knowledge, job: { kind: 'shard', ...base, epoch, counted, fault } };
}
