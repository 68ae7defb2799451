// What the mixes of a shard can be told to dwell on. The draws are the same, so that without focus nothing changes.

export namespace Focus {
  export const NONE: u32 = 0;
  export const SMALL: u32 = 1;
  export const HUGE: u32 = 2;
  export const PINS: u32 = 3;
  export const UFFD: u32 = 4;
  export const SWAP: u32 = 5;
  export const THREADS: u32 = 6;
  export const WIDE: u32 = 7;
  export const CORE: u32 = 8;
  export const COUNT: u32 = 9;
}

let focus: u32 = Focus.NONE;

/** For the shards begun from now on. Returns false for a focus that does not exist. */
export function set_focus(f: u32): bool {
  if (f >= Focus.COUNT) return false;
  focus = f;
  return true;
}
export function focused(f: u32): bool {
  return focus == f;
}

/** Bits of groups (mixes.ts: 1 fork, 2 uffd, 3 GUP, 4 swap) that every mix has. */
export function focus_groups(): u32 {
  switch (focus) {
    case Focus.PINS: return (1 << 1) | (1 << 3);
    case Focus.UFFD: return 1 << 2;
    case Focus.SWAP: return 1 << 4;
  }
  return 0;
}

/** Row for TypeScript: "name \t doc"; "" past the end. */
export function focusRow(index: u32): string {
  switch (index) {
    case Focus.NONE: return "all\tno focus: mixes as they are drawn";
    case Focus.SMALL: return "small\tno huge pages";
    case Focus.HUGE: return "huge\thuge pages in every mix";
    case Focus.PINS: return "pins\tfork and GUP in every mix";
    case Focus.UFFD: return "uffd\tuserfaultfd in every mix";
    case Focus.SWAP: return "swap\treclaim and swap in every mix";
    case Focus.THREADS: return "threads\ttwo threads at once in every mix";
    case Focus.CORE: return "core\tonly the operations of the fault path, GUP, fork, reclaim and write-protection";
    case Focus.WIDE: return "wide\tlong programs over all pages, until memory is short";
  }
  return "";
}
