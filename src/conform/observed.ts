// What can be seen of a program after each op: the common form of a model's run and a real kernel's.

/** Where the pages of a program lie: 4 KiB each, or quarters of a huge page. */
export type PageLayout = 'pte' | 'pmd';

/** What a page table entry refers to, as user space sees it. Undefined = cannot be seen here, so it is not compared. */
export interface Cell {
  readonly kind: 'none' | 'present' | 'swap' | 'marker';
  readonly uffdWp?: boolean;
  readonly softDirty?: boolean;
  /** Page frame or swap slot: a name that only equality counts for. */
  readonly frame?: number;
  readonly zero?: boolean;
  /** Mapped by a PMD. */
  readonly huge?: boolean;
  readonly mapcount?: number;
  /** Content: index + 1 of the op that wrote it. */
  readonly value?: number;
  readonly raw?: RawCell;
  /** Part of a huge page, however it is mapped. */
  readonly large?: boolean;
  readonly swapCache?: boolean;
}

/** Only a guest shows this (through /proc/kcore). */
export interface RawCell {
  readonly write?: boolean;
  readonly dirty?: boolean;
  readonly exclusive?: boolean;
  /** Somebody holds a pin. */
  readonly pinned?: boolean;
  /** References beyond those of page tables and the swap cache. */
  readonly extraRefs?: boolean;
}

export interface FaultEvent {
  readonly mm: number;
  readonly page: number;
  /** Index of the op whose thread sleeps. */
  readonly op: number;
  readonly write: boolean;
  readonly wp: boolean;
}

/** How the thread of an op ended. */
export interface Outcome {
  readonly op: number;
  /** R of assembly/ops/table.ts. */
  readonly result: number;
  /** errno of a real kernel's refusal, for people. */
  readonly error?: number;
  readonly faults?: number;
  readonly value?: number;
}

/** What was seen after one op. */
export interface Observed {
  readonly result: number;
  readonly events: readonly FaultEvent[];
  /** The op's own end unless it sleeps, then those of threads it woke. */
  readonly outcomes: readonly Outcome[];
  /** Indices of ops whose threads sleep now. */
  readonly asleep: readonly number[];
  /** Per mm: eight cells, or undefined if it does not live. Empty if nobody looked. */
  readonly cells: readonly (readonly Cell[] | undefined)[];
}

/** One program on one kernel. `trouble` says why fewer ops than the program has were observed. */
export interface Run {
  readonly ops: readonly Observed[];
  readonly trouble?: string;
}

/** What a kernel, with the executor on it, can do; the names of `enum capability` of executor/protocol.h. */
export type Capability =
  | 'UFFD_WP'
  | 'EVENT_FORK'
  | 'WP_UNPOPULATED'
  | 'SWAP'
  | 'THP'
  | 'SOFT_DIRTY'
  | 'PFN'
  | 'KPAGE'
  | 'PAGEMAP_SCAN'
  | 'PAGEMAP_WP'
  | 'VMSPLICE'
  | 'IO_URING'
  | 'PROCESS_VM'
  | 'PROC_MEM'
  | 'RAW'
  | 'FIFO'
  | 'HOLD_PIN'
  | 'UFFD_MOVE'
  | 'UFFD_MISSING'
  | 'WP_ASYNC';

/** A place where programs run: a model, the live kernel, or a guest. */
export interface Backend {
  /** For people and golden traces: "6.18.44-…", "model v6.18". */
  readonly release: string;
  /** Names of what it cannot do, with the reason. */
  readonly missing: readonly string[];
  readonly can: ReadonlySet<Capability>;
  run(programs: readonly Uint32Array[], layout: PageLayout): Promise<readonly Run[]>;
  close(): Promise<void>;
}
