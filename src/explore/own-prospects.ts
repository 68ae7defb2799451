// How near each step of a finding came to its broken promise, within the finding's own scope.
import type { Engine } from '../engine/engine.js';
import { canonical } from '../engine/optable.js';
import { decodeOp } from '../engine/opword.js';
import type { KernelSpec } from '../engine/types.js';
import { breaks, Trial } from '../findings/trial.js';
import { printItems } from '../text/print.js';
import type { GraphLimits } from './graph.js';
import { type BreakingProgram, Inevitability, type Prospect, type Prospects } from './inevitable.js';
import { MOST_WORDS, ownScope } from './own-scope.js';

/** A few seconds. */
export const OWN_LIMITS: GraphLimits = { states: 200_000, transitions: 3_000_000 };

/** The prospects with the scope that they are of, or why there are none. */
export type Outlook = { readonly prospects: Prospects; readonly scope: string; readonly states: number } | NoOutlook;

export interface NoOutlook {
  readonly why: string;
}

/** Said of a finding whose turn came too late. */
export const LATE = 'the time set aside for it was used up';

function tooLarge({ states, transitions }: GraphLimits): string {
  const number = (value: number) => (value < 10_000 ? String(value) : `${value / 1000} k`);
  return `its scope does not close within ${number(states)} states and ${number(transitions)} transitions`;
}

/** Steps of the program, and the one that breaks the promise for whoever looks at everything. */
interface Path {
  readonly items: readonly { readonly text: string; readonly words: readonly number[]; readonly looks: boolean }[];
  readonly brokenAt: number;
}

function pathOf({ catalogue }: Engine, words: Uint32Array, trial: Trial, invariant: number): Path | NoOutlook {
  const { ops } = catalogue;
  const reads = (word: number) => ops[decodeOp(word).code]!.name === 'hread';
  const items = printItems(words, ops).map(({ text, first, count }) => {
    const own = [...words.subarray(first, first + count)];
    return { text, words: own, looks: own.some(reads) };
  });
  if (items.some((item) => item.looks && item.words.length > 1))
    return { why: 'a search looks at every state whole, so it has no reads of handles in concurrent steps' };
  for (let step = 1; step <= items.length; step++) {
    const { mask } = trial.run(Uint32Array.from(items.slice(0, step).flatMap((item) => item.words))).verdict;
    if (breaks(mask, invariant)) return { items, brokenAt: step };
    const other = catalogue.invariants.find(({ id }) => breaks(mask, id));
    if (other) return { why: `step ${step} already breaks ${other.slug}, where a search ends` };
  }
  return { why: 'it breaks nothing' };
}

/** The own scope of a program, which breaks the promise `invariant`, is searched on the instance `search`, to its end if it fits. */
export async function ownProspects(
  engine: Engine,
  search: Engine,
  program: BreakingProgram & { readonly spec: KernelSpec },
  limits: GraphLimits = OWN_LIMITS,
  signal?: AbortSignal,
): Promise<Outlook> {
  const { catalogue } = engine;
  const { spec, invariant } = program;
  const words = canonical(catalogue.ops, program.words);
  const vector = catalogue.vector(spec);
  const path = pathOf(engine, words, new Trial(engine, vector), invariant);
  if ('why' in path) return path;
  const { alphabet, pairs, mms, pages, text: scope } = ownScope(catalogue.ops, words);
  if (alphabet.length + pairs.length > MOST_WORDS) return { why: 'its scope has too many operations to search' };
  const inevitability = await Inevitability.of(
    { kind: 'engine', vector, alphabet, pairs, mms, pages, symmetry: 'full' },
    limits,
    signal,
    search,
  );
  const made = path.items.slice(0, path.brokenAt).filter(({ looks }) => !looks);
  const found = await inevitability?.of(engine, [
    { words: Uint32Array.from(made.flatMap((item) => item.words)), invariant },
  ]);
  if (!inevitability || !found) return { why: signal?.aborted ? LATE : tooLarge(limits) };
  const [prospects] = found;
  if (prospects!.steps.at(-2)?.probability === 0) return { why: 'the search does not see it break' };
  return { prospects: spread(prospects!, path), scope, states: inevitability.graph.states };
}

/** Reads of handles, which the search does without, leave everything as it was. */
function spread({ horizon, steps, decisive }: Prospects, { items, brokenAt }: Path): Prospects {
  const all: Prospect[] = [steps[0]!];
  let made = 0;
  let at: number | undefined;
  for (const [i, { text, looks }] of items.entries()) {
    if (!looks && i < brokenAt) made++;
    all.push({ ...steps[made]!, step: i + 1, text });
    if (made === decisive) at ??= i + 1;
  }
  return { horizon, steps: all, decisive: at };
}
