// One thread of a depth-first search: a stack of its own, and an offer of its oldest work to threads that have none.
import type { Control } from './control.js';
import { Stack } from './stack.js';
import type { DiveResult, DiveTask } from './task.js';
import type { Subject } from './types.js';
import { Violations } from './violations.js';
import type { Visited } from './visited.js';

/** States between two looks at what the other threads want. */
const LOOK_EVERY = 64;
/** Bytes of an offer at most. */
export const OFFER_BYTES = 1 << 16;

/** States of `control`'s word `offer`. */
const EMPTY = 0;
const FULL = 1;

export function dive(
  subject: Subject,
  visited: Visited,
  control: Control,
  offer: SharedArrayBuffer,
  budget: number,
  task: DiveTask,
): DiveResult {
  subject.oneByOne?.();
  const before = subject.counters();
  const diver = new Diver(subject, visited, control, new Uint8Array(offer), budget, task);
  diver.run();
  const after = subject.counters();
  return {
    kind: 'dive',
    states: diver.states,
    deepest: diver.deepest,
    cut: diver.cut,
    transitions: after.transitions - before.transitions - diver.repeated.transitions,
    exhausted: after.exhausted - before.exhausted - diver.repeated.exhausted,
    violations: diver.violations.list(),
  };
}

class Diver {
  states = 0;
  deepest = 0;
  cut = false;
  readonly violations = new Violations(false);
  /** What was counted again by expanding a state more than once. */
  readonly repeated = { transitions: 0, exhausted: 0 };
  readonly #subject: Subject;
  readonly #visited: Visited;
  readonly #control: Control;
  readonly #offer: Uint8Array;
  readonly #budget: number;
  readonly #task: DiveTask;
  readonly #stack: Stack;
  #stackBytes = 0;
  #toldStates = 0;
  #toldTransitions = 0;

  constructor(subject: Subject, visited: Visited, control: Control, offer: Uint8Array, budget: number, task: DiveTask) {
    this.#subject = subject;
    this.#visited = visited;
    this.#control = control;
    this.#offer = offer;
    this.#budget = budget;
    this.#task = task;
    this.#stack = new Stack((depth) => subject.entrySize(depth));
    this.#toldTransitions = subject.counters().transitions;
  }

  run(): void {
    const { gate } = this.#visited;
    const { roots } = this.#task;
    if (roots) {
      gate.enter();
      try {
        this.#fromRoots(new Uint8Array(roots.bytes), roots.count);
      } finally {
        gate.leave();
      }
    }
    while (this.#waitForWork()) {
      gate.enter();
      try {
        this.#search();
      } finally {
        gate.leave();
      }
    }
    this.#look();
  }

