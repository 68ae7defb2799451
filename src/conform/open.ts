// The table of open observations: where model and kernel may differ, and why. Nothing else excuses a difference.
import type { OpInfo } from '../engine/optable.js';
import { Comparison, type Difference, type Field, type Place, type Ruling } from './compare.js';
import type { PageLayout } from './observed.js';
import {
  apartInAnotherOrder,
  batchFillsMidway,
  forcedOntoAbsentHugePage,
  freedUnderRing,
  madeWritableBehindItsBack,
  madeWritableFromNextDoor,
  pinMeetsItself,
} from './open-when.js';

export interface OpenRow {
  readonly id: string;
  /** Models that it is about; undefined = all. */
  readonly kernels?: readonly string[];
  readonly ops?: readonly string[];
  readonly fields: readonly Field[];
  /** What else must hold. */
  readonly when?: (difference: Difference, place: Place) => boolean;
  /** What is not compared, in words. */
  readonly masked: string;
  readonly reason: string;
  /** The two sides go separate ways from there: the rest of the program is not compared. */
  readonly ends?: boolean;
  /** They go separate ways in this op, whether or not a difference shows by then; goes with `ends`. */
  readonly parts?: (op: number, place: Place) => boolean;
}

export const OPEN: readonly OpenRow[] = [
  {
    id: 'stale-translation',
    fields: ['faults'],
    when: ({ op, sleeper, model, kernel }, place) =>
      Math.abs(Number(kernel) - Number(model)) === 1 &&
      (madeWritableBehindItsBack(op, sleeper, place) || (sleeper === undefined && madeWritableFromNextDoor(op, place))),
    masked:
      'one fault more or less, of the first store to a page after GUP, a woken retry or a store to another quarter of its huge page made it writable',
    reason:
      'The CPU may remember the entry as read-only, and a store then faults once for nothing. The model knows how long such a translation can live (tlb.readonly_faults), but a processor may forget it sooner, and may have looked at the entry ahead of the program.',
  },
  {
    id: 'pin-meets-itself',
    kernels: ['v6.18', 'v7.2', 'repaired'],
    fields: ['large', 'moved', 'frame', 'mapcount', 'write', 'dirty', 'exclusive', 'pinned', 'faults'],
    when: ({ op }, place) => pinMeetsItself(op, place),
    parts: pinMeetsItself,
    masked:
      'on huge pages, whether a pin copies a page that it finds to be the only owner of, in a huge page mapped by PTEs',
    reason:
      'One page of a program is 128 small ones there, and GUP takes one after the other. It reuses the first where it is, and that pin is a reference without a mapping: the kernel then takes the folio for shared and copies the other 127, where the model keeps its one page.',
    ends: true,
  },
  {
    id: 'batch-fills-midway',
    kernels: ['v5.10'],
    fields: [],
    parts: batchFillsMidway,
    masked: 'on huge pages, what becomes of a uffd-wp bit that is left over in swap when a store swaps it in',
    reason:
      'The store faults again on the protected page. That copies it, without the bit, as long as a batch of pages on their way to the LRU lists holds a reference, and else reuses it, with the bit. A batch is 15 pages, so that some of the 128 small ones keep theirs; the model has one page, and copies it.',
    ends: true,
  },
  {
    id: 'two-wake-ups',
    ops: ['uffd_unreg'],
    fields: ['woken'],
    when: ({ model, kernel }, place) => apartInAnotherOrder(model, kernel, place),
    masked: 'which thread goes on first, of two that sleep in two VMAs that one UFFDIO_UNREGISTER takes out',
    reason:
      'Each VMA is one wake-up. Who of the two comes to run first is up to the scheduler: the last on 6.1.176 and 6.18.44, the first on 7.2.12.',
  },
  {
    id: 'ring-leaves-pages-clean',
    ops: ['pageout', 'madv_free'],
    fields: ['kind', 'dirty'],
    when: ({ field, name, model, kernel }, place) =>
      freedUnderRing(place) &&
      (field === 'kind'
        ? model === 'present' && kernel === 'none'
        : name === 'madv_free' && model === 'yes' && kernel === 'no'),
    masked:
      'whether a page that io_uring held goes to reclaim: after MADV_FREE it stays in the model and not in the kernel, and MADV_FREE leaves it alone in the model where somebody else maps it',
    reason:
      'A claim about the kernel: io_uring lets the pages of a registered buffer go without marking them dirty, whatever was read into them, so that reclaim drops them as unused. In the model whoever wrote says so.',
    ends: true,
  },
  {
    id: 'first-of-many',
    kernels: ['v5.10'],
    ops: ['gup'],
    fields: ['faults'],
    when: ({ op, model, kernel }, place) => model === '2' && kernel === '1' && forcedOntoAbsentHugePage(op, place),
    masked: 'on huge pages, the second fault of a FORCE write to a huge page that is not there, in a read-only VMA',
    reason:
      'One fault allocates it and one breaks COW. For the 127 small pages after the first there is only the second: 129 faults in all, and the executor counts in units of 128.',
  },
];

