// A snapshot of the world for people: leaves in the kernel's words, pages with their counts.
import type { Catalogue } from './catalogue.js';
import { MM_NAMES, PAGE_COUNT } from './opword.js';

export type LeafKind = 'none' | 'present' | 'swap' | 'marker' | 'migration';
const MARKERS: readonly string[] = ['UFFD_WP', 'GUARD'];

/** What one mm has at one page: the leaf of whatever level maps it. */
export interface Leaf {
  readonly level: 'PTE' | 'PMD' | 'PUD';
  readonly kind: LeafKind;
  /** In kernel terms: P W D A U SD N Z PSE of a present leaf, U SD E of a swap entry, R RX W A D U SD of a migration entry. */
  readonly bits: readonly string[];
  /** Page frame of a present leaf or a migration entry (of the first page it maps). */
  readonly frame?: number;
  /** Swap slot. */
  readonly slot?: number;
  readonly raw: bigint;
}

export interface Mm {
  readonly name: string;
  readonly alive: boolean;
  /** Open uffd: its features; undefined = none. */
  readonly uffd?: readonly string[];
  /** One per page; pages under one PMD or PUD leaf share the object. */
  readonly leaves: readonly Leaf[];
  /** VMA flags per page; empty = unmapped. */
  readonly vmas: readonly (readonly string[])[];
}

export interface Page {
  readonly frame: number;
  /** 'zero page', 'huge zero page' or 'DAX page': no ordinary memory, nothing is counted. */
  readonly special?: string;
  readonly refs: number;
  /** PTEs that map it. */
  readonly mapcount: number;
  /** PMDs that map the THP, on its head. */
  readonly entire: number;
  readonly pins: number;
  readonly anon: boolean;
  readonly exclusive: boolean;
  /** MADV_FREE left it to reclaim. */
  readonly lazyfree: boolean;
  readonly compound: boolean;
  /** Isolated for migration, which holds a reference; on the head of a THP. */
  readonly migrating: boolean;
  /** Content: index of the op that wrote it + 1; 0 = zeroes. */
  readonly version: number;
  /** Swap slot in the swap cache. */
  readonly slot?: number;
}

export interface SwapSlot {
  readonly slot: number;
  /** Swap entries that refer to it. */
  readonly count: number;
  /** Frame in the swap cache. */
  readonly cache?: number;
  readonly version: number;
}

export interface Handle {
  readonly handle: number;
  readonly mm: string;
  readonly page: number;
  readonly frame: number;
  readonly flags: number;
}

export interface Sleeper {
  readonly mm: string;
  readonly page: number;
  /** Op word and index of the op that sleeps. */
  readonly word: number;
  readonly op: number;
}

export interface Translation {
  readonly cpu: number;
  readonly mm: string;
  readonly page: number;
  readonly frame: number;
  readonly write: boolean;
}

export interface World {
  readonly mms: readonly Mm[];
  /** Index = frame number; the special frames (zero pages, DAX) follow the ordinary ones. */
  readonly pages: readonly Page[];
  readonly swap: readonly SwapSlot[];
  readonly handles: readonly Handle[];
  readonly sleepers: readonly Sleeper[];
  readonly tlb: readonly Translation[];
}

type Named = readonly [bit: string, name: string][];

const PRESENT_BITS: Named = [
  ['_PAGE_RW', 'W'],
  ['_PAGE_DIRTY', 'D'],
  ['_PAGE_ACCESSED', 'A'],
  ['_PAGE_UFFD_WP', 'U'],
  ['_PAGE_SOFT_DIRTY', 'SD'],
  ['_PAGE_SPECIAL', 'Z'],
  ['_PAGE_PSE', 'PSE'],
];
const SWAP_BITS: Named = [
  ['_PAGE_SWP_UFFD_WP', 'U'],
  ['_PAGE_SWP_SOFT_DIRTY', 'SD'],
  ['_PAGE_SWP_EXCLUSIVE', 'E'],
];
const MIGRATION_TYPES: readonly string[] = ['R', 'RX', 'W'];
const MIGRATION_BITS: Named = [
  ['SWP_MIG_YOUNG', 'A'],
  ['SWP_MIG_DIRTY', 'D'],
];
const VMA_BITS: Named = [
  ['VM_READ', 'R'],
  ['VM_WRITE', 'W'],
  ['VM_UFFD_WP', 'uffd-wp'],
  ['VM_UFFD_MISSING', 'uffd-missing'],
  ['VM_HUGEPAGE', 'thp'],
  ['VM_DAX', 'dax'],
];
const UFFD_BITS: Named = [
  ['UFFD_EVENT_FORK', 'EVENT_FORK'],
  ['UFFD_WP_UNPOPULATED', 'WP_UNPOPULATED'],
  ['UFFD_WP_ASYNC', 'WP_ASYNC'],
  ['UFFD_EVENT_REMOVE', 'EVENT_REMOVE'],
  ['UFFD_EVENT_UNMAP', 'EVENT_UNMAP'],
];

