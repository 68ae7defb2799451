// Options that several commands share, and how their values are read.
import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';

export interface KernelOptions {
  readonly kernel?: string;
  readonly with?: readonly string[];
  readonly without?: readonly string[];
}

const DEFAULT_KERNEL = 'seed';

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...value.split(',').filter((name) => name !== '')];
}

/** Adds --kernel, --with and --without. `chosen`: the kernel without --kernel, for people. */
export function withKernel(command: Command, chosen = DEFAULT_KERNEL): Command {
  return command
    .addOption(new Option('-k, --kernel <name>', `kernel on trial: see "breakcow kernels" (default: ${chosen})`))
    .option('--with <knob>', 'turn a knob on; may be repeated', collect)
    .option('--without <knob>', 'turn a knob off; may be repeated', collect);
}

/** Adds --differential. */
export function withDifferential(command: Command): Command {
  return command.option(
    '--differential <mode>',
    'run each program twice and compare: pmd, residency or batch; or permission (short for --with differential.MODE)',
  );
}

/** Adds --warnings. */
export function withWarnings(command: Command): Command {
  return command.option(
    '--warnings',
    'judge costs, too: needless copies, soft-dirty without a write, calls in vain, faults that nothing asked for; they fail nothing (short for --with judge.warnings)',
  );
}

/** The kernel asked for; `found`, the one of a finding, if none is. Knobs asked for go on top of either. */
export function kernelSpec(
  { kernel, with: plus = [], without: minus = [] }: KernelOptions,
  found?: KernelSpec,
): KernelSpec {
  const base = kernel === undefined && found ? found : { kernel: kernel ?? DEFAULT_KERNEL, with: [], without: [] };
  return {
    kernel: base.kernel,
    with: [...base.with.filter((name) => !minus.includes(name)), ...plus],
    without: [...base.without.filter((name) => !plus.includes(name)), ...minus],
  };
}

/** Adds --json. */
export function withJson(command: Command): Command {
  return command.option('--json', 'print data instead of text');
}

/** A positive whole number, with k, M or G for thousands, millions, milliards. */
export function parseCount(name: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)([kMG]?)$/.exec(text);
    const factor = { '': 1, k: 1e3, M: 1e6, G: 1e9 }[match?.[2] ?? ''] ?? 1;
    const value = match ? Number(match[1]) * factor : Number.NaN;
    if (!Number.isSafeInteger(value) || value < 1)
      throw new UsageError(`${name} "${text}": expected a positive whole number, such as 1000000 or 1M`);
    return value;
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `30s`, `10m`, `8h`, `2d`, in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const ms = match ? Number(match[1]) * UNIT_MS[match[2]!]! : 0;
  // setTimeout takes 31 bits of milliseconds; nobody waits longer.
  if (ms < 1 || ms > 2 ** 31 - 1) throw new UsageError(`time "${text}": expected a duration such as 30s, 10m or 8h`);
  return ms;
}

const MAX_PORT = 65535;

/** 0 = any free one. */
export function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > MAX_PORT)
    throw new UsageError(`port "${text}": expected a number from 0 to ${MAX_PORT}; 0 = any free one`);
  return port;
}

const MAX_WORKERS = 256;

/** Threads, or `auto` = as many as this machine runs at once. */
export function parseWorkers(text: string): number {
  if (text === 'auto') return availableParallelism();
  const workers = /^\d+$/.test(text) ? Number(text) : 0;
  if (workers < 1 || workers > MAX_WORKERS)
    throw new UsageError(`workers "${text}": expected a number from 1 to ${MAX_WORKERS}, or auto`);
  return workers;
}
