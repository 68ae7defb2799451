// A shard as jobs: the shard itself, now and then the same again, now and then a canary beside it.
import { createHash } from 'node:crypto';
import { type Knowledge, NO_FOCUS } from '../engine/fuzzer.js';
import { CANARY_PROGRAMS, type Canaries } from './canary.js';
import { NotDeterministicError } from './errors.js';
import type { Lane } from './lane.js';
import type { Internals } from './options.js';
import type { Shard } from './plan.js';
import type { Runner } from './runner.js';
import type { Outcome } from './state.js';
import type { Job, ShardResult, Stopped } from './task.js';

export type Back = Outcome | Stopped;

export class Jobs {
  readonly #runner: Runner;
  readonly #seed: bigint;
  readonly #canaries: Canaries;
  readonly #internals: Internals;

  constructor(runner: Runner, seed: bigint, canaries: Canaries, internals: Internals) {
    this.#runner = runner;
    this.#seed = seed;
    this.#canaries = canaries;
    this.#internals = internals;
  }

  /** Throws NotDeterministicError if a second run of the shard came to something else. */
  async shard(shard: Shard, lane: Lane, knowledge: Knowledge): Promise<Back> {
    const runs = [this.#run(shard, lane, knowledge, false)];
    if (shard.twin) runs.push(this.#run(shard, lane, knowledge, true));
    const [outcome, twin] = await Promise.all(runs);
    if (outcome!.kind === 'shard' && twin) compare(shard, outcome!, twin);
    return outcome!;
  }

  /** The canaries that are due with this shard. */
  canaries({ index, style: { strategy } }: Shard): Promise<void>[] {
    return this.#canaries.due().map(async ({ canary, report }) => {
      const { vector, invariant } = canary;
      const job = { kind: 'canary', vector, seed: this.#seed, shard: index, strategy, invariant } as const;
      const result = await this.#runner.run(() => ({ ...job, programs: CANARY_PROGRAMS, focus: NO_FOCUS }));
      if (result.kind === 'canary') report(result);
    });
  }

  async #run(shard: Shard, { vector }: Lane, knowledge: Knowledge, again: boolean): Promise<Back> {
    const { index, epoch, style, programs } = shard;
    const { fault, wrongDigest } = this.#internals;
    const result = await this.#runner.run((attempt): Job => {
      return {
        kind: 'shard',
        vector,
        seed: this.#seed,
        shard: index,
        epoch,
        programs,
        strategy: style.strategy,
        focus: style.focus,
        knowledge,
        counted: !again,
        ...(again && wrongDigest === index && { fault: 'digest' }),
        ...(fault?.shard === index && attempt < fault.times && { fault: fault.kind }),
      };
    });
    if (result.kind === 'canary') throw new Error(`shard ${index} came back as a canary`);
    return result;
  }
}

function compare({ index }: Shard, first: ShardResult, second: Back): void {
  if (second.kind === 'stopped') return;
  const told = ({ digest, work, keys }: ShardResult) =>
    [
      digest.toString(16),
      work.programs,
      work.ops,
      work.faults,
      createHash('sha256').update(keys).digest('hex').slice(0, 8),
    ].join('/');
  const again = second.kind === 'trapped' ? second.message : told(second);
  if (told(first) !== again) throw new NotDeterministicError(index, told(first), again);
}
