// What the page says of a hunt.
import type { KernelSpec } from '../engine/types.js';
import { printSpec } from '../text/id.js';
import type { Found, HuntProgress } from './hunt.js';
import type { HuntState } from './use-hunt.js';

export const number = (value: number): string => Math.round(value).toLocaleString('en');

export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** The same search in a terminal, on all cores. */
export function commandText({ kernel, with: plus, without: minus }: KernelSpec, seed: string): string {
  return [
    `npx breakcow fuzz --kernel ${kernel}`,
    ...plus.map((name) => `--with ${name}`),
    ...minus.map((name) => `--without ${name}`),
    `--seed ${seed} --keep-going`,
  ].join(' ');
}

/** Of one finding, after its slug. */
export function foundText({ after, foundAs, operations }: Found): string {
  const reduced = foundAs > operations ? `, reduced from ${foundAs}` : '';
  return `after ${counted(after, 'program')}: ${counted(operations, 'operation')}${reduced}`;
}

function triedText({ programs, ops, faults }: HuntProgress): string {
  return `${counted(programs, 'program')} (${counted(ops, 'operation')}, ${counted(faults, 'page fault')})`;
}

/** Where the hunt stands; it changes only when something has happened. `chosen`: the kernel that it would be about. */
export function standText(hunt: HuntState, chosen: string): string {
  const { phase, spec, seed, more, progress, findings, error } = hunt;
  if (!spec) return `Runs random programs on ${chosen}, in this page, until one breaks a promise.`;
  const where = `on ${printSpec(spec)}, seed ${seed}`;
  switch (phase) {
    case 'failed':
      return `Fuzzing ${where} ended with an error: ${error}`;
    case 'running':
      return `Fuzzing ${where}.`;
    case 'stopping':
      return 'Stopping…';
    default:
      break;
  }
  if (!progress) return '';
  if (findings.length === 0) return `Every promise was kept in ${triedText(progress)} ${where}.`;
  const [first] = findings;
  if (first && !more) {
    const editor = printSpec(spec) === chosen ? ' It is put into the editor; Back returns to what stood there.' : '';
    return `${first.slug} ${foundText(first)}.${editor}`;
  }
  return `${counted(findings.length, 'cause')} in ${triedText(progress)} ${where}.`;
}

/** What silence is worth. */
export function worthText({ canary }: HuntProgress): string {
  const kernels = canary.kernel.replace(', ', ' and ');
  if (!canary.found)
    return `It proves nothing: the search has not found what ${kernels} are known to break (${counted(canary.programs, 'program')}).`;
  return `Tried, not proven. The same search found what ${kernels} are known to break within ${counted(canary.programs, 'program')}; "breakcow check" tries a whole scope.`;
}
