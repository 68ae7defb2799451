// What is kept of a campaign's course: never more than so many samples, however long it runs.
import type { Sample } from './story.js';

export const MOST_SAMPLES = 600;
const FINEST_SECONDS = 0.15;

/** Samples at least a step apart, besides the first and the newest one. When they are too many, the step doubles. */
export class Series<S extends Pick<Sample, 'seconds'> = Sample> {
  readonly #most: number;
  #step: number;
  #kept: S[] = [];
  /** The newest one, if it is not kept yet. */
  #newest: S | undefined;

  /** `most`: 2 or more. */
  constructor(most: number = MOST_SAMPLES, step: number = FINEST_SECONDS) {
    this.#most = most;
    this.#step = step;
  }

  /** In the order of time: whatever is no earlier than this sample gives way to it. */
  add(sample: S): void {
    while (this.#kept.length > 0 && this.#kept.at(-1)!.seconds >= sample.seconds) this.#kept.pop();
    const last = this.#kept.at(-1);
    if (last && sample.seconds - last.seconds < this.#step) this.#newest = sample;
    else this.#keep(sample);
  }

  get samples(): readonly S[] {
    return this.#newest ? [...this.#kept, this.#newest] : this.#kept;
  }

  #keep(sample: S): void {
    this.#newest = undefined;
    this.#kept.push(sample);
    // One place is the newest one's.
    while (this.#kept.length >= this.#most) this.#halve();
  }

  #halve(): void {
    this.#step *= 2;
    const [first, ...rest] = this.#kept;
    const kept = [first!];
    for (const sample of rest) if (sample.seconds - kept.at(-1)!.seconds >= this.#step) kept.push(sample);
    const last = this.#kept.at(-1)!;
    if (kept.at(-1) !== last) this.#newest = last;
    this.#kept = kept;
  }
}
