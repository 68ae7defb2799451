// The world of the running program as user space, and a debugger, would see it: numbers without BigInt, made to be
// read after every op.
import type { Engine } from './engine.js';
import { MM_NAMES, PAGE_COUNT } from './opword.js';

/** A leaf and the page behind it. */
export interface RawLeaf {
  /** 0 none, 1 present, 2 swap, 3 marker, 4 migration. */
  kind: number;
  /** Halves of the entry. */
  low: number;
  high: number;
  /** Mapped by a PMD. */
  huge: boolean;
  /** Frame of this very page (of a migration entry, too), or swap slot. */
  frame: number;
  vma: number;
}

export const LEAF = { NONE: 0, PRESENT: 1, SWAP: 2, MARKER: 3, MIGRATION: 4 } as const;
const SWP_OFFSET_SHIFT = 14;

/** Constants of the module that readers test bits with. */
function constants(engine: Engine) {
  const at = (name: string) => engine.catalogue.at(name);
  return {
    present: at('_PAGE_PRESENT') | at('_PAGE_PROTNONE'),
    write: at('_PAGE_RW'),
    dirty: at('_PAGE_DIRTY'),
    pse: at('_PAGE_PSE'),
    uffdWp: at('_PAGE_UFFD_WP'),
    softDirty: at('_PAGE_SOFT_DIRTY'),
    swpUffdWp: at('_PAGE_SWP_UFFD_WP'),
    swpSoftDirty: at('_PAGE_SWP_SOFT_DIRTY'),
    swpExclusive: at('_PAGE_SWP_EXCLUSIVE'),
    marker: at('SWP_TYPE_MARKER'),
    migration: [at('SWP_TYPE_MIG_READ'), at('SWP_TYPE_MIG_WRITE')],
    table: at('_PAGE_TABLE'),
    markerUffdWp: at('PTE_MARKER_UFFD_WP'),
    vmSoftDirty: at('VM_SOFTDIRTY'),
    vmRead: at('VM_READ'),
    pgAnon: at('PG_ANON'),
    pgExclusive: at('PG_EXCLUSIVE'),
    pgCompound: at('PG_COMPOUND'),
    frames: at('NR_FRAMES'),
    slots: at('NR_SLOTS'),
    perPmd: PAGE_COUNT / at('NR_PMDS'),
    zero: at('ZERO_PFN'),
  };
}
export type Constants = ReturnType<typeof constants>;

/** One reader per engine. What it returns is valid until the next op runs. */
export class CellReader {
  readonly is: Constants;
  readonly #engine: Engine;
  readonly #base: number;
  readonly #size: number;
  readonly #offset: (name: string) => number;
  readonly #mm: { size: number; pte: number; pmd: number; vma: number; alive: number };
  readonly #page: { refs: number; maps: number; entire: number; pins: number; flags: number; version: number };
  readonly #swap: { pageSlot: number; count: number; cache: number };
  readonly #sleepers: { at: number; size: number; count: number };
  #world = new DataView(new ArrayBuffer(0));

