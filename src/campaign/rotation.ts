// Whose turn the next epoch is: kernels and styles take turns, and who found something new lately comes more often.
import type { Strategy } from './types.js';

/** How programs are made: strategy, and the focus of the op mixes (a name of the module's table; '' = none). */
export interface Style {
  readonly strategy: Strategy;
  readonly focus: string;
}

export interface Arm {
  /** Index of the kernel. */
  readonly lane: number;
  readonly style: Style;
}

/** Turns are in units that every weight divides. */
const TURN = 840;
const MOST_WEIGHT = 8;

export interface RotationState {
  readonly passes: readonly number[];
  readonly weights: readonly number[];
}

/**
 * Stride scheduling (Waldspurger and Weihl, 1995): each arm has a weight of 1 to 8, and is due the more often the
 * heavier it is; none starves. Whole numbers alone, so that every machine comes to the same turns.
 */
export class Rotation {
  readonly arms: readonly Arm[];
  readonly #passes: number[];
  readonly #weights: number[];

  constructor(arms: readonly Arm[], state?: RotationState) {
    this.arms = arms;
    this.#passes = arms.map((_, i) => state?.passes[i] ?? 0);
    this.#weights = arms.map((_, i) => state?.weights[i] ?? MOST_WEIGHT);
  }

  /** Index of the arm whose turn it is; takes the turn. */
  next(): number {
    const arm = this.#passes.indexOf(Math.min(...this.#passes));
    this.#passes[arm]! += TURN / this.#weights[arm]!;
    return arm;
  }

  /** What an epoch of the arm brought: states, points and kinds of failures that its kernel had not shown before. */
  brought(arm: number, news: number): void {
    // 0 -> 1, 1 -> 2, 2..3 -> 3, ... 64 and more -> 8.
    this.#weights[arm] = Math.min(MOST_WEIGHT, 33 - Math.clz32(news));
  }

  get state(): RotationState {
    return { passes: [...this.#passes], weights: [...this.#weights] };
  }
}
