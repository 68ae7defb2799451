// What a reproducer in C may need beyond its core.

/** Parts of the program that only some need: what `#if USES_...` in the C sources asks for. */
export type Use =
  | 'UFFD'
  | 'WAKING'
  | 'MODES'
  | 'FILL'
  | 'UFFD_MOVE'
  | 'SPLICE'
  | 'IO_URING'
  | 'PROCESS_VM'
  | 'PROC_MEM'
  | 'SWAP'
  | 'RECLAIM'
  | 'SWAPOFF'
  | 'POPULATE'
  | 'THP'
  | 'SPLIT'
  | 'FORK'
  | 'EXIT'
  | 'CLEAR_REFS'
  | 'MREMAP'
  | 'PAGEMAP'
  | 'SOFT_DIRTY'
  | 'UFFD_WP_BIT'
  | 'KTAP';
