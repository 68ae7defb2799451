// What kernels cost on the same programs: pages copied, events, flushes, faults.
import type { KnobVector } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { decodeObservation } from '../engine/observation.js';
import { Stepper } from '../engine/stepper.js';
import type { KernelSpec } from '../engine/types.js';
import { type World, WorldReader } from '../engine/world.js';

export interface Costs {
  readonly programs: number;
  readonly ops: number;
  /** Calls of handle_mm_fault. */
  readonly faults: number;
  /** Pages whose content was copied; a fresh page in place of the zero page is none. */
  readonly copies: number;
  /** Copies of a page that nobody has used since: reuse would have kept every promise (I18). */
  readonly needless: number;
  /** uffd-wp events delivered. */
  readonly events: number;
  /** Of these, events of accesses that only read. */
  readonly readEvents: number;
  /** TLB flushes, one per page. */
  readonly flushes: number;
  /** Turns of the GUP loop after a fault. */
  readonly gupRetries: number;
}

/** Programs of one set of swarm mixes. */
const SHARD = 256;
const OPS = 32;
/** Fits every kernel: what it grants, others may refuse, and refusing costs nothing. */
const DRAWN_ON: KernelSpec = { kernel: 'repaired', with: [], without: [] };

/**
 * `count` programs of at most 32 ops by the fuzzer's generator, a pure function of the seed: the same whatever is
 * compared. Leaves the engine configured otherwise, with judges on.
 */
export function drawPrograms(engine: Engine, seed: bigint, count: number): Uint32Array[] {
  const stepper = new Stepper(engine);
  engine.setJudges('off');
  engine.configure(DRAWN_ON);
  const programs = Array.from({ length: count }, (_, i) => {
    const words: number[] = [];
    stepper.choose(seed, Math.floor(i / SHARD), i % SHARD);
    stepper.begin();
    while (words.length < OPS) {
      const word = stepper.draw(words.length === 0);
      if (word === undefined) break;
      stepper.run(word, words.length);
      words.push(word);
    }
    return Uint32Array.from(words);
  });
  engine.setJudges('touched');
  return programs;
}

const COUNTERS = ['ops', 'faults', 'copies', 'events', 'tlb_flushes', 'gup_retries'] as const;
type Counts = Record<(typeof COUNTERS)[number], number>;

function read(engine: Engine): Counts {
  return Object.fromEntries(COUNTERS.map((name) => [name, engine.counter(name)])) as Counts;
}

/** Runs all programs to their end, whatever breaks. Leaves the engine configured otherwise, with judges on. */
export function measureCosts(engine: Engine, vector: KnobVector, programs: readonly Uint32Array[]): Costs {
  const reader = new WorldReader(engine.catalogue);
  engine.setJudges('off');
  engine.configureVector(vector);
  const start = read(engine);
  let needless = 0;
  let zeroFills = 0;
  let wpEvents = 0;
  let readEvents = 0;
  for (const program of programs) {
    engine.begin(program);
    for (let i = 0; i < program.length; ) {
      const before = engine.snapshot();
      const copies = engine.counter('copies');
      const events = engine.counter('events');
      engine.setTracing(true);
      i += engine.step(i, program.length);
      engine.setTracing(false);
      if (engine.counter('events') > events) {
        const seen = wpEventsSeen(engine);
        wpEvents += seen.length;
        readEvents += seen.filter((flags) => (flags & EVENT_WRITE) === 0).length;
      }
      if (engine.counter('copies') === copies) continue;
      const moves = movesOf(engine, reader, reader.world(before));
      const after = reader.world(engine.snapshot());
      zeroFills += moves.filter((frame) => after.pages[frame]?.special !== undefined).length;
      needless += moves.filter((frame) => isUnused(after, frame)).length;
    }
  }
  engine.setJudges('touched');
  const end = read(engine);
  const spent = (name: keyof Counts) => end[name] - start[name];
  return {
    programs: programs.length,
    ops: spent('ops'),
    faults: spent('faults'),
    copies: spent('copies') - zeroFills,
    needless,
    events: wpEvents,
    readEvents,
    flushes: spent('tlb_flushes'),
    gupRetries: spent('gup_retries'),
  };
}

/** Flags of an event: the access writes, nothing is mapped there. */
const EVENT_WRITE = 1;
const EVENT_MISSING = 2;
/** Flags of the uffd-wp events of the last op. */
function wpEventsSeen(engine: Engine): number[] {
  const events = [...engine.observations()].map(decodeObservation).filter(({ kind }) => kind === 'event');
  return events.map(({ flags }) => flags).filter((flags) => (flags & EVENT_MISSING) === 0);
}

/** Frames that a page of some process was moved away from in the traced op, once per move: what was copied. */
function movesOf(engine: Engine, reader: WorldReader, before: World): number[] {
  const moved: number[] = [];
  const now = new Map<string, number>();
  for (const [mm, { leaves }] of before.mms.entries()) {
    for (const [page, { kind, level, frame }] of leaves.entries()) {
      if (kind !== 'present' || frame === undefined) continue;
      now.set(`${mm} ${page}`, level === 'PMD' && !before.pages[frame]?.special ? frame + (page & 3) : frame);
    }
  }
  for (const record of engine.trace()) {
    if (record.kind !== 'leaf' || record.level !== 0) continue;
    const { kind, frame } = reader.leaf(record.entry, 'PTE');
    if (kind !== 'present' || frame === undefined) continue;
    const place = `${record.mm} ${record.index}`;
    const old = now.get(place);
    if (old !== undefined && old !== frame && !before.pages[frame]?.special) moved.push(old);
    now.set(place, frame);
  }
  return moved;
}

/** Neither mapped, nor held, nor swapped: an ordinary page that nobody could have missed. */
function isUnused({ pages, swap, handles }: World, frame: number): boolean {
  const page = pages[frame];
  if (!page || page.special !== undefined || page.mapcount > 0) return false;
  const head = pages[frame & ~3];
  if (page.compound && head && head.entire > 0) return false;
  if (handles.some((handle) => handle.frame === frame)) return false;
  return page.slot === undefined || (swap[page.slot]?.count ?? 0) === 0;
}
