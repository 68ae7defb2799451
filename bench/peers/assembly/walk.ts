// The small handler in AssemblyScript, scalar: raw loads and stores at fixed addresses.
// Globals rather than memory for the few words that every step touches.

const NR_MMS: u32 = 2;
const NR_PAGES: u32 = 2;
const P: u32 = 1;
const W: u32 = 2;
const D: u32 = 4;
const A: u32 = 8;
const U: u32 = 16;

/** One u32 each: flags in bits 0-4, frame from bit 8; frame 0 is the zero page. */
const PTE: usize = 1024;
const REFS: usize = 2048;
const MAPS: usize = 2048 + 128;
const PINS: usize = 2048 + 256;
/** The frame that each mm's handle pins; 0 for none. */
const SLOT: usize = 2048 + 384;

let freeFrames: u32 = ~(<u32>1);
export let events: u32 = 0;
export let violations: u32 = 0;
let s0: u32 = 1;
let s1: u32 = 2;
let s2: u32 = 3;
let s3: u32 = 4;

@inline
function at(base: usize, i: u32): usize {
  return base + (<usize>i << 2);
}

@inline
function allocFrame(): u32 {
  const frame = ctz(freeFrames);
  freeFrames &= freeFrames - 1;
  store<u32>(at(REFS, frame), 1);
  store<u32>(at(MAPS, frame), 1);
  store<u32>(at(PINS, frame), 0);
  return frame;
}

@inline
function add(address: usize, n: u32): void {
  store<u32>(address, load<u32>(address) + n);
}

@inline
function putRef(frame: u32): void {
  const refs = load<u32>(at(REFS, frame)) - 1;
  store<u32>(at(REFS, frame), refs);
  if (refs == 0) freeFrames |= 1 << frame;
}

@inline
function putMap(frame: u32): void {
  if (!frame) return;
  add(at(MAPS, frame), -1);
  putRef(frame);
}

@inline
function fault(i: u32, write: bool): void {
  const address = at(PTE, i);
  const entry = load<u32>(address);
  if (!(entry & P)) {
    store<u32>(address, P | A | D | W | (allocFrame() << 8));
    return;
  }
  if (entry & W) {
    store<u32>(address, entry | A | (write ? D : 0));
    return;
  }
  if (entry & U && write) {
    events++;
    return;
  }
  const frame = entry >> 8;
  const writable = entry & U ? <u32>0 : W;
  if (frame && load<u32>(at(MAPS, frame)) == 1 && load<u32>(at(REFS, frame)) == 1) {
    store<u32>(address, entry | A | D | writable);
    return;
  }
  const copy = allocFrame();
  putMap(frame);
  store<u32>(address, P | A | D | writable | (entry & U) | (copy << 8));
}

@inline
function read(i: u32): void {
  const entry = load<u32>(at(PTE, i));
  store<u32>(at(PTE, i), entry & P ? entry | A : P | A);
}

@inline
function unpin(mm: u32): void {
  const frame = load<u32>(at(SLOT, mm));
  if (!frame) return;
  add(at(PINS, frame), -1);
  putRef(frame);
  store<u32>(at(SLOT, mm), 0);
}

function gup(mm: u32, i: u32): void {
  if (load<u32>(at(SLOT, mm))) {
    unpin(mm);
    return;
  }
  fault(i, false);
  const frame = load<u32>(at(PTE, i)) >> 8;
  add(at(PINS, frame), 1);
  add(at(REFS, frame), 1);
  store<u32>(at(SLOT, mm), frame);
}

@inline
function toggleUffdWp(i: u32): void {
  const entry = load<u32>(at(PTE, i));
  if (!(entry & P)) return;
  store<u32>(at(PTE, i), entry & U ? entry & ~U : (entry | U) & ~W);
}

@inline
function zap(i: u32): void {
  const entry = load<u32>(at(PTE, i));
  if (!(entry & P)) return;
  putMap(entry >> 8);
  store<u32>(at(PTE, i), 0);
}

function fork(parent: u32): void {
  const child = (parent + 1) % NR_MMS;
  for (let i: u32 = 0; i < NR_PAGES; i++) zap(child * NR_PAGES + i);
  unpin(child);
  for (let i: u32 = 0; i < NR_PAGES; i++) {
    const src = at(PTE, parent * NR_PAGES + i);
    const dst = at(PTE, child * NR_PAGES + i);
    const entry = load<u32>(src);
    if (!(entry & P)) continue;
    const frame = entry >> 8;
    if (frame && load<u32>(at(PINS, frame)) > 0) {
      store<u32>(dst, P | A | D | W | (allocFrame() << 8));
      continue;
    }
    store<u32>(src, entry & ~W);
    if (frame) {
      add(at(MAPS, frame), 1);
      add(at(REFS, frame), 1);
    }
    store<u32>(dst, entry & ~(W | U | A));
  }
}

@inline
function check(i: u32, checksum: u32): u32 {
  const entry = load<u32>(at(PTE, i));
  const frame = entry >> 8;
  let refs: u32 = 0;
  let maps: u32 = 0;
  if (entry & P) {
    if ((entry & (W | U)) == (W | U)) violations++;
    if (frame) {
      refs = load<u32>(at(REFS, frame));
      maps = load<u32>(at(MAPS, frame));
      if (entry & W && maps != 1) violations++;
      if (refs < maps + load<u32>(at(PINS, frame))) violations++;
    } else if (entry & W) violations++;
  }
  return checksum * 31 + (entry & 31) + (refs << 8) + (maps << 12);
}

@inline
function step(random: u32, checksum: u32): u32 {
  const op = random & 15;
  const mm = (random >> 4) % NR_MMS;
  const i = mm * NR_PAGES + ((random >> 8) % NR_PAGES);
  if (op < 4) read(i);
  else if (op < 9) fault(i, true);
  else if (op < 11) gup(mm, i);
  else if (op < 13) toggleUffdWp(i);
  else if (op < 15) zap(i);
  else fork(mm);
  return check(i, checksum);
}

/** Back to the empty world, with the random stream at these four words. */
export function reset(a: u32, b: u32, c: u32, d: u32): void {
  memory.fill(PTE, 0, SLOT + 128 - PTE);
  freeFrames = ~(<u32>1);
  events = 0;
  violations = 0;
  s0 = a;
  s1 = b;
  s2 = c;
  s3 = d;
}

/** Runs so many steps; takes and returns the checksum. */
export function run(steps: u32, checksum: u32): u32 {
  let a = s0;
  let b = s1;
  let c = s2;
  let d = s3;
  for (let n: u32 = 0; n < steps; n++) {
    const random = rotl<u32>(b * 5, 7) * 9;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl<u32>(d, 11);
    checksum = step(random, checksum);
  }
  s0 = a;
  s1 = b;
  s2 = c;
  s3 = d;
  return checksum;
}
