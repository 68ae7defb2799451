// How the table of the visited set becomes larger, while no thread uses it: in place, by all threads that wait for it.
import { type Control, MOST_PARTS } from './control.js';
import {
  LAST_LOAD,
  LINE,
  LOAD,
  limitOf,
  linesIn,
  MOST_PAGES,
  PAGE,
  type VisitedExports,
  type VisitedSetup,
} from './table.js';

/** A growth by less is not worth its time. */
const LEAST_GROWTH = 1.25;
/** A table of fewer lines grows fourfold, so that growths cost little; a larger one doubles. */
const SMALL_LINES = 1 << 20;
/** Lines that are worth another thread's help. */
const LEAST_SHARED = 4096;

/** One thread's share in it. Throws Error where fingerprints crowd so much that no table can hold them. */
export class Growth {
  readonly #setup: VisitedSetup;
  readonly #control: Control;
  readonly #wasm: VisitedExports;
  readonly #slack: number;
  readonly #share: (parts: number) => void;

  /** `share` has `movePart` called for each part, by any thread, and returns when all are done. */
  constructor(setup: VisitedSetup, control: Control, wasm: VisitedExports, share: (parts: number) => void) {
    this.#setup = setup;
    this.#control = control;
    this.#wasm = wasm;
    this.#slack = Number(wasm.SLACK.value);
    this.#share = share;
  }

  /** Makes the table larger, or at its last size fuller, or tells the search to stop. No other thread is at work. */
  rebuild(): void {
    const { at, budget } = this.#setup;
    const control = this.#control;
    const before = control.get('lines');
    const last = limitOf(before, LAST_LOAD);
    // The frontier may need as much again.
    const left = Math.floor((budget - 2 * control.long('frontierBytes')) / PAGE);
    const most = linesIn(Math.min(MOST_PAGES, left), at, this.#slack);
    const lines = Math.min((before < SMALL_LINES ? 4 : 2) * before, most);
    if (lines < LEAST_GROWTH * before || !this.#grow(lines)) {
      // Nothing is lost by a full table but time.
      if (control.get('limit') < last) control.set('limit', last);
      else control.stop('memory');
      return;
    }
    control.set('lines', lines);
    control.set('limit', limitOf(lines, LOAD));
    this.#wasm.setTable(at, lines);
    control.set('fresh', 1);
    this.#shareLines(before + this.#slack, lines + this.#slack, (line) => line);
    control.set('fresh', 0);
    this.#spread(before, lines);
  }

  /**
   * Moves everything to its place in the larger table. Behind the last line only one thread is at work; then stretch by
   * stretch, each so short that its new homes lie behind it, so that threads move parts of it without meeting what is
   * not moved yet.
   */
  #spread(before: number, lines: number): void {
    const wasm = this.#wasm;
    let top = before + this.#slack;
    for (;;) {
      const tail = top > before;
      const low = tail ? before - LEAST_SHARED : Math.ceil((top * before) / lines) + 1;
      const from = low < LEAST_SHARED ? 0 : wasm.edge(low, top);
      if (from === 0 || tail) {
        // A tail that reaches far down is a crowd; one thread moves all of it and what is before.
        const all = from === 0 || from > before ? 0 : from;
        this.#move(all, top);
        top = all;
      } else if (from < top) {
        this.#shareLines(from, top, (line) => wasm.edge(line, top));
        top = from;
      } else {
        this.#move(0, top);
        top = 0;
      }
      if (top === 0) return;
    }
  }

  /** Has the lines done in parts, which begin at what `edge` makes of a line. */
  #shareLines(from: number, to: number, edge: (line: number) => number): void {
    const control = this.#control;
    const parts = Math.max(1, Math.min(MOST_PARTS, Math.ceil((to - from) / LEAST_SHARED)));
    control.setEdge(0, from);
    for (let i = 1; i < parts; i++) control.setEdge(i, edge(from + Math.floor(((to - from) * i) / parts)));
    control.setEdge(parts, to);
    this.#share(parts);
  }

  movePart(part: number): void {
    const control = this.#control;
    const [from, to] = [control.edge(part), control.edge(part + 1)];
    this.#wasm.setTable(this.#setup.at, control.get('lines'));
    if (control.get('fresh') !== 0) this.#wasm.touch(from, to);
    else this.#move(from, to);
  }

  #move(from: number, to: number): void {
    if (this.#wasm.grow(from, to) !== 0)
      throw new Error('the visited set cannot grow: the fingerprints are not well mixed');
  }

  /** False if the machine does not give the memory. */
  #grow(lines: number): boolean {
    const { memory, at } = this.#setup;
    const pages = Math.ceil((at + (lines + this.#slack) * LINE) / PAGE);
    // The memory's own length may lag behind what another thread did.
    const more = pages - this.#control.long('visitedBytes') / PAGE;
    try {
      if (more > 0) {
        memory.grow(more);
        this.#control.setLong('visitedBytes', pages * PAGE);
      }
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}