  #fromRoots(entries: Uint8Array, count: number): void {
    const size = this.#subject.entrySize(0);
    this.states += count;
    for (let i = 0; i < count; i++) {
      this.#stack.begin(1);
      this.#expand(entries.subarray(i * size, (i + 1) * size), 0);
      this.#search();
    }
  }

  /** Until the stack is empty or the search is told to stop. */
  #search(): void {
    const stack = this.#stack;
    for (let visits = 1; stack.height > 0; ) {
      if (!stack.next()) continue;
      const depth = stack.depth;
      const fresh = this.#visited.insertOne(stack.low, stack.high);
      if (fresh < 0) return;
      if (fresh === 0) continue;
      this.states++;
      if (depth > this.deepest) this.deepest = depth;
      this.#expand(stack.entry, depth);
      if (visits++ % LOOK_EVERY === 0 && !this.#look()) return;
    }
  }

  /** Pushes the successors of a state that are not visited now: later is soon enough to ask again. */
  #expand(entry: Uint8Array, depth: number): void {
    if (depth >= this.#task.depth) {
      this.cut = true;
      return;
    }
    const subject = this.#subject;
    const prints = subject.expand(entry, 1, depth);
    const n = prints.length;
    if (n === 0) return;
    const absent = this.#visited.missing(prints);
    const size = subject.entrySize(depth + 1);
    let count = 0;
    for (let i = 0; i < n; i++) count += absent[i]!;
    if (count === 0) return;
    // Before the entries are collected: they may lie in the place of the fingerprints.
    const stack = this.#stack;
    stack.push(new Uint32Array(prints.buffer, prints.byteOffset, 2 * n), absent);
    const entries = subject.collect(absent.subarray(0, n));
    if (entries.length === count * size) {
      stack.pushEntries(entries);
      return;
    }
    stack.drop();
    this.#expandOneByOne(entry.slice(), depth, absent.slice(0, n));
  }

  /** As some of the successors broke a promise and gave no entry, they are asked for one at a time to know which. */
  #expandOneByOne(entry: Uint8Array, depth: number, absent: Uint8Array): void {
    const subject = this.#subject;
    const size = subject.entrySize(depth + 1);
    const one = new Uint8Array(absent.length);
    const before = subject.counters();
    const words: number[] = [];
    const entries: Uint8Array[] = [];
    for (let i = 0; i < absent.length; i++) {
      if (absent[i] === 0) continue;
      const prints = subject.expand(entry, 1, depth);
      if (prints.length !== absent.length) throw new Error('the subject does not give the same candidates again');
      const [low, high] = new Uint32Array(prints.buffer, prints.byteOffset + 8 * i, 2);
      one.fill(0);
      one[i] = 1;
      const got = subject.collect(one);
      if (got.length === size) {
        words.push(low!, high!);
        entries.push(got.slice());
        // One that broke a promise is entered, so that nobody asks for it again.
      } else if (this.#visited.insertOne(low!, high!) < 0) break;
    }
    const after = subject.counters();
    this.repeated.transitions += after.transitions - before.transitions;
    this.repeated.exhausted += after.exhausted - before.exhausted;
    const packed = new Uint8Array(size * entries.length);
    for (const [i, bytes] of entries.entries()) packed.set(bytes, i * size);
    if (entries.length > 0) this.#push(Uint32Array.from(words), packed);
  }

  /** Tells how far it is, and shares out work if it is asked for. False if the search is to stop. */
  #look(): boolean {
    const control = this.#control;
    const { transitions } = this.#subject.counters();
    control.addLong('found', this.states - this.#toldStates);
    control.addLong('transitions', transitions - this.#toldTransitions);
    this.#toldStates = this.states;
    this.#toldTransitions = transitions;
    const paths = this.#subject.takeViolations();
    // The path is as long as its program where a subject has no other notion of steps.
    for (const path of paths) this.violations.add(path.program.length, [path]);
    if ((this.violations.mask & this.#task.until) !== 0) control.stop('violated');
    const { bytes } = this.#stack;
    if (bytes !== this.#stackBytes) {
      const used = control.addLong('frontierBytes', bytes - this.#stackBytes);
      this.#stackBytes = bytes;
      if (used + control.long('visitedBytes') > this.#budget) control.stop('memory');
    }
    if (control.get('idle') > 0 && control.get('offer') === EMPTY) this.#offerOldest();
    return control.stopped === undefined;
  }

  #offerOldest(): void {
    const control = this.#control;
    control.locked(() => {
      if (control.get('offer') !== EMPTY || control.get('idle') === 0) return;
      const work = this.#stack.takeOldest(OFFER_BYTES);
      if (!work) return;
      const { depth, prints, entries } = work;
      this.#offer.set(new Uint8Array(prints.buffer, prints.byteOffset, prints.byteLength));
      this.#offer.set(entries, prints.byteLength);
      control.set('offerDepth', depth);
      control.set('offerCount', prints.length / 2);
      control.set('offer', FULL);
    });
    control.wake('offer');
  }

  /** True if an offer has been taken: it is on the stack then. False if the search is over. */
  #waitForWork(): boolean {
    const control = this.#control;
    control.locked(() => control.add('idle', 1));
    while (control.get('done') === 0 && control.stopped === undefined) {
      const taken = control.locked(() => {
        if (control.get('offer') === FULL) {
          this.#takeOffer();
          control.add('idle', -1);
          control.set('offer', EMPTY);
          return true;
        }
        if (control.get('idle') === this.#task.threads) control.set('done', 1);
        return false;
      });
      if (taken) return true;
      // The time is for a wake that came before the wait.
      if (control.get('done') === 0) control.wait('offer', EMPTY, 5);
    }
    control.wake('offer');
    return false;
  }

  #takeOffer(): void {
    const control = this.#control;
    const count = control.get('offerCount');
    const depth = control.get('offerDepth');
    const size = this.#subject.entrySize(depth);
    const prints = new Uint32Array(this.#offer.slice(0, 8 * count).buffer);
    this.#stack.begin(depth);
    this.#push(prints, this.#offer.slice(8 * count, (8 + size) * count));
  }

  #push(prints: Uint32Array, entries: Uint8Array): void {
    this.#stack.push(prints, new Uint8Array(prints.length / 2).fill(1));
    this.#stack.pushEntries(entries);
  }
}
