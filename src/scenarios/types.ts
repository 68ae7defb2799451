// Scenarios: goals of several steps that a good campaign reaches, each told by what happens and not by who does it.
import type { Observation } from '../engine/observation.js';
import type { World } from '../engine/world.js';

export interface Op {
  /** `gup` for a call of GUP. */
  readonly name: string;
  /** Process X, -1 = none. */
  readonly mm: number;
  readonly pages: readonly number[];
  /** Process Y, and handle; -1 = none. */
  readonly other: number;
  readonly handle: number;
  /** As the program's text has them: `R`, `PIN`. */
  readonly words: readonly string[];
  readonly ok: boolean;
}

/** One op, or two at once, and what came of it. */
export interface Step {
  readonly ops: readonly Op[];
  readonly seen: readonly Observation[];
  readonly before: World;
  readonly after: World;
  /** A fault found its entry changed under it. */
  readonly raced: boolean;
}

/** Whom a scenario is about from its first milestone on: processes, pages, frames, handles by number. */
export type Bound = Readonly<Record<string, number>>;

export interface Stage {
  readonly milestone: string;
  /** Each way in which the step reaches it for `bound`, and whom it is about from now on. */
  when(step: Step, bound: Bound): Iterable<Bound>;
}

export interface Scenario {
  readonly name: string;
  readonly doc: string;
  readonly stages: readonly Stage[];
  /** The step ends what was begun: it must begin anew. */
  undone?(step: Step, bound: Bound): boolean;
}
