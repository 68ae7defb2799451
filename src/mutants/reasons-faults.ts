// Why nobody can notice mutants of the fault handler, GUP, fork, huge pages, migration and KSM.
import type { Reason } from './reason.js';

export const REASONS_FAULTS: readonly Reason[] = [];