/** Decodes leaves and snapshots with the constants that the module tells. */
export class WorldReader {
  readonly #catalogue: Catalogue;
  readonly #base: number;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
    this.#base = catalogue.at('WORLD');
  }

  #bits(value: bigint, names: Named): string[] {
    return names.filter(([bit]) => (value & this.#catalogue.bits(bit)) !== 0n).map(([, name]) => name);
  }

  /** One entry; `level` is the level it stands at. A table pointer counts as none. */
  leaf(raw: bigint, level: Leaf['level']): Leaf {
    const { bits, at } = {
      bits: (name: string) => this.#catalogue.bits(name),
      at: (name: string) => this.#catalogue.at(name),
    };
    const present = raw & (bits('_PAGE_PRESENT') | bits('_PAGE_PROTNONE'));
    if (raw === 0n || (level !== 'PTE' && present !== 0n && (raw & bits('_PAGE_PSE')) === 0n))
      return { level, kind: 'none', bits: [], raw };
    if (present !== 0n) {
      const names = [present === bits('_PAGE_PROTNONE') ? 'N' : 'P', ...this.#bits(raw, PRESENT_BITS)];
      return { level, kind: 'present', bits: names, frame: Number((raw >> 12n) & 0xffn), raw };
    }
    const offset = Number(~(raw >> 14n) & 0xffn);
    if (raw >> 59n === BigInt(at('SWP_TYPE_MARKER'))) {
      const marks = MARKERS.filter((name) => offset & at(`PTE_MARKER_${name}`));
      return { level, kind: 'marker', bits: raw & bits('_PAGE_SWP_UFFD_WP') ? [...marks, 'U'] : marks, raw };
    }
    const migration = MIGRATION_TYPES[Number(raw >> 59n) - at('SWP_TYPE_MIG_READ')];
    if (migration !== undefined) {
      const state = this.#bits(~(raw >> 14n), MIGRATION_BITS);
      return {
        level,
        kind: 'migration',
        bits: [migration, ...state, ...this.#bits(raw, SWAP_BITS)],
        frame: offset,
        raw,
      };
    }
    return { level, kind: 'swap', bits: this.#bits(raw, SWAP_BITS), slot: offset, raw };
  }

  world(snapshot: Uint8Array): World {
    const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
    const at = (name: string) => this.#catalogue.at(name);
    const address = (name: string) => at(name) - this.#base;
    const byte = (name: string, index: number) => view.getUint8(address(name) + index);
    const nonZero = (value: number) => (value === 0 ? undefined : value - 1);

    const pages = Array.from({ length: 32 }, (_, frame): Page => {
      const flags = byte('PG_FLAGS', frame);
      const slot = nonZero(byte('PG_SLOT', frame));
      const special = this.#special(frame);
      return {
        frame,
        ...(special !== undefined && { special }),
        refs: byte('PG_REFS', frame),
        mapcount: byte('PG_MAPCOUNT', frame),
        entire: byte('PG_ENTIRE', frame),
        pins: byte('PG_PINS', frame),
        anon: (flags & at('PG_ANON')) !== 0,
        exclusive: (flags & at('PG_EXCLUSIVE')) !== 0,
        lazyfree: (flags & at('PG_LAZYFREE')) !== 0,
        compound: (flags & at('PG_COMPOUND')) !== 0,
        migrating: (flags & at('PG_MIGRATING')) !== 0,
        version: byte('PG_VERSION', frame),
        ...(slot !== undefined && { slot }),
      };
    });
    const swap = Array.from({ length: at('NR_SLOTS') }, (_, slot): SwapSlot => {
      const cache = nonZero(byte('SWAP_CACHE', slot));
      return {
        slot,
        count: byte('SWAP_COUNT', slot),
        version: byte('SWAP_VERSION', slot),
        ...(cache !== undefined && { cache }),
      };
    });
    const handles = Array.from({ length: at('NR_HANDLES') }, (_, handle) => {
      const record = address('HANDLES') + handle * at('HANDLE_SIZE');
      const field = (offset: number) => view.getUint8(record + offset);
      return {
        used: field(0) !== 0,
        handle,
        mm: MM_NAMES[field(1)]!,
        page: field(2),
        frame: field(3),
        flags: view.getUint16(record + 4, true),
      };
    });
    const sleepers = Array.from({ length: at('NR_SLEEPERS') }, (_, i) => {
      const record = address('SLEEPERS') + i * at('SLEEPER_SIZE');
      const place = view.getUint8(record + 7);
      return {
        used: view.getUint8(record + 4) !== 0,
        mm: MM_NAMES[place >> 4]!,
        page: place & 15,
        word: view.getUint32(record, true),
        op: view.getUint8(record + 5),
      };
    });
    return {
      mms: MM_NAMES.map((name, i) => this.#mm(view, i * at('MM_SIZE'), name)),
      pages,
      swap,
      handles: handles.filter(({ used }) => used).map(({ used: _, ...handle }) => handle),
      sleepers: sleepers.filter(({ used }) => used).map(({ used: _, ...sleeper }) => sleeper),
      tlb: this.#tlb(view),
    };
  }

  #special(frame: number): string | undefined {
    const at = (name: string) => this.#catalogue.at(name);
    if (frame < at('NR_FRAMES')) return undefined;
    return frame === at('ZERO_PFN') ? 'zero page' : frame === at('DAX_PFN') ? 'DAX page' : 'huge zero page';
  }

  #mm(view: DataView, base: number, name: string): Mm {
    const at = (field: string) => base + this.#catalogue.at(field);
    const pud = this.leaf(view.getBigUint64(at('MM_PUD'), true), 'PUD');
    const leaves: Leaf[] = [];
    const perPmd = PAGE_COUNT / this.#catalogue.at('NR_PMDS');
    for (let pmd = 0; pmd < PAGE_COUNT / perPmd; pmd++) {
      const upper = view.getBigUint64(at('MM_PMD') + 8 * pmd, true);
      const huge = pud.kind === 'present' ? pud : this.leaf(upper, 'PMD');
      for (let page = pmd * perPmd; page < (pmd + 1) * perPmd; page++) {
        const below = upper === 0n ? 0n : view.getBigUint64(at('MM_PTE') + 8 * page, true);
        leaves.push(huge.kind === 'none' ? this.leaf(below, 'PTE') : huge);
      }
    }
    const uffd = BigInt(view.getUint8(at('MM_UFFD')));
    const open = (uffd & this.#catalogue.bits('UFFD_OPEN')) !== 0n;
    return {
      name,
      alive: view.getUint8(at('MM_ALIVE')) !== 0,
      ...(open && { uffd: this.#bits(uffd, UFFD_BITS) }),
      leaves,
      vmas: leaves.map((_, page) => this.#bits(BigInt(view.getUint16(at('MM_VMA') + 2 * page, true)), VMA_BITS)),
    };
  }

  #tlb(view: DataView): Translation[] {
    const at = (name: string) => this.#catalogue.at(name);
    const found: Translation[] = [];
    for (let cpu = 0; cpu < at('NR_CPUS'); cpu++) {
      for (const [mm, name] of MM_NAMES.entries()) {
        for (let page = 0; page < PAGE_COUNT; page++) {
          const entry = view.getUint8(at('TLB') - this.#base + cpu * at('TLB_CPU_SIZE') + mm * PAGE_COUNT + page);
          if ((entry & at('TLB_VALID')) === 0) continue;
          found.push({ cpu, mm: name, page, frame: entry & at('TLB_FRAME'), write: (entry & at('TLB_WRITE')) !== 0 });
        }
      }
    }
    return found;
  }
}

/** `none`, `P W D A`, `swap(slot 2, U, SD)`, `migration(frame 3, W, D)`, `marker(UFFD_WP)`: the entry alone. */
export function leafText(leaf: Leaf): string {
  switch (leaf.kind) {
    case 'none':
      return 'none';
    case 'present':
      return leaf.bits.join(' ');
    case 'swap':
      return `swap(${[`slot ${leaf.slot}`, ...leaf.bits].join(', ')})`;
    case 'migration':
      return `migration(${[`frame ${leaf.frame}`, ...leaf.bits].join(', ')})`;
    case 'marker':
      return `marker(${leaf.bits.join(', ')})`;
  }
}
