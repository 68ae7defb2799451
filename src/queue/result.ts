// What a worker sends back. The driver believes nothing of it that it can check.
import type { Job, ShardJob, ShardResult, TaskResult } from '../campaign/task.js';
import type { Failure, NovelProgram } from '../engine/fuzzer.js';
import type { Violation } from '../engine/types.js';
import { flag, hex64, list, Malformed, plain, text, whole, wrong } from './check.js';
import { bytesOf, Cutter, type Frame, joinWords, packFrame, unpackFrame, wordsOf } from './frame.js';
import { type Limits, MOST } from './limits.js';
import { JOB_ID } from './payload.js';

const U32 = 2 ** 32 - 1;
const PARTS = 4;
const NOTHING = [0, 0, 0, 0].map(() => new Uint8Array());
/** Longest id, and its length before it. */
const ID_BYTES = 120;

/** The worker could not get at what the shard knows: it has to be stored again. */
export interface Unknowing {
  readonly kind: 'unknowing';
}
export type Answer = TaskResult | Unknowing;

/** `job`: that of a shard, whose knowledge is left out of what it reached. */
export async function packAnswer(id: string, answer: Answer, job?: ShardJob): Promise<Buffer> {
  const name = Buffer.from(id);
  if (name.length > ID_BYTES) throw new RangeError(`job id ${id} is too long`);
  const packed = answer.kind === 'shard' ? await packShard(answer, job!) : await packFrame({ ...answer }, NOTHING);
  return Buffer.concat([Uint8Array.of(name.length), name, packed]);
}

/** Throws Malformed. */
export function splitAnswer(bytes: Buffer): { readonly id: string; readonly packed: Buffer } {
  const length = bytes[0] ?? 0;
  const id = text('id', bytes.toString('latin1', 1, 1 + length), JOB_ID);
  return { id, packed: bytes.subarray(1 + length) };
}

/** Throws Malformed for what cannot be the answer to `job`. */
export function unpackAnswer(packed: Buffer, job: Job, limits: Limits): Answer {
  const frame = unpackFrame(packed, PARTS);
  const { kind, message, found, programs } = frame.header;
  if (kind === 'stopped' || kind === 'unknowing') return { kind };
  if (kind === 'trapped') {
    if (typeof message !== 'string') wrong('message', message);
    return { kind, message: plain(message) };
  }
  if (kind !== job.kind) wrong('kind', kind);
  if (job.kind === 'shard') return unpackShard(frame, job, limits);
  return { kind: 'canary', found: flag('found', found), programs: whole('programs', programs, job.programs, 1) };
}

async function packShard(result: ShardResult, { knowledge }: ShardJob): Promise<Buffer> {
  const { kind, work, digest, failures, novel, keys } = result;
  const header = {
    kind,
    work: [work.programs, work.ops, work.faults],
    digest: digest.toString(16),
    failures: failures.map(({ index, words, reduced, mask, violation, key, programs, faults }) => {
      const { invariant, mm = -1, page = -1, handle = -1, expected, got, op, detail } = violation;
      const broke = [invariant, mm, page, handle, expected, got, op, detail];
      return [index, words.length, reduced.length, mask, key, programs, faults, ...broke];
    }),
    novel: novel.map(({ words, news }) => [words.length, news.length]),
  };
  const programs = [
    ...failures.flatMap(({ words, reduced }) => [words, reduced]),
    ...novel.flatMap(({ words, news }) => [words, news]),
  ];
  // Mostly what was known before, which is all zeroes then, and shrinks to nothing.
  const coverage = differences(result.coverage, knowledge.coverage);
  const states = differences(result.states, knowledge.states);
  return await packFrame(header, [coverage, states, bytesOf(keys), bytesOf(joinWords(programs))]);
}

function unpackShard({ header, parts }: Frame, job: ShardJob, limits: Limits): ShardResult {
  const [coverage, states, packedKeys, packedWords] = parts;
  if (coverage!.length !== limits.coverageSize || states!.length !== limits.statesSize)
    throw new Malformed('reached: another size');
  const keys = wordsOf('keys', packedKeys!);
  if (keys.length > MOST.newKeys) throw new Malformed(`${keys.length} keys`);
  const [programs, ops, faults] = list('work', header.work, 3, 3).map((n) => whole('work', n, Number.MAX_SAFE_INTEGER));
  if (programs !== job.programs) wrong('programs', programs);
  const work = { programs, ops: ops!, faults: faults! };
  const cutter = new Cutter(wordsOf('words', packedWords!));
  const failures = list('failures', header.failures, MOST.failures).map((row) => failure(row, cutter, work, limits));
  const novel = list('novel', header.novel, MOST.novel).map((row) => novelty(row, cutter, limits));
  cutter.end();
  return {
    kind: 'shard',
    work,
    digest: hex64('digest', header.digest),
    failures,
    novel,
    keys,
    coverage: differences(coverage!, job.knowledge.coverage),
    states: differences(states!, job.knowledge.states),
  };
}

function differences(a: Uint8Array, b: Uint8Array): Uint8Array {
  const differ = new Uint8Array(a);
  for (let i = 0; i < b.length; i++) differ[i]! ^= b[i]!;
  return differ;
}

function failure(row: unknown, cutter: Cutter, work: ShardResult['work'], limits: Limits): Failure {
  const [index, length, reducedLength, mask, key, programs, faults, ...broke] = list('failure', row, 15, 15);
  const words = limits.program('failing program', cutter.cut(whole('length', length, U32)));
  const reduced = limits.program('reduced program', cutter.cut(whole('length', reducedLength, U32)));
  const violation = broken(broke, limits);
  return {
    index: whole('index', index, work.programs - 1),
    words,
    reduced,
    mask: whole('mask', mask, U32, 1),
    violation,
    key: whole('key', key, U32),
    programs: whole('programs', programs, work.programs),
    faults: whole('faults', faults, work.faults),
  };
}

function broken(row: readonly unknown[], limits: Limits): Violation {
  const byte = (value: unknown) => whole('violation', value, 0xff);
  const [invariant, mm, page, handle, expected, got, op, detail] = row;
  const some = (name: string, value: unknown) => (value === -1 ? {} : { [name]: byte(value) });
  if (!limits.invariants.has(byte(invariant))) wrong('invariant', invariant);
  return {
    invariant: byte(invariant),
    ...some('mm', mm),
    ...some('page', page),
    ...some('handle', handle),
    expected: byte(expected),
    got: byte(got),
    op: byte(op),
    detail: byte(detail),
  };
}

function novelty(row: unknown, cutter: Cutter, limits: Limits): NovelProgram {
  const [length, count] = list('novel', row, 2, 2);
  const words = limits.program('novel program', cutter.cut(whole('length', length, U32)));
  const news = cutter.cut(whole('news', count, MOST.news));
  for (const what of news) whole('news', what, limits.newsEnd - 1);
  return { words, news };
}
