// Who refers to what: from page-table entries, swap entries and GUP handles to page frames and swap slots.

import { MM_NAMES } from '../engine/opword.js';
import type { Violation } from '../engine/types.js';
import type { Leaf, World } from '../engine/world.js';

/** Both ends are names of places, as `place` makes them. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
  /** 'gone': the step has ended it. */
  readonly change: 'new' | 'gone' | 'same';
  /** From a writable entry. */
  readonly writes: boolean;
  readonly offending: boolean;
  /** First frame that it leads to. */
  readonly frame?: number;
}

/** Names of what arrows begin and end at; a whole huge page has one of its own. */
export const place = {
  /** `page`: the first one that the entry maps. */
  entry: (mm: string, page: number) => `entry ${mm} ${page}`,
  handle: (handle: number) => `handle ${handle}`,
  frame: (frame: number) => `frame ${frame}`,
  huge: (head: number) => `huge ${head}`,
  slot: (slot: number) => `slot ${slot}`,
} as const;

interface Reference {
  readonly from: string;
  readonly to: string;
  readonly writes: boolean;
  readonly offending: boolean;
  readonly frame?: number;
}

function target({ level, frame, slot }: Leaf, { pages }: World): string | undefined {
  if (slot !== undefined) return place.slot(slot);
  if (frame === undefined) return undefined;
  return level === 'PMD' && pages[frame]!.special === undefined ? place.huge(frame) : place.frame(frame);
}

function framesOf({ level, frame }: Leaf): number[] {
  if (frame === undefined) return [];
  return level === 'PMD' ? [0, 1, 2, 3].map((i) => frame + i) : [frame];
}

/** First page that maps through the same leaf: those under one PMD or PUD leaf share the object. */
function firstPage(leaves: readonly Leaf[], page: number): number {
  return leaves[page]!.level === 'PTE' ? page : leaves.indexOf(leaves[page]!);
}

/** `places`: the world whose entries are drawn, which may be a later one. */
function references(world: World, places: World, violation: Violation | undefined): Reference[] {
  const found = new Map<string, Reference>();
  // A handle shows what it must not: to blame is whoever maps the page that it holds.
  const held = world.handles.find(({ handle }) => handle === violation?.handle)?.frame;
  for (const [i, mm] of world.mms.entries()) {
    const drawn = places.mms[i]!;
    if (!mm.alive || !drawn.alive) continue;
    for (const [page, leaf] of mm.leaves.entries()) {
      const to = target(leaf, world);
      if (to === undefined) continue;
      const from = place.entry(mm.name, firstPage(drawn.leaves, page));
      const own = violation?.page === page && MM_NAMES[violation.mm ?? -1] === mm.name;
      const offending = held === undefined ? own : framesOf(leaf).includes(held);
      const writes = leaf.bits.includes('W');
      const { frame } = leaf;
      const known = found.get(`${from} ${to}`);
      found.set(`${from} ${to}`, {
        from,
        to,
        writes,
        offending: offending || known?.offending === true,
        ...(frame !== undefined && { frame }),
      });
    }
  }
  for (const { handle, frame } of world.handles) {
    const from = place.handle(handle);
    const to = place.frame(frame);
    found.set(`${from} ${to}`, { from, to, frame, writes: false, offending: violation?.handle === handle });
  }
  return [...found.values()];
}

/** What refers to what now, and what did before the step and does no more. */
export function arrowsBetween(old: World, now: World, violation: Violation | undefined): Arrow[] {
  const [before, after] = [references(old, now, undefined), references(now, now, violation)];
  const has = (list: readonly Reference[], { from, to }: Reference) =>
    list.some((other) => other.from === from && other.to === to);
  return [
    ...before.filter((one) => !has(after, one)).map((one): Arrow => ({ ...one, change: 'gone' })),
    ...after.map((one): Arrow => ({ ...one, change: has(before, one) ? 'same' : 'new' })),
  ];
}
