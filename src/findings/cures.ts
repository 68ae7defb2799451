// Which knobs make a counterexample go away: the smallest set of flips, tried one by one, then in pairs and triples.
import { type Catalogue, type KnobInfo, type KnobVector, knobOn, withKnob } from '../engine/catalogue.js';
import { RESULT } from '../engine/opword.js';
import { Trial } from './trial.js';

export interface Flip {
  readonly knob: KnobInfo;
  /** Turned on (true) or off. */
  readonly on: boolean;
}

export interface Cure {
  readonly flips: readonly Flip[];
  /** Every op that worked before still does: the cure is not just a refusal. */
  readonly faithful: boolean;
}

const MAX_CURES = 6;
/** Sets found before the search for more of their size ends. */
const ENOUGH_CURES = 40;
/** The control group of the catalogue: a flip towards it is a step forward. */
const REPAIRED = 'repaired';
const REFUSALS: readonly number[] = [RESULT.SKIP, RESULT.FAULT, RESULT.NOMEM, RESULT.REFUSED, RESULT.LIVELOCK];
const NOT_RUN = 0xff;

/**
 * Flips worth trying: no mutant is turned on, the machine stays as it is. Steps towards the newest kernel come first,
 * hunks before the others.
 */
function candidates(catalogue: Catalogue, vector: KnobVector): (Flip & { readonly forward: boolean })[] {
  const goal = catalogue.kernel(REPAIRED).vector;
  const flips = catalogue.knobs
    .map((knob) => ({ knob, on: !knobOn(vector, knob.id), forward: knobOn(vector, knob.id) !== knobOn(goal, knob.id) }))
    .filter(({ knob, on }) => knob.kind !== 'environment' && (knob.kind !== 'mutant' || !on));
  const rank = ({ knob, forward }: (typeof flips)[number]) => (forward ? 0 : 2) + (knob.kind === 'hunk' ? 0 : 1);
  return flips.sort((a, b) => rank(a) - rank(b) || a.knob.id - b.knob.id);
}

export function flipped(vector: KnobVector, flips: readonly Flip[]): KnobVector {
  return flips.reduce((changed, { knob, on }) => withKnob(changed, knob.id, on), vector);
}

/** No op that was fine on the broken kernel is refused now; ops that the violation cut off do not count. */
function isFaithful(before: Uint8Array, after: Uint8Array): boolean {
  return before.every((result, i) => {
    return result === NOT_RUN || REFUSALS.includes(result) || !REFUSALS.includes(after[i]!);
  });
}

/** Every way to choose `size` items, the first ones first. */
function* combinations<T>(items: readonly T[], size: number, from = 0): Generator<T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = from; i < items.length; i++) {
    for (const rest of combinations(items, size - 1, i + 1)) yield [items[i]!, ...rest];
  }
}

/** How often each handler decision was taken in a run of the program. */
function decisions(words: Uint32Array, trial: Trial): Map<number, number> {
  const counts = new Map<number, number>();
  trial.engine.setTracing(true);
  trial.run(words);
  for (const record of trial.engine.trace()) {
    if (record.kind === 'point') counts.set(record.point, (counts.get(record.point) ?? 0) + 1);
  }
  trial.engine.setTracing(false);
  return counts;
}

function difference(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): number {
  const points = new Set([...a.keys(), ...b.keys()]);
  return [...points].reduce((sum, point) => sum + Math.abs((a.get(point) ?? 0) - (b.get(point) ?? 0)), 0);
}

/** The cures that change least of what the program makes the handler do come first. */
function mostSurgical(cures: readonly Cure[], words: Uint32Array, trial: Trial): Cure[] {
  const before = decisions(words, trial);
  const changes = (cure: Cure) =>
    difference(before, decisions(words, new Trial(trial.engine, flipped(trial.vector, cure.flips))));
  return cures
    .map((cure) => ({ cure, changed: changes(cure) }))
    .sort((a, b) => a.changed - b.changed)
    .slice(0, MAX_CURES)
    .map(({ cure }) => cure);
}

/**
 * The smallest sets of flips with which the program keeps every promise, at most 6 of one size, the most surgical
 * first. Where only refusals silence it, those. Empty: up to triples of forward steps nothing does.
 */
export function findCures(words: Uint32Array, trial: Trial): Cure[] {
  const { engine, vector } = trial;
  const before = trial.run(words);
  const flips = candidates(engine.catalogue, vector);
  const forward = flips.filter((flip) => flip.forward);
  const refusing: Cure[] = [];
  for (const [size, pool] of [flips, flips, forward].entries()) {
    const faithful: Cure[] = [];
    for (const set of combinations(pool, size + 1)) {
      engine.configureVector(flipped(vector, set));
      if (engine.mask(words) !== 0) continue;
      const kept = isFaithful(before.results, engine.results(words.length));
      const cure: Cure = { flips: set.map(({ knob, on }) => ({ knob, on })), faithful: kept };
      if (cure.faithful) faithful.push(cure);
      else if (size === 0) refusing.push(cure);
      if (faithful.length === ENOUGH_CURES) break;
    }
    if (faithful.length > 0) return mostSurgical(faithful, words, trial);
  }
  return mostSurgical(refusing, words, trial);
}

/** `+knob -knob` */
export function printFlips(flips: readonly Flip[]): string {
  return flips.map(({ knob, on }) => (on ? '+' : '-') + knob.name).join(' ');
}
