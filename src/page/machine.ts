// The machine at one step, against the step before: what stands where, and what has just changed.
import { COMMON_VERSION, MM_NAMES, PAGE_COUNT } from '../engine/opword.js';
import { type Leaf, leafText, type Mm, type World } from '../engine/world.js';
import { type Arrow, arrowsBetween } from './arrows.js';
import type { Session } from './session.js';

/** A leaf, over all the pages that it maps. */
export interface Block {
  readonly mm: string;
  /** First page and number of pages. */
  readonly page: number;
  readonly span: number;
  readonly leaf: Leaf;
  /** `P W D A SD`, `swap(slot 0)`. */
  readonly text: string;
  /** Frames mapped, ascending; none for what is not present. */
  readonly frames: readonly number[];
  /** Zero page, huge zero page or DAX page. */
  readonly special?: string;
  readonly vma: readonly string[];
  readonly changed: boolean;
  readonly vmaChanged: boolean;
  /** The broken promise is about it. */
  readonly offending: boolean;
}

export interface Count {
  readonly now: number;
  /** Where it was another number before the step. */
  readonly before?: number;
}

export interface FrameRow {
  readonly frame: number;
  readonly special?: string;
  /** First page of the huge page that it is part of. */
  readonly head?: number;
  readonly refs: Count;
  readonly mapcount: Count;
  readonly pins: Count;
  /** Number of the step whose data it holds, 0 = zeroes. */
  readonly data: Count;
  /** anon, exclusive, compound, swap cache. */
  readonly flags: readonly string[];
  readonly gained: readonly string[];
  readonly lost: readonly string[];
  /** `A p0`, `h`, `CPU 0`. */
  readonly holders: readonly string[];
  readonly isNew: boolean;
  readonly isFreed: boolean;
  /** A handle shows through it what it must not. */
  readonly offending: boolean;
}

/** A line about swap slots, TLBs, handles, sleepers, with what it changed. */
export interface Fact {
  readonly text: string;
  readonly change: 'new' | 'gone' | 'same';
  readonly frame?: number;
  /** Number of the handle or slot. */
  readonly id?: number;
  /** The broken promise is about it. */
  readonly offending?: boolean;
}

export interface MachineView {
  readonly mms: readonly {
    readonly name: string;
    readonly alive: boolean;
    readonly uffd?: readonly string[];
    readonly blocks: readonly Block[];
  }[];
  /** Pages that some process maps at some step: the others are not worth a place. */
  readonly pages: readonly number[];
  readonly arrows: readonly Arrow[];
  readonly frames: readonly FrameRow[];
  readonly swap: readonly Fact[];
  readonly tlb: readonly Fact[];
  readonly handles: readonly Fact[];
  readonly sleepers: readonly Fact[];
}

/** The same leaf object stands at every page that it maps. */
function blocksOf({ pages: all }: World, mm: Mm, old: Mm, session: Session, last: boolean): Block[] {
  const blocks: Block[] = [];
  const violation = last ? session.broken?.violation : undefined;
  const about = violation?.mm !== undefined && session.worlds[0]!.mms[violation.mm]?.name === mm.name;
  // A handle shows what it must not: to blame is whoever maps the page that it holds.
  const held = offendingFrame(session, last);
  for (let page = 0; page < mm.leaves.length; ) {
    const leaf = mm.leaves[page]!;
    const next = leaf.level === 'PTE' ? page + 1 : mm.leaves.lastIndexOf(leaf) + 1;
    const span = next - page;
    const was = old.leaves[page]!;
    const special = leaf.frame === undefined ? undefined : all[leaf.frame]!.special;
    const pages = leaf.frame === undefined ? 0 : leaf.level === 'PMD' && special === undefined ? span : 1;
    const frames = Array.from({ length: pages }, (_, i) => leaf.frame! + i);
    const there = about && violation.page !== undefined && violation.page >= page && violation.page < next;
    blocks.push({
      mm: mm.name,
      page,
      span,
      leaf,
      text: leafText(leaf),
      frames,
      ...(special !== undefined && { special }),
      vma: mm.vmas[page]!,
      changed: leaf.raw !== was.raw || leaf.level !== was.level || leaf.kind !== was.kind,
      vmaChanged: mm.vmas[page]!.join() !== old.vmas[page]!.join(),
      offending: held === undefined ? there : frames.includes(held),
    });
    page = next;
  }
  return blocks;
}

function offendingFrame({ broken, worlds }: Session, last: boolean): number | undefined {
  const handle = last ? broken?.violation.handle : undefined;
  return worlds.at(-1)!.handles.find((held) => held.handle === handle)?.frame;
}

function count(now: number, before: number): Count {
  return now === before ? { now } : { now, before };
}

function flagsOf(world: World, frame: number): string[] {
  const { anon, exclusive, compound, slot } = world.pages[frame]!;
  return [
    ...(anon ? ['anon'] : []),
    ...(exclusive ? ['exclusive'] : []),
    ...(compound ? ['compound'] : []),
    ...(slot === undefined ? [] : [`swap cache (slot ${slot})`]),
  ];
}

function holdersOf(world: World, frame: number, { handle }: Session): string[] {
  const maps = world.mms.flatMap((mm) => {
    const pages = mm.leaves.flatMap((leaf, page) => {
      if (leaf.frame === undefined) return [];
      return leaf.frame + (leaf.level === 'PMD' ? page & 3 : 0) === frame ? [`${mm.name} p${page}`] : [];
    });
    return pages;
  });
  return [...maps, ...world.handles.filter((held) => held.frame === frame).map((held) => handle(held.handle))];
}

