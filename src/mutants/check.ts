// Every program of some small scopes, breadth first on one thread, up to a number of transitions.
import type { KnobVector } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { alphabet } from '../explore/alphabet.js';
import { EngineSubject } from '../explore/engine-subject.js';
import { batches, Numbering } from '../explore/graph.js';
import { DEFAULT_SCOPE, type Scope } from '../explore/scope.js';

/** One of COW, pins, uffd and swap; one of changed protection and trackers; one of a huge page. */
const SCOPES: readonly Scope[] = [
  DEFAULT_SCOPE,
  { ...DEFAULT_SCOPE, uffd: 'none', mprotect: true, softdirty: true, numa: true },
  { ...DEFAULT_SCOPE, uffd: 'all', mms: 1, pmds: 1, gup: ['W.PIN'] },
];
const TRANSITIONS = 25_000;

export interface Broken {
  readonly mask: number;
  readonly words: Uint32Array;
}

/** The first program that breaks a promise, of the first scope that has one. */
export function smallCheck(engine: Engine, vector: KnobVector): Broken | undefined {
  for (const scope of SCOPES) {
    const broken = checkScope(engine, vector, scope);
    if (broken) return broken;
  }
  return undefined;
}

function checkScope(engine: Engine, vector: KnobVector, scope: Scope): Broken | undefined {
  const { alphabet: words, pairs, pages, mms } = alphabet(engine.catalogue, scope);
  const { asleep } = scope;
  const spec = { kind: 'engine', vector, alphabet: words, pairs, mms, pages, asleep, symmetry: 'full' } as const;
  const subject = new EngineSubject(spec, engine);
  const seen = new Numbering();
  const enter = (prints: BigUint64Array) => {
    const halves = new Uint32Array(prints.buffer, prints.byteOffset, 2 * prints.length);
    return Uint8Array.from(prints, (_, i) => {
      const before = seen.count;
      return seen.number(halves[2 * i]!, halves[2 * i + 1]!, true) === before ? 1 : 0;
    });
  };
  enter(subject.rootFingerprints());
  let level: Uint8Array[] = [subject.roots().slice()];
  for (let depth = 0; level.length > 0; depth++) {
    const next: Uint8Array[] = [];
    for (const [entries, count] of batches(level, subject.entrySize(depth), subject.batch)) {
      const fresh = enter(subject.expand(entries, count, depth));
      const found = subject.collect(fresh).slice();
      const [broken] = subject.takeViolations();
      if (broken) return { mask: broken.mask, words: broken.program };
      if (found.length > 0) next.push(found);
      if (subject.counters().transitions > TRANSITIONS) return undefined;
    }
    level = next;
  }
  return undefined;
}
