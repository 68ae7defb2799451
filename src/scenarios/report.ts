// How far programs came in each scenario, in words and as data.
import type { KnobVector } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { wrap, wrapProgram } from '../report/layout.js';
import { SCENARIOS } from './table.js';
import { type Reached, Watcher } from './watch.js';

export interface ScenarioReport {
  /** Programs watched. */
  readonly programs: number;
  readonly scenarios: readonly Reached[];
}

/** At most `most` of the programs, evenly spread, on the kernel `vector`. */
export function watchPrograms(
  engine: Engine,
  vector: KnobVector,
  programs: readonly Uint32Array[],
  most = Number.POSITIVE_INFINITY,
): ScenarioReport {
  engine.configureVector(vector);
  engine.setJudges('touched');
  const watcher = new Watcher(engine, SCENARIOS);
  const every = Math.max(1, programs.length / most);
  const count = Math.min(most, programs.length);
  for (let i = 0; i < count; i++) watcher.watch(programs[Math.floor(i * every)]!);
  return { programs: count, scenarios: watcher.report() };
}

function isReached({ programs }: Reached): boolean {
  return programs > 0;
}

/** Those reached in one line, the others with the program that came nearest. */
export function scenariosText({ programs, scenarios }: ScenarioReport): string[] {
  const reached = scenarios.filter(isReached);
  const told = reached.map(({ name, programs: times }) => `${name} ${times}`);
  const missed = scenarios.filter((one) => !isReached(one));
  return [
    ...wrap(
      `Scenarios, by how many of the ${programs} programs kept for what they reached came to their end: ${told.join('; ') || 'none'}.`,
    ),
    ...missed.flatMap(({ name, milestones, nearest }) => {
      if (!nearest) return wrap(`${name}: never begun (${milestones[0]})`, '  ', '      ');
      const { reached: height, program } = nearest;
      const line = `${name}: ${height} of ${milestones.length}, never "${milestones[height]}"; nearest:`;
      return [...wrap(line, '  ', '      '), ...wrapProgram(program.split('; '), '      ')];
    }),
  ];
}

export function scenariosData({ programs, scenarios }: ScenarioReport) {
  return { programs, scenarios: scenarios.map(({ nearest, ...rest }) => ({ ...rest, nearest: nearest ?? null })) };
}
