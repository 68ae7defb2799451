// Trials of the judges: programs on kernels with one thing wrong, and the promise that must be found broken.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import type { Violation } from '../src/engine/types.js';
import { parseProgram } from '../src/text/parse.js';

export const engine = loadEngine();
const { ops, invariants } = engine.catalogue;
export const slugOf = new Map(invariants.map(({ id, slug }) => [id, slug]));

export interface Trial {
  readonly slug: string;
  readonly program: string;
  /** `KERNEL [+KNOB | -KNOB]...` */
  readonly kernel: string;
  /** Parts of the first violation that the judge must have got right. */
  readonly where?: Partial<Violation>;
}

export function judged(program: string, kernel: string): readonly Violation[] {
  const [name, ...knobs] = kernel.split(' ');
  const named = (sign: string) => knobs.filter((knob) => knob[0] === sign).map((knob) => knob.slice(1));
  engine.configure({ kernel: name!, with: named('+'), without: named('-') });
  return engine.run(parseProgram(program, ops)).violations;
}
export const slugs = (violations: readonly Violation[]) => [
  ...new Set(violations.map(({ invariant }) => slugOf.get(invariant))),
];

/** Each fires, says the right word, and is silent on the repaired kernel. */
export function tryAll(trials: readonly Trial[]): void {
  for (const { slug, program, kernel, where } of trials) {
    it(`${slug}: ${kernel}: ${program}`, () => {
      const violations = judged(program, kernel);
      const [first] = violations;
      assert.ok(first, 'nothing found');
      assert.equal(slugOf.get(first.invariant), slug, `found ${slugs(violations)}`);
      assert.deepEqual({ ...first, ...where }, first);
      assert.deepEqual(slugs(judged(program, 'repaired')), []);
    });
  }
}
