import { Bench } from 'tinybench';

/** What one timed call did. */
export interface Sample {
  ops: number;
  /** Where the contender holds the clock itself (another process); else the call's own duration counts. */
  seconds?: number;
}

export interface Contender {
  id: string;
  label: string;
  /** Called once before the first round: short calls, as a long first call stays in the baseline compiler. */
  warm(): void | Promise<void>;
  sample(): Sample | Promise<Sample>;
}

/** Of several samples. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface ContenderResult {
  id: string;
  label: string;
  /** Operations of the last sample. */
  opsPerSample: number;
  /** Million operations a second, by round. */
  mops: number[];
}

export interface RoundReport {
  id: string;
  /** 1 .. rounds. */
  round: number;
  rounds: number;
  mops: number;
}

/**
 * Times all contenders in turn (A B C A B C ...), so that a slower machine hits all of a round alike.
 * Throws what a contender throws.
 */
export async function measureRounds(
  contenders: readonly Contender[],
  rounds: number,
  onSample?: (report: RoundReport) => void,
): Promise<ContenderResult[]> {
  const results = contenders.map(({ id, label }): ContenderResult => ({ id, label, opsPerSample: 0, mops: [] }));
  for (const contender of contenders) await contender.warm();
  for (let round = 1; round <= rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      const result = results[i]!;
      const { ops, seconds } = await timeOnce(contender);
      const mops = ops / seconds / 1e6;
      result.opsPerSample = ops;
      result.mops.push(mops);
      onSample?.({ id: contender.id, round, rounds, mops });
    }
  }
  return results;
}

async function timeOnce(contender: Contender): Promise<Required<Sample>> {
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
  let ops = 0;
  const timed = async () => {
    const sample = await contender.sample();
    ops = sample.ops;
    return sample.seconds === undefined ? undefined : { overriddenDuration: sample.seconds * 1000 };
  };
  bench.add(contender.id, timed, { async: true });
  const [task] = await bench.run();
  if (task?.result.state !== 'completed') throw new Error(`${contender.label}: not measured`);
  return { ops, seconds: task.result.latency.mean / 1000 };
}

/** Throws a RangeError for no values. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('spread of no values');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}
