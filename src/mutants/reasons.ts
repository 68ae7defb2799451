// Why nobody can notice a mutant that survives. A row is about the mutants of one place; what has no row is an open question.
import type { Mutant } from './types.js';

export interface Reason {
  /** Names of mutants, or how they begin: up to a `*`. */
  readonly of: readonly string[];
  /**
   * equivalent: the same in every state. unobservable: another state, but nothing that a promise or an operation's result
   * speaks of.
   */
  readonly kind: 'equivalent' | 'unobservable';
  readonly why: string;
}

function equivalent(why: string, ...of: string[]): Reason {
  return { of, kind: 'equivalent', why };
}

export const REASONS: readonly Reason[] = [
  equivalent(
    'A leaf with uffd-wp lies in a registered VMA only, since unregister and close clear it: a write there is an event and never gets to the copy.',
    '+copy.keeps_uffd_wp',
  ),
];

function isAbout(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

export function reasonFor({ name }: Pick<Mutant, 'name'>): Reason | undefined {
  return REASONS.find(({ of }) => of.some((pattern) => isAbout(pattern, name)));
}
