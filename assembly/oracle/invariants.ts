// The promises. Id, slug and statement as in the bug corpus (I1..I18); I19 is T1-19's fast-only check.

export namespace I {
  export const WP_WRITABLE: u32 = 1;
  export const WP_SILENT_WRITE: u32 = 2;
  export const COW_LEAK: u32 = 3;
  export const PIN_DETACHED: u32 = 4;
  export const WP_EVENT_ON_READ: u32 = 5;
  export const WP_LOST: u32 = 6;
  export const PAGE_ACCOUNTING: u32 = 7;
  export const TLB_STALE: u32 = 8;
  export const NO_PROGRESS: u32 = 9;
  export const DATA_LOST: u32 = 10;
  export const SOFTDIRTY_LOST: u32 = 11;
  export const WP_STRAY: u32 = 12;
  export const WRONG_DECODER: u32 = 13;
  export const NOT_EXCLUSIVE: u32 = 14;
  export const BATCH_DIFFERS: u32 = 15;
  export const PERMISSION_GAINED: u32 = 16;
  export const TRACKING_GAP: u32 = 17;
  export const NEEDLESS_COPY: u32 = 18;
  export const FAST_ONLY_REFUSED: u32 = 19;
  export const SOFTDIRTY_SPURIOUS: u32 = 20;
  export const MISSING_EVENTS: u32 = 21;
  export const GUARD_LOST: u32 = 22;
  export const CALL_IN_VAIN: u32 = 23;
  export const NEEDLESS_FAULT: u32 = 24;
  export const COUNT: u32 = 25;
}

/**
 * Row for people: "slug \t judge \t statement"; judge is structure, reference, warning (on request), differential (fuzz
 * --differential).
 */
export function invariantRow(id: u32): string {
  switch (id) {
    case I.WP_WRITABLE: return "wp-writable\tstructure\tNo present leaf has the write bit and uffd-wp together.";
    case I.WP_SILENT_WRITE: return "wp-silent-write\treference\tNo store to a write-protected page succeeds without an event.";
    case I.COW_LEAK: return "cow-leak\treference\tA store by one process is never visible to another process, or to a GUP handle of another process, through private memory.";
    case I.PIN_DETACHED: return "pin-detached\treference\tA page held by GUP stays the page its owner sees there until the owner itself unmaps or zaps it.";
    case I.WP_EVENT_ON_READ: return "wp-event-on-read\treference\tNo uffd-wp event, and no sleep, for an access that is not a write.";
    case I.WP_LOST: return "wp-lost\treference\tWhile the range is registered, uffd-wp goes away only by un-protecting or zapping.";
    case I.PAGE_ACCOUNTING: return "page-accounting\tstructure\tReference, map and swap counts balance; nothing is freed while it is mapped, held or in a TLB.";
    case I.TLB_STALE: return "tlb-stale\tstructure\tPast the flush point no TLB entry is more permissive than the leaf.";
    case I.NO_PROGRESS: return "no-progress\treference\tNo fault or GUP loop repeats with identical state, and every sleeper has somebody to wake it.";
    case I.DATA_LOST: return "data-lost\treference\tContents equal a sequential memory; discarded data never comes back.";
    case I.SOFTDIRTY_LOST: return "softdirty-lost\treference\tA page written, or moved to its address, since clear_refs is reported soft-dirty.";
    case I.WP_STRAY: return "wp-stray\tstructure\tuffd-wp stands in an entry only inside a registered VMA, and events come only for pages somebody protected.";
    case I.WRONG_DECODER: return "wrong-decoder\tstructure\tPresent-leaf accessors are never applied to non-present entries, nor the reverse.";
    case I.NOT_EXCLUSIVE: return "not-exclusive\tstructure\tPageAnonExclusive means one reference from page tables and swap; write on private anonymous memory, and a pin, imply it.";
    case I.BATCH_DIFFERS: return "batch-differs\tdifferential\tA call over a range equals the same page by page, a PMD four PTEs, a page in swap one in memory.";
    case I.PERMISSION_GAINED: return "permission-gained\tstructure\tNo maintenance path ends with more permission than a fresh fault would give.";
    case I.TRACKING_GAP: return "tracking-gap\treference\tEvery content change since arming is reported by the armed tracker.";
    case I.NEEDLESS_COPY: return "needless-copy\twarning\tNo copy when the faulting process is provably the only user (a cost, judged only on request).";
    case I.FAST_ONLY_REFUSED: return "fast-only-refused\tstructure\tA fast-only read GUP gets the page of a present, readable, ordinary leaf.";
    case I.MISSING_EVENTS: return "missing-events\treference\tAn access to nothing, where missing pages are registered, raises an event, and nothing else raises one.";
    case I.SOFTDIRTY_SPURIOUS: return "softdirty-spurious\twarning\tA page nobody wrote since clear_refs is not reported soft-dirty (I11's second half: a cost, judged only on request).";
    case I.GUARD_LOST: return "guard-lost\treference\tA guard region stays until it is removed or unmapped, every access to it fails, and there is none that nobody asked for.";
    case I.CALL_IN_VAIN: return "call-in-vain\twarning\tA call that nothing stands in the way of does what it is for: pages out, collapses, migrates, merges (a cost, judged only on request).";
    case I.NEEDLESS_FAULT: return "needless-fault\twarning\tNo fault for an access that the page tables allow, and a huge page on the first touch where one may be (a cost, judged only on request).";
  }
  return "";
}
