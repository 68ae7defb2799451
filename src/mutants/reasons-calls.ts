// Why nobody can notice mutants of the system calls, of reclaim and of the books.
import type { Reason } from './reason.js';

export const REASONS_CALLS: readonly Reason[] = [];