/** What is not sent to a kernel at all: no observation is open there, because there is none. */
export interface UnsentRow {
  readonly id: string;
  readonly unsent: string;
  readonly reason: string;
}

export const UNSENT: readonly UnsentRow[] = [
  {
    id: 'no-system-call',
    unsent: 'numa_hint; a DAX mapping; read-only long-term pins, BREAK_COW, DONT_COW, fast-only',
    reason: 'Nothing in user space asks for it; GUP becomes the nearest flavour that a system call takes.',
  },
  {
    id: 'one-node',
    unsent: 'migrate, at once or in two steps',
    reason:
      'move_pages moves between NUMA nodes, and neither guests nor most machines have two; no call stops midway, where the entries that matter are. src/conform/claims/clear-refs-misses-migrating-pages.c does without a program: it races.',
  },
  {
    id: 'whose-ksmd',
    unsent: 'mergeable, unmergeable, ksm_merge',
    reason:
      'ksmd scans at its own pace, merges a page only after two rounds of unchanged contents, and merges it with equal ones anywhere, also of other processes: which pages are one would not be the doing of the program. src/conform/claims/ksm-drops-uffd-wp.c asks for what can be told.',
  },
  {
    id: 'held-read-pin',
    unsent: 'R PIN that outlives the call',
    reason: 'Direct I/O to a FUSE file would hold one; the executor takes and drops it in one process_vm_readv.',
  },
  {
    id: 'two-at-once',
    unsent: 'pairs of concurrent ops, and the second thread of a process',
    reason: 'A real kernel cannot be told how to interleave two system calls. One runs after the other.',
  },
  {
    id: 'swapoff-waits',
    unsent: 'swapoff while a thread sleeps in a uffd event',
    reason:
      'A claim about the kernel: a store to a swapped, write-protected page sleeps inside do_swap_page, with the swap device held, and swapoff waits until somebody wakes it. src/conform/claims/swapoff-waits-for-uffd.c shows it; the model has no lock that swapoff could wait for.',
  },
  {
    id: 'small-machine',
    unsent: 'ops that find the 24 pages or 16 swap slots of the model used up, and accesses that it calls a livelock',
    reason: 'The real machine has more memory.',
  },
  {
    id: 'transfer-in-one-call',
    unsent:
      'process_vm_readv, process_vm_writev and /proc/PID/mem where they would sleep; two sleeping GUP calls for one handle',
    reason:
      'There the reference lasts only as long as the call, so its three ops cannot lie apart, and pages are compared after the last of them.',
  },
  {
    id: 'split-finds-nothing',
    unsent: 'the question whether thp_split found a huge page (its result, ok or not applicable)',
    reason:
      'It is done by setting and clearing MADV_DONTDUMP on half of it, which succeeds either way; what it splits is compared.',
  },
  {
    id: 'table-of-four',
    unsent: 'on 4 KiB pages, where soft-dirty can be seen, mremap of p0..p3 or p4..p7',
    reason:
      'They are all that a page table of the model maps, so that it moves as it is, and nothing becomes soft-dirty. A real one maps 512; on huge pages it is the same.',
  },
  {
    id: 'quarter-of-a-huge-page',
    unsent: 'on huge pages, an access that stops midway (asleep, or refused) having changed what it found',
    reason:
      'One page of a program is 128 small ones there. If only the first has changed, no page of the model is like it.',
  },
];

/** Rules by the table and counts how often each row applied. */
export class OpenTable {
  readonly #rows: readonly OpenRow[];
  readonly #applied = new Map<string, number>();

  /** `kernel`: name of the model that is compared. */
  constructor(kernel: string, rows: readonly OpenRow[] = OPEN) {
    this.#rows = rows.filter(({ kernels }) => kernels === undefined || kernels.includes(kernel));
  }

  /** A comparison that goes by this table. `counts`: false for programs that run again. */
  comparison(ops: readonly OpInfo[], layout: PageLayout, counts = true): Comparison {
    return new Comparison(
      ops,
      layout,
      (difference, place) => this.rule(difference, place, counts),
      (op, place) => this.parts(op, place, counts),
    );
  }

  rule(difference: Difference, place: Place, counts = true): Ruling {
    const row = this.#rows.find((candidate) => applies(candidate, difference, place));
    if (!row) return 'differs';
    if (counts) this.#count(row);
    return row.ends ? 'lost' : 'open';
  }

  parts(op: number, place: Place, counts = true): boolean {
    const row = this.#rows.find((candidate) => candidate.parts?.(op, place));
    if (row && counts) this.#count(row);
    return row !== undefined;
  }

  #count({ id }: OpenRow): void {
    this.#applied.set(id, (this.#applied.get(id) ?? 0) + 1);
  }

  /** How often each row applied, of all rows that could. */
  counts(): { readonly id: string; readonly count: number }[] {
    return this.#rows.map(({ id }) => ({ id, count: this.#applied.get(id) ?? 0 }));
  }
}

function applies(row: OpenRow, difference: Difference, place: Place): boolean {
  if (!row.fields.includes(difference.field)) return false;
  if (row.ops && !row.ops.includes(difference.name)) return false;
  return row.when === undefined || row.when(difference, place);
}
