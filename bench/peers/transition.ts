// The small handler once more, as a function from state to state without counters: maps and pins are recounted
// each time. It is what the lanes are compared with, so clarity goes before speed.

const P = 1;
const W = 2;
const D = 4;
const A = 8;
const U = 16;

/** Four entries (two per mm) and one handle per mm. */
export interface SmallState {
  readonly flags: number[];
  /** Frame of each entry; 0 is the zero page, or nothing where P is clear. */
  readonly frames: number[];
  /** Frame that the mm's handle pins; 0 for none. */
  readonly slots: number[];
}

export function emptyState(): SmallState {
  return { flags: [0, 0, 0, 0], frames: [0, 0, 0, 0], slots: [0, 0] };
}

function maps(state: SmallState, frame: number): number {
  return state.frames.filter((other, i) => other === frame && state.flags[i]! & P).length;
}

function isPinned(state: SmallState, frame: number): boolean {
  return frame !== 0 && state.slots.includes(frame);
}

function lowestFree(state: SmallState): number {
  let frame = 1;
  while (state.frames.includes(frame) || state.slots.includes(frame)) frame++;
  return frame;
}

function set(state: SmallState, i: number, flags: number, frame: number): void {
  state.flags[i] = flags;
  state.frames[i] = frame;
}

function fault(state: SmallState, i: number, write: boolean): void {
  const flags = state.flags[i]!;
  const frame = state.frames[i]!;
  if (!(flags & P)) {
    set(state, i, P | W | D | A, lowestFree(state));
  } else if (flags & W) {
    state.flags[i] = flags | A | (write ? D : 0);
  } else if (!(flags & U && write)) {
    const writable = flags & U ? 0 : W;
    if (frame !== 0 && maps(state, frame) === 1 && !isPinned(state, frame)) {
      state.flags[i] = flags | A | D | writable;
    } else {
      set(state, i, P | D | A | writable | (flags & U), lowestFree(state));
    }
  }
}

function gup(state: SmallState, mm: number, i: number): void {
  if (state.slots[mm] !== 0) {
    state.slots[mm] = 0;
    return;
  }
  fault(state, i, false);
  state.slots[mm] = state.frames[i]!;
}

function fork(state: SmallState, mm: number): void {
  const parent = mm * 2;
  const child = 2 - parent;
  state.slots[1 - mm] = 0;
  for (let page = 0; page < 2; page++) set(state, child + page, 0, 0);
  for (let page = 0; page < 2; page++) {
    const flags = state.flags[parent + page]!;
    const frame = state.frames[parent + page]!;
    if (!(flags & P)) continue;
    if (isPinned(state, frame)) {
      set(state, child + page, P | W | D | A, lowestFree(state));
    } else {
      state.flags[parent + page] = flags & ~W;
      set(state, child + page, flags & ~(W | U | A), frame);
    }
  }
}

/** Applies the op in bits 0-3 of `random` to the entry in bits 4-5; true if the touched entry then breaks an invariant. */
export function applyOp(state: SmallState, random: number): boolean {
  const op = random & 15;
  const i = (random >> 4) & 3;
  const mm = i >> 1;
  const flags = state.flags[i]!;
  if (op < 4) {
    state.flags[i] = flags | P | A;
  } else if (op < 9) {
    fault(state, i, true);
  } else if (op < 11) {
    gup(state, mm, i);
  } else if (op < 13) {
    if (flags & P) state.flags[i] = flags & U ? flags & ~U : (flags | U) & ~W;
  } else if (op < 15) {
    set(state, i, 0, 0);
  } else {
    fork(state, mm);
  }
  const now = state.flags[i]!;
  const frame = state.frames[i]!;
  return (now & W) !== 0 && ((now & U) !== 0 || frame === 0 || maps(state, frame) !== 1);
}
