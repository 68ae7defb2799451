// The kernel's side of a comparison, by name: the live kernel, a guest, or another model.
import { loadEngine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { buildExecutor } from './build.js';
import { Executor } from './executor.js';
import { openLive } from './live.js';
import { probeMachine } from './machine.js';
import { modelSpec } from './match.js';
import { ModelBackend } from './model.js';
import type { Backend } from './observed.js';
import type { ObserveLevel } from './protocol.js';
import { openGuest } from './qemu/guest.js';

export interface Target {
  readonly backend: Backend;
  /** As it was asked for: "live", "qemu:6.1", "model:v6.1". */
  readonly name: string;
  /** uname -v or the package it came from, for people and golden traces. */
  readonly describe: string;
  /** Switches of the model that say what the machine is like. */
  readonly machine: readonly string[];
  /** How much longer a program may take than on hardware. */
  readonly slow: boolean;
}

/** Emulation is some twenty times slower, and a guest under load more than that. */
const GUEST_SILENCE_MS = 120_000;
const GUEST_HELLO_MS = 120_000;

/** Is this the name of a target? Throws UsageError if not. */
export function checkTarget(name: string): void {
  if (name === 'live' || /^(?:qemu|model):./.test(name)) return;
  throw new UsageError(`unknown kernel "${name}"\nvalid: live, qemu:VERSION (such as qemu:6.1), model:NAME`);
}

/** Throws UsageError for an unknown name, MissingError or GuestError for what the machine lacks. */
export async function openTarget(
  name: string,
  observe: ObserveLevel,
  onProgress: (what: string) => void = () => {},
): Promise<Target> {
  checkTarget(name);
  const [, kind, rest] = /^(\w+):?(.*)$/.exec(name)!;
  const engine = loadEngine();
  if (kind === 'model') {
    const backend = new ModelBackend(modelSpec(rest!, engine.catalogue), engine);
    return { backend, name, describe: 'a model', machine: [], slow: false };
  }
  const [backend, describe] = kind === 'live' ? await live(observe) : await guest(rest!, observe, onProgress);
  try {
    const machine = await probeMachine(backend, engine.catalogue);
    return { backend, name, describe, machine, slow: kind !== 'live' };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

async function live(observe: ObserveLevel): Promise<[Executor, string]> {
  const backend = await openLive({ observe });
  return [backend, backend.machine];
}

async function guest(
  version: string,
  observe: ObserveLevel,
  onProgress: (what: string) => void,
): Promise<[Executor, string]> {
  const start = () => openGuest(version, { executor: buildExecutor(), onProgress });
  const { child, describe } = await start();
  const backend = await Executor.open(child, {
    observe,
    silenceMs: GUEST_SILENCE_MS,
    helloMs: GUEST_HELLO_MS,
    respawn: async () => (await start()).child,
  });
  return [backend, describe];
}
