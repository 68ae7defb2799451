// The numbers that the threads of a search share, and the gate at which they wait while one of them rebuilds the
// visited set.
import type { Ended } from './types.js';

/** Why a search stops before its end; 0 = it goes on. */
const REASONS: readonly Ended[] = ['closed', 'depth', 'time', 'memory', 'interrupted', 'violated'];

/** Words of 32 bits. */
const W = {
  stop: 0,
  lock: 1,
  /** Threads that use the visited set now; of them, those that wait at the gate; whether the gate is shut. */
  active: 2,
  waiting: 3,
  shut: 4,
  /** Goes up with every change of the visited set. */
  epoch: 5,
  threads: 6,
  /** Next batch of the level. */
  cursor: 7,
  lines: 8,
  /** Entries of the visited set, those included that threads are about to enter; and how many there may be. */
  count: 9,
  limit: 10,
  /**
   * Depth-first: threads without work; whether an offer stands, how many states it has, and of which depth; whether all
   * is done.
   */
  idle: 11,
  offer: 12,
  offerCount: 13,
  offerDepth: 14,
  done: 15,
  /**
   * Work that the threads at the gate share: parts that nobody took, parts that are not finished; rings with any news.
   */
  parts: 16,
  unfinished: 17,
  bell: 18,
  /** Where the parts of a growth begin and end, in lines. */
  edges: 19,
  /** Whether those parts are new memory or are to be moved. */
  fresh: 52,
  words: 54,
} as const;

/** Parts of a growth that may be under way together. */
export const MOST_PARTS = 32;

/** Words of 64 bits, behind those. */
const L = { visitedBytes: 0, frontierBytes: 1, expanded: 2, found: 3, transitions: 4, words: 5 } as const;

export class Control {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly #long: BigInt64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4 * W.words + 8 * L.words)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, W.words);
    this.#long = new BigInt64Array(buffer, 4 * W.words, L.words);
  }

  /** Asks every thread to stop after its batch. The first reason counts. */
  stop(reason: Ended): void {
    Atomics.compareExchange(this.words, W.stop, 0, REASONS.indexOf(reason));
    Atomics.notify(this.words, W.offer);
  }

  get stopped(): Ended | undefined {
    const reason = Atomics.load(this.words, W.stop);
    return reason === 0 ? undefined : REASONS[reason];
  }

  get(word: keyof typeof W): number {
    return Atomics.load(this.words, W[word]);
  }

  set(word: keyof typeof W, value: number): void {
    Atomics.store(this.words, W[word], value);
  }

  /** Returns the value before. */
  add(word: keyof typeof W, value: number): number {
    return Atomics.add(this.words, W[word], value);
  }

  /** Sets `word` to `to` if it is `from`, and says so. */
  exchange(word: keyof typeof W, from: number, to: number): boolean {
    return Atomics.compareExchange(this.words, W[word], from, to) === from;
  }

  edge(index: number): number {
    return Atomics.load(this.words, W.edges + index);
  }

  setEdge(index: number, line: number): void {
    Atomics.store(this.words, W.edges + index, line);
  }

  long(word: keyof typeof L): number {
    return Number(Atomics.load(this.#long, L[word]));
  }

  setLong(word: keyof typeof L, value: number): void {
    Atomics.store(this.#long, L[word], BigInt(value));
  }

  /** Returns the value after. */
  addLong(word: keyof typeof L, value: number): number {
    return Number(Atomics.add(this.#long, L[word], BigInt(value))) + value;
  }

  /** Waits until `word` is no longer `value`, or for `ms`. */
  wait(word: keyof typeof W, value: number, ms?: number): void {
    Atomics.wait(this.words, W[word], value, ms);
  }

  wake(word: keyof typeof W): void {
    Atomics.notify(this.words, W[word]);
  }

  /** Runs `body` while no other thread runs one. */
  locked<T>(body: () => T): T {
    while (Atomics.compareExchange(this.words, W.lock, 0, 1) !== 0) Atomics.wait(this.words, W.lock, 1, 1);
    try {
      return body();
    } finally {
      Atomics.store(this.words, W.lock, 0);
      Atomics.notify(this.words, W.lock, 1);
    }
  }
}

/**
 * Threads enter before they use the visited set and leave after. One that finds the set too small shuts the gate; when
 * every thread inside has come to the gate or left, the last of them rebuilds the set, with the help of the others, and
 * opens it.
 */
export class Gate {
  readonly #control: Control;
  readonly #rebuild: () => void;
  readonly #part: (index: number) => void;

  /** `rebuild` may call `share`, which has `part` called. */
  constructor(control: Control, rebuild: () => void, part: (index: number) => void) {
    this.#control = control;
    this.#rebuild = rebuild;
    this.#part = part;
  }

  enter(): void {
    const control = this.#control;
    const inside = () =>
      control.locked(() => {
        if (control.get('shut') !== 0) return false;
        control.add('active', 1);
        return true;
      });
    while (!inside()) control.wait('shut', 1);
  }

  leave(): void {
    const control = this.#control;
    const last = control.locked(() => {
      const active = control.add('active', -1) - 1;
      return control.get('shut') !== 0 && active > 0 && control.get('waiting') === active;
    });
    if (last) this.#open();
  }

  get shut(): boolean {
    return this.#control.get('shut') !== 0;
  }

  /** Returns when the set has been rebuilt. To be called by a thread that is inside and holds nothing of the set. */
  wait(): void {
    const control = this.#control;
    let epoch = 0;
    const last = control.locked(() => {
      epoch = control.get('epoch');
      control.set('shut', 1);
      return control.add('waiting', 1) + 1 === control.get('active');
    });
    if (last) {
      this.#open();
      return;
    }
    for (;;) {
      const bell = control.get('bell');
      if (control.get('epoch') !== epoch) return;
      this.#help();
      control.wait('bell', bell);
    }
  }

  /** Has parts 0 .. count - 1 done by the threads that wait and this one; returns when all are. */
  share(count: number): void {
    const control = this.#control;
    control.set('unfinished', count);
    control.set('parts', count);
    this.#ring();
    this.#help();
    for (let left = control.get('unfinished'); left > 0; left = control.get('unfinished'))
      control.wait('unfinished', left);
  }

  #help(): void {
    const control = this.#control;
    for (let left = control.get('parts'); left > 0; left = control.get('parts')) {
      if (!control.exchange('parts', left, left - 1)) continue;
      this.#part(left - 1);
      if (control.add('unfinished', -1) === 1) control.wake('unfinished');
    }
  }

  #open(): void {
    const control = this.#control;
    this.#rebuild();
    control.locked(() => {
      control.set('waiting', 0);
      control.set('shut', 0);
      control.add('epoch', 1);
    });
    this.#ring();
    control.wake('shut');
  }

  #ring(): void {
    this.#control.add('bell', 1);
    this.#control.wake('bell');
  }
}
