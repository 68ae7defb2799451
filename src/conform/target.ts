// The kernel's side of a comparison, by name: the live kernel, a guest, or another model.
import { loadEngine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { buildExecutor } from './build.js';
import { Executor } from './executor.js';
import { openLive } from './live.js';
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
  if (kind === 'live') {
    const backend = await openLive({ observe });
    return { backend, name, describe: backend.machine, slow: false };
  }
  if (kind === 'model') {
    const engine = loadEngine();
    const backend = new ModelBackend(modelSpec(rest!, engine.catalogue), engine);
    return { backend, name, describe: 'a model', slow: false };
  }
  const start = () => openGuest(rest!, { executor: buildExecutor(), onProgress });
  const guest = await start();
  const backend = await Executor.open(guest.child, {
    observe,
    silenceMs: GUEST_SILENCE_MS,
    helloMs: GUEST_HELLO_MS,
    respawn: async () => (await start()).child,
  });
  return { backend, name, describe: guest.describe, slow: true };
}