function framesOf(now: World, old: World, session: Session, offender: number | undefined): FrameRow[] {
  const cached = (world: World, frame: number) => world.tlb.some((entry) => entry.frame === frame);
  const used = (world: World, frame: number) => {
    const { refs, mapcount, entire, pins } = world.pages[frame]!;
    return refs + mapcount + entire + pins > 0 || holdersOf(world, frame, session).length > 0 || cached(world, frame);
  };
  return now.pages.flatMap(({ frame, special }): FrameRow[] => {
    const [isUsed, wasUsed] = [used(now, frame), used(old, frame)];
    if (!isUsed && !wasUsed) return [];
    // The huge zero page is one.
    if (special !== undefined && now.pages[frame - 1]!.special === special) return [];
    const [page, before] = [now.pages[frame]!, old.pages[frame]!];
    // What is counted for a huge page stands on its head.
    const head = (world: World) => world.pages[world.pages[frame]!.compound ? frame & ~3 : frame]!;
    const [flags, flagsBefore] = [flagsOf(now, frame), flagsOf(old, frame)];
    return [
      {
        frame,
        ...(special !== undefined && { special }),
        ...((isUsed ? page : before).compound && { head: frame & ~3 }),
        refs: count(head(now).refs, head(old).refs),
        mapcount: count(page.mapcount + head(now).entire, before.mapcount + head(old).entire),
        pins: count(head(now).pins, head(old).pins),
        data: count(page.version, before.version),
        flags,
        gained: flags.filter((flag) => !flagsBefore.includes(flag)),
        lost: flagsBefore.filter((flag) => !flags.includes(flag)),
        holders: holdersOf(now, frame, session),
        isNew: !wasUsed,
        isFreed: !isUsed,
        offending: frame === offender,
      },
    ];
  });
}

type Line = Omit<Fact, 'change'>;

function facts(now: readonly Line[], old: readonly Line[]): Fact[] {
  const has = (lines: readonly Line[], { text }: Line) => lines.some((line) => line.text === text);
  return [
    ...now.map((line): Fact => ({ ...line, change: has(old, line) ? 'same' : 'new' })),
    ...old.filter((line) => !has(now, line)).map((line): Fact => ({ ...line, change: 'gone' })),
  ];
}

function dataText(version: number): string {
  if (version === COMMON_VERSION) return 'the shared value';
  return version === 0 ? 'zeroes' : `data of step ${version}`;
}

function swapLines({ swap }: World): Line[] {
  return swap
    .filter(({ count: users, cache }) => users > 0 || cache !== undefined)
    .map(({ slot, count: users, cache, version }) => {
      const entries = `${users} ${users === 1 ? 'entry' : 'entries'}`;
      const line = { id: slot, text: `slot ${slot}: ${entries}, ${dataText(version)}` };
      return cache === undefined ? line : { ...line, text: `${line.text}, cached in page ${cache}`, frame: cache };
    });
}

/** Is the broken promise of this kind, about this page? */
function about({ broken }: Session, slug: string, mm: string, page: number): boolean {
  return broken?.slug === slug && broken.violation.page === page && MM_NAMES[broken.violation.mm ?? -1] === mm;
}

function tlbLines({ tlb }: World, session: Session): Line[] {
  return tlb.map(({ cpu, mm, page, frame, write }) => ({
    text: `CPU ${cpu}: ${mm} p${page} is page ${frame}, ${write ? 'writable' : 'read-only'}`,
    frame,
    ...(about(session, 'tlb-stale', mm, page) && { offending: true }),
  }));
}

function handleLines(world: World, { handle, broken }: Session): Line[] {
  return world.handles.map(({ handle: number, mm, page, frame }) => {
    const { special, version } = world.pages[frame]!;
    const shows = special ?? `page ${frame}: ${dataText(version)}`;
    return {
      id: number,
      text: `${handle(number)}, of ${mm} p${page}, sees ${shows}`,
      frame,
      ...(broken?.violation.handle === number && { offending: true }),
    };
  });
}

function sleeperLines({ sleepers }: World, session: Session): Line[] {
  return sleepers.map(({ mm, page, op }) => ({
    text: `step ${op + 1} sleeps on ${mm} p${page} for its monitor`,
    ...(about(session, 'no-progress', mm, page) && { offending: true }),
  }));
}

function pagesOf({ worlds }: Session): number[] {
  const used = (mm: Mm, page: number) => mm.vmas[page]!.length > 0 || mm.leaves[page]!.kind !== 'none';
  const all = Array.from({ length: PAGE_COUNT }, (_, page) => page);
  const found = all.filter((page) => worlds.some(({ mms }) => mms.some((mm) => used(mm, page))));
  return found.length > 0 ? found : [0];
}

/** `step` = how many steps have been made, 0 .. steps. */
export function machineAt(session: Session, step: number): MachineView {
  const now = session.worlds[step]!;
  const old = session.worlds[Math.max(0, step - 1)]!;
  const last = step === session.steps.length;
  const shown = now.mms.filter((mm, i) => mm.alive || old.mms[i]!.alive || session.lanes.includes(i));
  const told = (lines: (world: World, of: Session) => Line[]) => {
    const all = facts(lines(now, session), lines(old, session));
    return last ? all : all.map(({ offending: _, ...fact }) => fact);
  };
  return {
    mms: shown.map((mm) => {
      const before = old.mms.find(({ name }) => name === mm.name)!;
      return {
        name: mm.name,
        alive: mm.alive,
        ...(mm.uffd && { uffd: mm.uffd }),
        blocks: blocksOf(now, mm, before, session, last),
      };
    }),
    pages: pagesOf(session),
    arrows: arrowsBetween(old, now, last ? session.broken?.violation : undefined),
    frames: framesOf(now, old, session, offendingFrame(session, last)),
    swap: told(swapLines),
    tlb: told(tlbLines),
    handles: told(handleLines),
    sleepers: told(sleeperLines),
  };
}
