// What a row of reasons says.

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

export function equivalent(why: string, ...of: string[]): Reason {
  return { of, kind: 'equivalent', why };
}

export function unobservable(why: string, ...of: string[]): Reason {
  return { of, kind: 'unobservable', why };
}
