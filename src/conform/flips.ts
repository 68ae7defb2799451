// Would the comparison notice a mistake in the model? Each knob of it flipped in turn, on programs already observed.
import type { KnobInfo, KnobVector } from '../engine/catalogue.js';
import { knobOn, withKnob } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { type Difference, kindOf } from './compare.js';
import { ProgramGenerator } from './generate.js';
import { ModelRunner } from './model.js';
import type { Backend, Capability, PageLayout, Run } from './observed.js';
import type { OpenTable } from './open.js';
import { directedPrograms } from './record.js';
import { whyUnseen } from './unseen.js';

/** Programs with what the kernel did. */
export interface Observations {
  readonly layout: PageLayout;
  readonly programs: readonly Uint32Array[];
  readonly runs: readonly Run[];
}

export interface Flip {
  readonly knob: KnobInfo;
  /** Value in the model as it is. */
  readonly on: boolean;
  /** How it was noticed; undefined: it was not. */
  readonly seen?: {
    readonly layout: PageLayout;
    readonly difference: Difference;
    readonly kind: string;
    readonly words: Uint32Array;
    /** Programs run until then. */
    readonly after: number;
  };
  /** If it was not: programs after which the model's insides differ, whether anybody can see that or not. */
  readonly inside?: number;
  /** Why user space cannot notice, where that is known. */
  readonly reason?: string;
}

export interface FlipTable {
  readonly flips: readonly Flip[];
  /** Programs on which the model as it is agrees with the kernel; the others tell nothing. */
  readonly programs: number;
  readonly disagreeing: number;
}

/** Of the programs that are observed, one in so many is on huge pages. */
const PMD_SHARE = 4;

/** What `kernel` does with programs of both layouts: those with a purpose, then random ones. Rejects as it does. */
export async function observe(
  engine: Engine,
  spec: KernelSpec,
  kernel: Backend,
  { seed, ops, programs }: { readonly seed: bigint; readonly ops: number; readonly programs: number },
): Promise<Observations[]> {
  const sets: Observations[] = [];
  for (const layout of ['pte', 'pmd'] as const) {
    const share = Math.floor(programs / PMD_SHARE);
    const count = layout === 'pmd' ? share : programs - share;
    const directed = directedPrograms(engine, spec, kernel.can, layout).slice(0, count);
    const generator = new ProgramGenerator(engine, { spec, seed, layout, can: kernel.can, ops });
    const made = [...directed, ...generator.programs(0, count - directed.length)];
    const runs = await kernel.run(made, layout);
    const whole = made.map((_, i) => i).filter((i) => runs[i]!.trouble === undefined);
    sets.push({ layout, programs: whole.map((i) => made[i]!), runs: whole.map((i) => runs[i]!) });
  }
  return sets;
}

/** Flips every knob of `spec`, mutants and table cells too; `can`: what there was to see. Leaves the engine on that kernel. */
export function flipKnobs(
  engine: Engine,
  spec: KernelSpec,
  observed: readonly Observations[],
  can: ReadonlySet<Capability>,
  open: OpenTable,
  onProgress: (done: number, of: number) => void = () => {},
): FlipTable {
  const { catalogue } = engine;
  const runner = new ModelRunner(engine);
  engine.setJudges('off');
  const base = catalogue.vector(spec);
  const firstIn = (vector: KnobVector, { layout, programs, runs }: Observations, from: number) => {
    engine.configureVector(vector);
    const comparison = open.comparison(catalogue.ops, layout, false);
    for (let i = from; i < programs.length; i++) {
      const difference = comparison.first(programs[i]!, runner.run(programs[i]!), runs[i]!);
      if (difference) return { index: i, difference };
    }
    return undefined;
  };
  const ends = (vector: KnobVector, programs: readonly Uint32Array[]): string[] => {
    engine.configureVector(vector);
    return programs.map((words) => runner.end(words));
  };
  const agreeing = observed.map((set) => {
    const good: number[] = [];
    for (let i = 0; i < set.programs.length; i++) {
      const one = { layout: set.layout, programs: [set.programs[i]!], runs: [set.runs[i]!] };
      if (!firstIn(base, one, 0)) good.push(i);
    }
    return { layout: set.layout, programs: good.map((i) => set.programs[i]!), runs: good.map((i) => set.runs[i]!) };
  });
  const all = agreeing.flatMap(({ programs }) => programs);
  const usual = ends(base, all);
  const knobs = catalogue.knobs.filter(({ kind }) => kind !== 'environment');
  const flips = knobs.map((knob, done): Flip => {
    onProgress(done, knobs.length);
    const on = knobOn(base, knob.id);
    const vector = withKnob(base, knob.id, !on);
    let after = 0;
    for (const set of agreeing) {
      const found = firstIn(vector, set, 0);
      if (found) {
        const { index, difference } = found;
        const words = set.programs[index]!;
        const kind = kindOf(difference);
        return { knob, on, seen: { layout: set.layout, difference, kind, words, after: after + index + 1 } };
      }
      after += set.programs.length;
    }
    const reason = whyUnseen(knob, can);
    const inside = ends(vector, all).filter((end, i) => end !== usual[i]).length;
    return { knob, on, inside, ...(reason !== undefined && { reason }) };
  });
  engine.configureVector(base);
  const given = observed.reduce((sum, { programs }) => sum + programs.length, 0);
  return { flips, programs: all.length, disagreeing: given - all.length };
}

/** In words, why a flip was not noticed. */
function unseenText({ inside = 0, reason }: Flip, programs: number): string {
  const effect = inside === 0 ? `changes nothing in ${programs} programs` : `changes ${inside} programs inside`;
  return `not seen, ${effect}${reason === undefined ? '' : `: ${reason}`}`;
}

/** The table as lines. */
export function flipLines({ flips, programs, disagreeing }: FlipTable): string[] {
  const width = Math.max(...flips.map(({ knob }) => knob.name.length));
  const lines = flips.map((flip) => {
    const { knob, on, seen } = flip;
    const how = seen ? `${seen.kind} (${seen.layout}), after ${seen.after}` : unseenText(flip, programs);
    return `${knob.name.padEnd(width)} ${on ? 'on->off' : 'off->on'}  ${how}`;
  });
  const unseen = flips.filter((flip) => !flip.seen);
  const idle = unseen.filter(({ inside }) => inside === 0).length;
  lines.push(
    '',
    `${flips.length - unseen.length} of ${flips.length} flips noticed on ${programs} programs; ${idle} change nothing there, ${unseen.length - idle} nothing that can be seen.`,
  );
  if (disagreeing > 0) lines.push(`${disagreeing} programs left out: model and kernel differ there as it is.`);
  return lines;
}
