// What a campaign was asked for, as it is kept.
import type { Style } from '../campaign/rotation.js';
import type { KernelSpec } from '../engine/types.js';

export interface CampaignConfig {
  readonly kernels: readonly KernelSpec[];
  /** Styles that take turns on each kernel. */
  readonly styles: readonly Style[];
  /** 64 bits, decimal. */
  readonly seed: string;
  /** Budget of active time in ms, and of programs; at least one. */
  readonly timeMs?: number;
  readonly programs?: number;
  readonly epochShards: number;
}

/** ready: never begun; running: a driver has it, or had it and died. */
export type CampaignState = 'ready' | 'running' | 'paused' | 'stopped' | 'failed' | 'done';