  constructor(engine: Engine) {
    const at = (name: string) => engine.catalogue.at(name);
    this.is = constants(engine);
    this.#engine = engine;
    this.#base = at('WORLD');
    this.#size = at('WORLD_SIZE');
    this.#offset = (name) => at(name) - this.#base;
    this.#mm = { size: at('MM_SIZE'), pte: at('MM_PTE'), pmd: at('MM_PMD'), vma: at('MM_VMA'), alive: at('MM_ALIVE') };
    this.#page = {
      refs: this.#offset('PG_REFS'),
      maps: this.#offset('PG_MAPCOUNT'),
      entire: this.#offset('PG_ENTIRE'),
      pins: this.#offset('PG_PINS'),
      flags: this.#offset('PG_FLAGS'),
      version: this.#offset('PG_VERSION'),
    };
    this.#swap = {
      pageSlot: this.#offset('PG_SLOT'),
      count: this.#offset('SWAP_COUNT'),
      cache: this.#offset('SWAP_CACHE'),
    };
    this.#sleepers = { at: this.#offset('SLEEPERS'), size: at('SLEEPER_SIZE'), count: at('NR_SLEEPERS') };
    this.refresh();
  }

  /** To be called once after each op: memory may have grown. */
  refresh(): void {
    const { buffer } = this.#engine.module.memory;
    if (this.#world.buffer !== buffer) this.#world = new DataView(buffer, this.#base, this.#size);
  }

  alive(mm: number): boolean {
    return this.#world.getUint8(mm * this.#mm.size + this.#mm.alive) !== 0;
  }

  /** Fills `leaf` with what `mm` has at `page`. */
  leaf(mm: number, page: number, leaf: RawLeaf): void {
    const { is } = this;
    const base = mm * this.#mm.size;
    const pmd = base + this.#mm.pmd + 8 * Math.floor(page / is.perPmd);
    const upper = this.#world.getUint32(pmd, true);
    const none = upper === 0 && this.#world.getUint32(pmd + 4, true) === 0;
    const huge = !none && upper !== is.table;
    const at = huge ? pmd : base + this.#mm.pte + 8 * page;
    leaf.low = none ? 0 : this.#world.getUint32(at, true);
    leaf.high = none ? 0 : this.#world.getUint32(at + 4, true);
    leaf.huge = huge;
    leaf.vma = this.#world.getUint16(base + this.#mm.vma + 2 * page, true);
    if (leaf.low === 0 && leaf.high === 0) {
      leaf.kind = LEAF.NONE;
      leaf.frame = 0;
    } else if ((leaf.low & is.present) !== 0) {
      leaf.kind = LEAF.PRESENT;
      leaf.frame = ((leaf.low >>> 12) & 0xff) + (huge ? page % is.perPmd : 0);
    } else {
      const type = leaf.high >>> 27;
      const migration = type >= is.migration[0]! && type <= is.migration[1]!;
      leaf.kind = migration ? LEAF.MIGRATION : type === is.marker ? LEAF.MARKER : LEAF.SWAP;
      leaf.frame = ((~leaf.low >>> SWP_OFFSET_SHIFT) & 0xff) + (huge ? page % is.perPmd : 0);
    }
  }

  /** Is there no page table for the page, nor a huge page? */
  hole(mm: number, page: number): boolean {
    const pmd = mm * this.#mm.size + this.#mm.pmd + 8 * Math.floor(page / this.is.perPmd);
    return this.#world.getUint32(pmd, true) === 0 && this.#world.getUint32(pmd + 4, true) === 0;
  }

  special(frame: number): boolean {
    return frame >= this.is.frames;
  }

  flags(frame: number): number {
    return this.#world.getUint8(this.#page.flags + frame);
  }

  #head(frame: number): number {
    return (this.flags(frame) & this.is.pgCompound) !== 0 ? frame - (frame % this.is.perPmd) : frame;
  }

  version(frame: number): number {
    return this.#world.getUint8(this.#page.version + frame);
  }

  /** Of this very page. */
  mapcount(frame: number): number {
    const entire = this.#world.getUint8(this.#page.entire + this.#head(frame));
    return this.#world.getUint8(this.#page.maps + frame) + entire;
  }

  exclusive(frame: number, huge: boolean): boolean {
    return (this.flags(huge ? this.#head(frame) : frame) & this.is.pgExclusive) !== 0;
  }

  pinned(frame: number): boolean {
    return this.#world.getUint8(this.#page.pins + this.#head(frame)) !== 0;
  }

  swapCache(frame: number): boolean {
    return this.#world.getUint8(this.#swap.pageSlot + frame) !== 0;
  }

  /** References of a page that is no part of a huge one, beyond page tables and swap cache. */
  extraRefs(frame: number): number {
    const refs = this.#world.getUint8(this.#page.refs + frame);
    return refs - this.mapcount(frame) - (this.swapCache(frame) ? 1 : 0);
  }

  /** Indices of the ops whose threads sleep, in the order in which they would be woken: the last to sleep first. */
  asleep(): number[] {
    const { at, size, count } = this.#sleepers;
    const sleepers: { op: number; order: number }[] = [];
    for (let i = 0; i < count; i++) {
      const record = at + i * size;
      const order = this.#world.getUint8(record + 4);
      if (order !== 0) sleepers.push({ op: this.#world.getUint8(record + 5), order });
    }
    return sleepers.sort((a, b) => b.order - a.order).map(({ op }) => op);
  }

  /** Handles of the GUP calls among the sleepers, and of those that are held, as a mask. */
  handlesHeld(handles: number): number {
    const at = this.#offset('HANDLES');
    const size = this.#engine.catalogue.at('HANDLE_SIZE');
    let held = 0;
    for (let h = 0; h < handles; h++) if (this.#world.getUint8(at + h * size) !== 0) held |= 1 << h;
    return held;
  }

  /** Swap slots in use. */
  slotsUsed(): number {
    let used = 0;
    for (let slot = 0; slot < this.is.slots; slot++) {
      const busy = this.#world.getUint8(this.#swap.count + slot) | this.#world.getUint8(this.#swap.cache + slot);
      if (busy !== 0) used++;
    }
    return used;
  }

  /** VMA flags of eight pages. */
  mapped(mm: number, page: number): boolean {
    return (this.#world.getUint16(mm * this.#mm.size + this.#mm.vma + 2 * page, true) & this.is.vmRead) !== 0;
  }

  mms(): number {
    return MM_NAMES.length;
  }
}
