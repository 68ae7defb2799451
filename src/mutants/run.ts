// `breakcow mutants`: every mutant judged, on any number of threads, with the same result on each.

import { type KnobVector, withKnob } from '../engine/catalogue.js';
import { loadEngine } from '../engine/engine.js';
import { compiledModule } from '../engine/load.js';
import { UsageError } from '../errors.js';
import { startThreads } from '../threads.js';
import { type Built, transformed } from '../transform/compile.js';
import type { HandlerMutant } from '../transform/mutate.js';
import { answersOf } from './bench.js';
import { learn } from './programs.js';
import { reasonFor } from './reasons.js';
import { BASE, handlerMutants, vectorMutants } from './table.js';
import { FAMILIES, type Family, type Judged, type Mutant, type Setup, type Task, type Verdict } from './types.js';

/** Programs fuzzed per mutant at most. */
export const DEFAULT_BUDGET = 12_000;
/** Kernels that are tried on other machines as well. */
const MACHINES = ['v6.12', 'v5.10'];
/** Mutants that a thread takes at a time. */
const TASK = 4;

export interface MutantsOptions {
  /** Families, or files such as `memory.ts`; all if absent. */
  readonly only?: readonly string[];
  readonly budget: number;
  readonly workers: number;
  readonly signal?: AbortSignal;
  readonly onBuild?: () => void;
  readonly onProgress?: (done: number, all: number, survivors: number) => void;
}

export interface MutantsResult {
  readonly judged: readonly Judged[];
  readonly interrupted: boolean;
  /** Of all mutants, not only some that were asked for. */
  readonly whole: boolean;
  readonly seconds: number;
  /** Of all cores together. */
  readonly cpuSeconds: number;
  readonly workers: number;
}

/** The module of all mutants of the model, built if its sources have changed. Throws UsageError outside a checkout. */
export function mutantModule(onBuild?: () => void): Promise<Built<readonly HandlerMutant[]>> {
  const make = async () => {
    const { MutantTransform } = await import('../transform/mutate.js');
    const transform = new MutantTransform('assembly/mm/');
    return { transform, table: () => transform.mutants };
  };
  return transformed({ name: 'mutants', make, onBuild });
}

/** The mutants asked for. Throws UsageError for a name that is no family and no file with mutants. */
export function chosenMutants(places: readonly HandlerMutant[], only: readonly string[] = []): Mutant[] {
  const { catalogue } = loadEngine();
  const { vector } = catalogue.kernel(BASE);
  const all = [...vectorMutants(catalogue, vector), ...handlerMutants(places, vector)];
  if (only.length === 0) return all;
  const files = [...new Set(places.map(({ file }) => file.replace(/^.*\//, '')))];
  const unknown = only.find((name) => !FAMILIES.includes(name as Family) && !files.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`no mutants of "${unknown}"; there are some of ${[...FAMILIES, ...files].join(', ')}`);
  return all.filter(({ family, file }) => only.includes(family) || only.includes(file.replace(/^.*\//, '')));
}

/** What the threads are told; `mutants`: places of the model. */
export function setUp(wasm: URL, mutants: number, budget: number): Setup {
  const engine = loadEngine();
  const { knobs, kernels } = engine.catalogue;
  const { vector } = engine.catalogue.kernel(BASE);
  const environment = knobs.filter(({ kind }) => kind === 'environment');
  const costs = environment.find(({ name }) => name === 'judge.warnings')!.id;
  const trials = environment.map(({ id, name }) => ({ name: `${BASE} +${name}`, knob: id }));
  // What only another machine shows, and what only another release decides.
  const machines = MACHINES.flatMap((kernel) =>
    environment.map(({ id, name }) => ({
      name: `${kernel} +${name}`,
      vector: withKnob(engine.catalogue.kernel(kernel).vector, id, true),
    })),
  );
  const alike = (a: KnobVector, b: KnobVector) => a.every((word, i) => word === b[i]);
  const releases = kernels
    .filter((one, i) => kernels.findIndex((other) => alike(other.vector, one.vector)) === i && one.name !== BASE)
    .map(({ name, vector: own }) => ({ name, vector: own }))
    .reverse();
  const base = { vector, trials, costs, others: [...machines, ...releases], ...learn(engine, vector), budget };
  return { wasm: wasm.href, base, answers: answersOf(compiledModule(wasm), base, mutants) };
}

export async function runMutants(options: MutantsOptions): Promise<MutantsResult> {
  const { budget, workers, signal, onBuild, onProgress } = options;
  const start = performance.now();
  const cpu = process.cpuUsage();
  const { wasm, table } = await mutantModule(onBuild);
  const mutants = chosenMutants(table, options.only);
  const setup = setUp(wasm, table.length, budget);
  const pool = startThreads<Task, Verdict[]>(new URL('./worker.js', import.meta.url), workers, setup);
  const judged: Judged[][] = [];
  let [done, survivors, next] = [0, 0, 0];
  const work = async () => {
    while (next * TASK < mutants.length && !signal?.aborted) {
      const turn = next++;
      const task = mutants.slice(turn * TASK, (turn + 1) * TASK);
      const verdicts = await pool.run({ mutants: task }, signal && { signal });
      judged[turn] = verdicts.map((verdict, i): Judged => {
        const mutant = task[i]!;
        const reason = verdict.outcome === 'survives' ? reasonFor(mutant) : undefined;
        return { mutant, ...verdict, ...(reason !== undefined && { reason }) };
      });
      done += task.length;
      survivors += verdicts.filter(({ outcome }) => outcome === 'survives').length;
      onProgress?.(done, mutants.length, survivors);
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, work)).catch((error: unknown) => {
      if (!signal?.aborted) throw error;
    });
  } finally {
    await pool.destroy();
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  const whole = (options.only ?? []).length === 0;
  return { judged: judged.flat(), interrupted: done < mutants.length, whole, seconds, cpuSeconds, workers };
}
