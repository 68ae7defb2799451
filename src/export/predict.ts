// What a C test is to say of a kernel, if its model is right.
import { type Fact, judge } from '../conform/facts.js';
import type { ModelBackend } from '../conform/model.js';
import type { Catalogue } from '../engine/catalogue.js';
import { RESULT } from '../engine/opword.js';
import type { Plan } from './c.js';

/** Kernels from which on pagemap tells of uffd-wp. */
const UFFD_WP_BIT = 'v5.14';

/** May user space see a fact on that kernel of the catalogue? */
export function visible({ kernels }: Catalogue, kernel: string): (fact: Fact) => boolean {
  const at = (name: string) => kernels.findIndex((one) => one.name === name);
  const marks = at(kernel) >= at(UFFD_WP_BIT);
  return (fact) => fact.kind !== 'bit' || fact.bit !== 'uffd-wp' || marks;
}

export interface Predicted {
  readonly verdict: 'kept' | 'broken' | 'skipped';
  /** Unless it is kept. */
  readonly reason?: string;
}

/**
 * As the C program goes: what is promised of each step is judged before the next one, and an op that never ends is
 * failure. `sees`: facts that the kernel lets user space see, as of visible().
 */
export function predict(
  { words, facts, may }: Pick<Plan, 'words' | 'facts' | 'may'>,
  model: ModelBackend,
  sees: (fact: Fact) => boolean,
): Predicted {
  const run = model.runSync([words])[0]!;
  const seen = facts.filter(sees);
  let last: Predicted = seen.length === 0 ? { verdict: 'skipped', reason: 'nothing is seen' } : { verdict: 'kept' };
  for (const [k, { result }] of run.ops.entries()) {
    if (result === RESULT.LIVELOCK) return { verdict: 'broken', reason: `op ${k + 1} never ends` };
    const trial = { words: words.slice(0, k + 1), text: '', facts: seen.filter(({ op }) => op <= k), idle: may };
    const { verdict, reason } = judge(trial, { ops: run.ops.slice(0, k + 1) });
    if (verdict === 'broken') return { verdict, reason: reason! };
    if (verdict === 'unknown') last = { verdict: 'skipped', reason: reason! };
  }
  return last;
}
