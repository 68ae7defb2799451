// The hunt as the page sees it: a worker, made from the file itself, and what it has told so far.
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { KernelSpec } from '../engine/types.js';
import { held, heldModule } from './held.js';
import type { Found, HuntProgress, Order, Report } from './hunt.js';

/** `resting`: the worker waits; there is more to look for. */
export type Phase = 'idle' | 'running' | 'stopping' | 'resting' | 'failed';

export interface HuntState {
  readonly phase: Phase;
  readonly spec?: KernelSpec;
  readonly seed?: string;
  /** It goes on after findings. */
  readonly more: boolean;
  readonly progress?: HuntProgress;
  /** Operations of the program that is being reduced. */
  readonly reducing?: number;
  /** One per cause, in the order of their discovery. */
  readonly findings: readonly Found[];
  readonly error?: string;
}

export interface HuntControls {
  readonly start: (spec: KernelSpec, seed: string) => void;
  readonly more: () => void;
  readonly stop: () => void;
}

const IDLE: HuntState = { phase: 'idle', more: false, findings: [] };

let code: string | undefined;

/** A page opened from disk may load nothing, but what it holds it may turn into a worker. */
function startWorker(): Worker {
  code ??= URL.createObjectURL(new Blob([held('worker')], { type: 'text/javascript' }));
  return new Worker(code);
}

function withFound(findings: readonly Found[], found: Found, replaces: string | undefined): Found[] {
  if (replaces === undefined) return [...findings, found];
  return findings.map((old) => (old.id === replaces ? found : old));
}

/** The state after a report. */
function told({ reducing: _, ...state }: HuntState, report: Report): HuntState {
  switch (report.kind) {
    case 'progress':
      return {
        ...state,
        progress: report.progress,
        ...(report.reducing !== undefined && { reducing: report.reducing }),
      };
    case 'found':
      return { ...state, findings: withFound(state.findings, report.found, report.replaces) };
    case 'stopped':
      return { ...state, phase: 'resting', progress: report.progress };
    case 'failed':
      return { ...state, phase: 'failed', error: report.message };
  }
}

class Client {
  readonly #show: (state: HuntState) => void;
  #state = IDLE;
  #worker: Worker | undefined;

  constructor(show: (state: HuntState) => void) {
    this.#show = show;
  }

  readonly start = (spec: KernelSpec, seed: string): void => {
    this.end();
    this.#set({ phase: 'running', spec, seed, more: false, findings: [] });
    try {
      this.#worker = startWorker();
      this.#worker.onmessage = ({ data }: MessageEvent<Report>) => this.#set(told(this.#state, data));
      this.#worker.onerror = ({ message }) => this.#fail(message || 'its worker does not start');
      this.#order({ kind: 'start', module: heldModule(), spec, seed });
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  };

  readonly more = (): void => {
    this.#set({ ...this.#state, phase: 'running', more: true });
    this.#order({ kind: 'more' });
  };

  readonly stop = (): void => {
    if (this.#state.phase !== 'running') return;
    this.#set({ ...this.#state, phase: 'stopping' });
    this.#order({ kind: 'stop' });
  };

  end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #order(order: Order): void {
    this.#worker?.postMessage(order);
  }

  #fail(message: string): void {
    this.end();
    this.#set({ ...this.#state, phase: 'failed', error: message });
  }

  #set(state: HuntState): void {
    this.#state = state;
    this.#show(state);
  }
}

export function useHunt(): [HuntState, HuntControls] {
  const [state, show] = useState(IDLE);
  const client = useMemo(() => new Client(show), []);
  useEffect(() => () => client.end(), [client]);
  return [state, client];
}
