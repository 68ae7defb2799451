// What a search proved, in words, and never without its bound.
import type { Catalogue } from '../engine/catalogue.js';
import type { KernelSpec } from '../engine/types.js';
import { printSpec } from '../text/id.js';
import { type Scope, scopeWords } from './scope.js';
import type { Ended, ExploreResult, Symmetry } from './types.js';

/** Within what a verdict holds. */
export interface Bound {
  readonly spec: KernelSpec;
  readonly scope: Scope;
  /** Operations tried in every state. */
  readonly operations: number;
  /** Two operations at once by some schedule, tried in every state as well; 0 = sequential mode. */
  readonly concurrent: number;
  /** Schedules of 6 choices left out, as another one or two single steps do the same. */
  readonly spared: number;
  readonly symmetry: Symmetry;
}

export type Outcome = 'clean' | 'bounded' | 'broken';

/** Closed without a broken promise; none up to a depth; or some. */
export function outcomeOf({ ended, violations }: ExploreResult): Outcome {
  if (violations.length > 0) return 'broken';
  return ended === 'closed' ? 'clean' : 'bounded';
}

/** 1234567 as `1,234,567`. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

export function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Levels below the root. */
export function diameterOf({ levels }: ExploreResult): number {
  return Math.max(0, levels.length - 1);
}

const WHY: Readonly<Record<Ended, string>> = {
  closed: '',
  depth: 'the depth asked for',
  time: 'the time is up',
  memory: 'the memory is used up',
  interrupted: 'interrupted',
  violated: 'what was looked for is found',
};

/** The verdict in one sentence: `closed: N states, M transitions, diameter D, no promise broken`. */
export function verdictText(result: ExploreResult, promises: number): string {
  const { states, transitions, ended } = result;
  const size = `${plural(states, 'state')}, ${plural(transitions, 'transition')}`;
  const broken = `${plural(promises, 'promise')} broken`;
  if (ended === 'closed') {
    const rest = promises === 0 ? 'no promise broken' : `${broken}; nothing was searched past a broken promise`;
    return `closed: ${size}, diameter ${diameterOf(result)}, ${rest}`;
  }
  const where = `up to depth ${diameterOf(result)} (${size})`;
  const why = WHY[ended];
  return promises === 0 ? `no promise broken ${where}; ${why}` : `${broken}; searched ${where}; ${why}`;
}

const MERGED: Readonly<Record<Symmetry, string>> = {
  none: 'no symmetry',
  frames: 'symmetry of page frames',
  mms: 'symmetry of page frames and processes',
  full: 'symmetry of page frames, processes and pages',
};

export function symmetryWords(symmetry: Symmetry): string {
  return MERGED[symmetry];
}

/** Within what that holds: processes, pages, handles, operations, the model's frames, the kernel. */
export function boundText(catalogue: Catalogue, bound: Bound): string {
  const { spec, scope, operations, concurrent, spared, symmetry } = bound;
  const frames = `${catalogue.at('NR_FRAMES')} page frames, ${catalogue.at('NR_SLOTS')} swap slots`;
  const some = `${grouped(concurrent)} of ${plural(concurrent + spared, 'schedule')}`;
  const reduced = '(the others do the same as one of them, or as two single operations)';
  const pairs = concurrent === 0 ? '' : ` and two at once by ${some} ${reduced},`;
  const tried = `${plural(operations, 'operation')}${pairs} tried in every state`;
  return `${printSpec(spec)}; ${scopeWords(scope)}; ${frames}; ${tried}; ${symmetryWords(symmetry)}`;
}

/** What may be missing from the states; '' if nothing can be. */
export function omissionText({ omission, states }: ExploreResult, visited: 'exact' | 'bits'): string {
  if (omission === 0) return '';
  const value = omission < 0.001 ? omission.toExponential(1) : omission.toPrecision(2);
  if (visited === 'bits') return `Bit-state: an expected ${value} of the states was taken for known and left out.`;
  return `64-bit fingerprints: two of the ${grouped(states)} states share one, and hide one of them, with probability ${value} at most.`;
}

/** Where the model's own room was felt; '' if nowhere. */
export function exhaustedText(catalogue: Catalogue, { exhausted }: ExploreResult): string {
  if (exhausted === 0) return '';
  const room = `${catalogue.at('NR_FRAMES')} page frames or ${catalogue.at('NR_SLOTS')} swap slots`;
  return `${plural(exhausted, 'transition')} found the ${room} used up: what more memory would allow was not searched.`;
}
