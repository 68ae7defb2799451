// From the program that the fuzzer found to the one that people read.
import fc from 'fast-check';
import { canonical, type OpInfo } from '../engine/optable.js';
import { decodeOp, encodeOp, MAX_OPS, NO_FIELDS, PAGE_NAMES } from '../engine/opword.js';
import type { Violation } from '../engine/types.js';
import { reductions } from './reductions.js';
import { breaks, type Trial } from './trial.js';

/** Does the program still fail in the way that matters? Must be a pure function. */
export type Fails = (words: Uint32Array) => boolean;

const FLAG_BITS = 9;

/**
 * Programs as fast-check shrinks them: fewer ops, lower arguments, fewer flags; an op never turns into another. Made when
 * asked for, as the page diagnoses without minimizing, and so without fast-check.
 */
const programs = () =>
  fc.array(
    fc.record({
      code: fc.noShrink(fc.nat(63)),
      mm: fc.nat(3),
      page: fc.nat(15),
      y: fc.nat(3),
      cpu: fc.nat(1),
      flags: fc.tuple(...Array.from({ length: FLAG_BITS }, () => fc.nat(1))),
      pair: fc.boolean(),
      schedule: fc.nat(63),
    }),
    { maxLength: MAX_OPS },
  );
type Shrinkable = ReturnType<typeof programs> extends fc.Arbitrary<infer T> ? T : never;

function toShrinkable(words: Uint32Array): Shrinkable {
  return [...words].map((word) => {
    const fields = decodeOp(word);
    return { ...fields, flags: Array.from({ length: FLAG_BITS }, (_, bit) => (fields.flags >> bit) & 1) };
  });
}

function fromShrinkable(program: Shrinkable): Uint32Array {
  return Uint32Array.from(program, (op) =>
    encodeOp({ ...op, flags: op.flags.reduce((flags, on, bit) => flags | (on << bit), 0) }),
  );
}

/** fast-check's descent: large steps first, ends in a local minimum of its own. */
function shrink(words: Uint32Array, fails: Fails): Uint32Array {
  const silent = fc.property(programs(), (program) => !fails(fromShrinkable(program)));
  const { counterexample } = fc.check(silent, { examples: [[toShrinkable(words)]], numRuns: 1, seed: 0 });
  const smallest = counterexample?.[0];
  return smallest ? fromShrinkable(smallest) : words;
}

/**
 * The smallest program that reductions reach from `words` and that still fails: no op (nor any two) can go and no
 * argument can be made smaller. `words` itself must fail. Deterministic.
 */
export function minimize(words: Uint32Array, ops: readonly OpInfo[], fails: Fails): Uint32Array {
  let best = canonical(ops, shrink(words, fails));
  if (!fails(best)) best = canonical(ops, words);
  for (let smaller: Uint32Array | undefined = best; smaller; ) {
    best = smaller;
    smaller = undefined;
    for (const candidate of reductions(ops, best)) {
      if (fails(candidate)) {
        smaller = candidate;
        break;
      }
    }
  }
  return best;
}

/** An op that looks where the final look found something, so that the program itself shows it. */
function observer(ops: readonly OpInfo[], { mm, page, handle }: Violation): number | undefined {
  const code = (name: string) => ops.findIndex((op) => op.name === name);
  if (handle !== undefined) return encodeOp({ ...NO_FIELDS, code: code('hread'), y: handle });
  if (mm === undefined || page === undefined || page >= PAGE_NAMES.length) return undefined;
  return encodeOp({ ...NO_FIELDS, code: code('read'), mm, page });
}

/**
 * Minimizes a program that breaks `invariant` on the trial's kernel, and makes it show that itself: where only the
 * final look at the world sees it, the reading op is appended. `also` restricts what counts as the same failure.
 */
export function minimizeBreaking(words: Uint32Array, trial: Trial, invariant: number, also?: Fails): Uint32Array {
  const { ops } = trial.engine.catalogue;
  const same = (candidate: Uint32Array) => also === undefined || also(candidate);
  const anyway = (candidate: Uint32Array) => breaks(trial.mask(candidate), invariant) && same(candidate);
  const shown = (candidate: Uint32Array) => breaks(trial.shownMask(candidate), invariant) && same(candidate);
  const quick = minimize(words, ops, anyway);
  const visible = showing(quick, trial, invariant, shown);
  return visible ? minimize(visible, ops, shown) : quick;
}

/**
 * A program that breaks `invariant` on the trial's kernel, if need be with one op more, so that an op of its own shows it;
 * undefined if no single op does. `shown` says whether one does.
 */
export function showing(
  words: Uint32Array,
  trial: Trial,
  invariant: number,
  shown: Fails = (candidate) => breaks(trial.shownMask(candidate), invariant),
): Uint32Array | undefined {
  if (shown(words)) return words;
  const { ops } = trial.engine.catalogue;
  const records = trial.run(words).verdict.violations.filter((record) => record.invariant === invariant);
  for (const record of records) {
    const op = observer(ops, record);
    if (op === undefined) continue;
    const longer = Uint32Array.of(...words, op);
    if (shown(longer)) return longer;
  }
  return undefined;
}
