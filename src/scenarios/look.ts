// Questions that milestones ask of a step.
import { MM_NAMES } from '../engine/opword.js';
import type { Leaf, World } from '../engine/world.js';
import type { Bound, Op, Step } from './types.js';

export function leafAt(world: World, mm: number, page: number): Leaf {
  return world.mms[mm]!.leaves[page]!;
}

/** Is it present (or protnone), with all of these bits? */
export function present(leaf: Leaf, ...bits: string[]): boolean {
  return leaf.kind === 'present' && bits.every((bit) => leaf.bits.includes(bit));
}

export function swapped(leaf: Leaf, ...bits: string[]): boolean {
  return leaf.kind === 'swap' && bits.every((bit) => leaf.bits.includes(bit));
}

/** What is asked of a world again and again. */
interface Facts {
  /** By process and page: the frame of an ordinary page, of a THP that of this page; -1 = none. */
  readonly frames: readonly (readonly number[])[];
  /** By frame: the processes that have it mapped. */
  readonly sharers: readonly (readonly number[])[];
}
const known = new WeakMap<World, Facts>();

function factsOf(world: World): Facts {
  const before = known.get(world);
  if (before) return before;
  const frames = world.mms.map(({ leaves }) => leaves.map((leaf, page) => frameOf(world, leaf, page)));
  const sharing: number[][] = world.pages.map(() => []);
  for (const [mm, own] of frames.entries())
    for (const frame of new Set(own)) if (frame >= 0 && world.mms[mm]!.alive) sharing[frame]!.push(mm);
  const facts = { frames, sharers: sharing };
  known.set(world, facts);
  return facts;
}

function frameOf(world: World, leaf: Leaf, page: number): number {
  if (leaf.kind !== 'present' || leaf.frame === undefined || leaf.level === 'PUD') return -1;
  const frame = leaf.level === 'PMD' ? leaf.frame + (page & 3) : leaf.frame;
  return world.pages[frame]?.special === undefined ? frame : -1;
}

/** The page frame of an ordinary page; -1 = none. */
export function frameAt(world: World, mm: number, page: number): number {
  return factsOf(world).frames[mm]![page]!;
}

/** Processes that have this frame mapped. */
export function sharers(world: World, frame: number): readonly number[] {
  return factsOf(world).sharers[frame] ?? [];
}

export function special(world: World, mm: number, page: number): boolean {
  const leaf = leafAt(world, mm, page);
  return leaf.kind === 'present' && frameAt(world, mm, page) < 0;
}

/** Places of which this holds after the step, and did not before. */
export function newly({ before, after }: Step, holds: (world: World, mm: number, page: number) => boolean): Bound[] {
  const found: Bound[] = [];
  for (const [mm, { alive, leaves }] of after.mms.entries()) {
    if (!alive) continue;
    const old = before.mms[mm]!;
    for (let page = 0; page < leaves.length; page++) {
      if (holds(after, mm, page) && !(old.alive && holds(before, mm, page))) found.push({ mm, page });
    }
  }
  return found;
}

/** `[{}]` or `[]`: reached, and nothing new to remember. */
export function when(holds: boolean): Bound[] {
  return holds ? [{}] : [];
}

/** The op of this name by this process that was carried out. */
export function done({ ops }: Step, name: string, mm?: number): Op | undefined {
  return ops.find((op) => op.name === name && op.ok && (mm === undefined || op.mm === mm));
}

/** Did the process store to the page in this step? */
export function stored({ seen }: Step, { mm, page }: Bound): boolean {
  return seen.some((one) => one.kind === 'store' && one.mm === mm && one.page === page);
}

export function holds(world: World, handle: number): boolean {
  return world.handles.some((one) => one.handle === handle);
}

/** The page is not mapped by this process any more. */
export function unmapped({ after }: Step, { mm, page }: Bound): boolean {
  const { alive, vmas } = after.mms[mm!]!;
  return !alive || vmas[page!]!.length === 0;
}

/** A handle that the step took, of an ordinary page unless `frame` is -1. */
export interface Taken {
  readonly handle: number;
  readonly mm: number;
  readonly page: number;
  readonly frame: number;
  /** The call, if it is of this step: it may have slept before. */
  readonly op: Op | undefined;
}

export function taken({ ops, before, after }: Step): Taken[] {
  return after.handles
    .filter(({ handle }) => !holds(before, handle))
    .map(({ handle, mm, page, frame }) => ({
      handle,
      mm: MM_NAMES.indexOf(mm),
      page,
      frame: after.pages[frame]?.special === undefined ? frame : -1,
      op: ops.find((op) => op.name === 'gup' && op.handle === handle),
    }));
}
