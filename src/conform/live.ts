// The kernel that runs this process.
import { type ChildProcess, spawn } from 'node:child_process';
import { buildExecutor, MissingError } from './build.js';
import { Executor } from './executor.js';
import type { ObserveLevel } from './protocol.js';

const SILENCE_MS = 30_000;
const HELLO_MS = 180_000;

export interface LiveOptions {
  readonly observe?: ObserveLevel;
  /** More arguments for the executor. */
  readonly args?: readonly string[];
}

/** Throws MissingError where there is no Linux or no compiler, Error if the executor does not start. */
export async function openLive({ observe = 'pages', args = [] }: LiveOptions = {}): Promise<Executor> {
  if (process.platform !== 'linux')
    throw new MissingError(`the live kernel is ${process.platform}'s: the executor needs Linux, or a guest (qemu:6.1)`);
  const binary = buildExecutor();
  // A group of its own: Ctrl-C on the terminal is for us, and we end the executor in order.
  const start = (): ChildProcess => spawn(binary, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  return Executor.open(start(), {
    observe,
    silenceMs: SILENCE_MS,
    helloMs: HELLO_MS,
    respawn: async () => start(),
  });
}
