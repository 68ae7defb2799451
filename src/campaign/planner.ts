// The epochs of a campaign, planned one after the other with what is known by then.
import type { Lane } from './lane.js';
import { EPOCH_SHARDS, LAG, shardPrograms } from './plan.js';
import { type Arm, Rotation } from './rotation.js';
import type { EpochState, Planned } from './state.js';

export class Planner {
  readonly #lanes: readonly Lane[];
  readonly #shards: number;
  readonly #rotation: Rotation;
  /** Planned and not merged, by epoch. */
  readonly #planned = new Map<number, Planned>();
  /** Epochs planned for each lane: they grow with it. Not the lane's own: planning changes it, merging does not. */
  readonly #ages: number[];
  #nextEpoch: number;
  #nextShard: number;
  #left: number | undefined;

  /** `programs`: budget, if there is one. */
  constructor(
    lanes: readonly Lane[],
    arms: readonly Arm[],
    { programs, epochShards = EPOCH_SHARDS }: { readonly programs?: number; readonly epochShards?: number },
    from?: { readonly state?: EpochState; readonly planned: readonly Planned[] },
  ) {
    const state = from?.state;
    this.#lanes = lanes;
    this.#shards = epochShards;
    this.#rotation = new Rotation(arms, state?.rotation);
    this.#ages = lanes.map((_, i) => state?.ages[i] ?? 0);
    this.#nextEpoch = state?.nextEpoch ?? 0;
    this.#nextShard = state?.nextShard ?? 0;
    this.#left = state ? state.left : programs;
    for (const planned of from?.planned ?? []) this.#planned.set(planned.plan.epoch, planned);
    if (!state) for (let i = 0; i < LAG; i++) this.#plan();
  }

  /** undefined: it depends on what is not merged yet, or there is none. */
  epoch(epoch: number): Planned | undefined {
    return this.#planned.get(epoch);
  }

  /** Nothing is left to plan. */
  get spent(): boolean {
    return this.#left !== undefined && this.#left <= 0;
  }

  /** All shards of an epoch are merged, and brought so much news: another one can be planned. */
  merged({ plan }: Planned, news: number): void {
    this.#rotation.brought(plan.arm, news);
    this.#planned.delete(plan.epoch);
    this.#plan();
  }

  /** Planned and not merged, in order. */
  get ahead(): readonly Planned[] {
    return [...this.#planned.values()];
  }

  get state(): Pick<EpochState, 'rotation' | 'ages' | 'left' | 'nextEpoch' | 'nextShard'> {
    return {
      rotation: this.#rotation.state,
      ages: [...this.#ages],
      left: this.#left,
      nextEpoch: this.#nextEpoch,
      nextShard: this.#nextShard,
    };
  }

  #plan(): void {
    if (this.spent) return;
    const arm = this.#rotation.next();
    const { lane: index, style } = this.#rotation.arms[arm]!;
    const lane = this.#lanes[index]!;
    const size = shardPrograms(this.#ages[index]!++);
    const shards = this.#shards;
    const programs = Math.min(shards * size, this.#left ?? Number.POSITIVE_INFINITY);
    const plan = { epoch: this.#nextEpoch++, arm, lane: index, style, first: this.#nextShard, shards, programs, size };
    this.#nextShard += Math.ceil(programs / size);
    if (this.#left !== undefined) this.#left -= programs;
    this.#planned.set(plan.epoch, { plan, knowledge: lane.learned.snapshot() });
  }
}
