/** Two runs of one shard differ: the engine, or the machine, cannot be trusted, and the campaign has no result. */
export class NotDeterministicError extends Error {
  override readonly name = 'NotDeterministicError';
  readonly shard: number;

  constructor(shard: number, first: string, second: string) {
    super(`not deterministic: shard ${shard} gave ${first}, then ${second}`);
    this.shard = shard;
  }
}

/** Shard after shard could not be run: the campaign tells nothing. */
export class ShardsFailError extends Error {
  override readonly name = 'ShardsFailError';

  constructor(shards: number, message: string) {
    super(`${shards} shards in a row could not be run, each tried twice; the last: ${message}`);
  }
}
