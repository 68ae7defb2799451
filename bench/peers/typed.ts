import { DEFAULT_SEED, type Seed, type Walk } from './walk.js';

// The small handler on typed arrays. Its state is the module's, as constants at the top are what V8
// optimises best: there is one world, and `typedWalk` hands out a view of it.

const NR_MMS = 2;
const NR_PAGES = 2;
const NR_FRAMES = 32;
const P = 1;
const W = 2;
const D = 4;
const A = 8;
const U = 16;

/** Flags in bits 0-4, frame from bit 8; frame 0 is the zero page. */
const pte = new Int32Array(NR_MMS * NR_PAGES);
const refs = new Int32Array(NR_FRAMES);
const maps = new Int32Array(NR_FRAMES);
const pins = new Int32Array(NR_FRAMES);
/** The frame that each mm's handle pins; 0 for none. */
const slot = new Int32Array(NR_MMS);
const ALL_FREE = ~1;
let freeFrames = ALL_FREE;
let events = 0;
let violations = 0;
let state: Seed = DEFAULT_SEED;

function allocFrame(): number {
  const frame = 31 - Math.clz32(freeFrames & -freeFrames);
  freeFrames &= freeFrames - 1;
  refs[frame] = 1;
  maps[frame] = 1;
  pins[frame] = 0;
  return frame;
}

function putRef(frame: number): void {
  if (--refs[frame]! === 0) freeFrames |= 1 << frame;
}

function putMap(frame: number): void {
  if (frame === 0) return;
  maps[frame]!--;
  putRef(frame);
}

function fault(i: number, write: boolean): void {
  const entry = pte[i]!;
  if (!(entry & P)) {
    pte[i] = P | A | D | W | (allocFrame() << 8);
    return;
  }
  if (entry & W) {
    pte[i] = entry | A | (write ? D : 0);
    return;
  }
  if (entry & U && write) {
    events++;
    return;
  }
  const frame = entry >>> 8;
  const writable = entry & U ? 0 : W;
  if (frame && maps[frame]! === 1 && refs[frame]! === 1) {
    pte[i] = entry | A | D | writable;
    return;
  }
  const copy = allocFrame();
  putMap(frame);
  pte[i] = P | A | D | writable | (entry & U) | (copy << 8);
}

function read(i: number): void {
  const entry = pte[i]!;
  pte[i] = entry & P ? entry | A : P | A;
}

function unpin(mm: number): void {
  const frame = slot[mm]!;
  if (frame === 0) return;
  pins[frame]!--;
  putRef(frame);
  slot[mm] = 0;
}

function gup(mm: number, i: number): void {
  if (slot[mm]) {
    unpin(mm);
    return;
  }
  fault(i, false);
  const frame = pte[i]! >>> 8;
  pins[frame]!++;
  refs[frame]!++;
  slot[mm] = frame;
}

function toggleUffdWp(i: number): void {
  const entry = pte[i]!;
  if (!(entry & P)) return;
  pte[i] = entry & U ? entry & ~U : (entry | U) & ~W;
}

function zap(i: number): void {
  const entry = pte[i]!;
  if (!(entry & P)) return;
  putMap(entry >>> 8);
  pte[i] = 0;
}

function fork(parent: number): void {
  const child = (parent + 1) % NR_MMS;
  for (let i = 0; i < NR_PAGES; i++) zap(child * NR_PAGES + i);
  unpin(child);
  for (let i = 0; i < NR_PAGES; i++) {
    const src = parent * NR_PAGES + i;
    const dst = child * NR_PAGES + i;
    const entry = pte[src]!;
    if (!(entry & P)) continue;
    const frame = entry >>> 8;
    if (frame && pins[frame]! > 0) {
      pte[dst] = P | A | D | W | (allocFrame() << 8);
      continue;
    }
    pte[src] = entry & ~W;
    if (frame) {
      maps[frame]!++;
      refs[frame]!++;
    }
    pte[dst] = entry & ~(W | U | A);
  }
}

function check(i: number, checksum: number): number {
  const entry = pte[i]!;
  const frame = entry >>> 8;
  let r = 0;
  let m = 0;
  if (entry & P) {
    if ((entry & (W | U)) === (W | U)) violations++;
    if (frame) {
      r = refs[frame]!;
      m = maps[frame]!;
      if (entry & W && m !== 1) violations++;
      if (r < m + pins[frame]!) violations++;
    } else if (entry & W) violations++;
  }
  return (Math.imul(checksum, 31) + (entry & 31) + (r << 8) + (m << 12)) | 0;
}

function step(random: number, checksum: number): number {
  const op = random & 15;
  const mm = (random >>> 4) % NR_MMS;
  const i = mm * NR_PAGES + ((random >>> 8) % NR_PAGES);
  if (op < 4) read(i);
  else if (op < 9) fault(i, true);
  else if (op < 11) gup(mm, i);
  else if (op < 13) toggleUffdWp(i);
  else if (op < 15) zap(i);
  else fork(mm);
  return check(i, checksum);
}

function run(steps: number, checksum: number): number {
  let [a, b, c, d] = state;
  for (let n = 0; n < steps; n++) {
    const x = Math.imul(b, 5);
    const random = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    checksum = step(random, checksum);
  }
  state = [a, b, c, d];
  return checksum >>> 0;
}

/** The walk over typed arrays. All callers share one world. */
export function typedWalk(): Walk {
  return {
    reset(seed) {
      for (const table of [pte, refs, maps, pins, slot]) table.fill(0);
      freeFrames = ALL_FREE;
      events = 0;
      violations = 0;
      state = seed;
    },
    run,
    stats: () => ({ events, violations }),
  };
}
