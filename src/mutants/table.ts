// All mutants: each place of the model that the transform changed, each cell of the tables, each decision of the newest kernel.
import { type Catalogue, type KnobInfo, type KnobVector, knobOn, withKnob } from '../engine/catalogue.js';
import type { HandlerMutant } from '../transform/mutate.js';
import type { Mutant } from './types.js';

/** What is mutated: of every release, what is flawed there would hide the mutant. */
export const BASE = 'repaired';
/** Word 2 of a kernel vector holds the cells of the tables (assembly/kernel/tables.ts). */
const isCell = ({ id }: KnobInfo) => id >> 6 === 2;

/** Names that stay when lines are added; the second of two that are alike ends in `#2`. */
function handlerNames(places: readonly HandlerMutant[]): string[] {
  const times = new Map<string, number>();
  return places.map(({ file, function: where, before, after }) => {
    const name = `${file.replace(/^.*\//, '')} ${where}: ${before} -> ${after}`;
    const n = (times.get(name) ?? 0) + 1;
    times.set(name, n);
    return n === 1 ? name : `${name} #${n}`;
  });
}

export function handlerMutants(places: readonly HandlerMutant[], vector: KnobVector): Mutant[] {
  const names = handlerNames(places);
  return places.map((place, i) => {
    const file = place.file.replace(/^assembly\//, '');
    return { name: names[i]!, family: 'handler', file, place, id: place.id, vector };
  });
}

function flipped(vector: KnobVector, family: 'tables' | 'knobs', { id, name, doc }: KnobInfo): Mutant {
  const on = !knobOn(vector, id);
  const knob = { name, doc, on };
  return { name: `${on ? '+' : '-'}${name}`, family, file: family, knob, id: 0, vector: withKnob(vector, id, on) };
}

/** Seeded mutants are none of the kernel's, and what the machine is like is no decision. */
export function vectorMutants({ knobs }: Pick<Catalogue, 'knobs'>, vector: KnobVector): Mutant[] {
  const decisions = knobs.filter(({ kind }) => kind !== 'mutant' && kind !== 'environment');
  return [
    ...decisions.filter(isCell).map((knob) => flipped(vector, 'tables', knob)),
    ...decisions.filter((knob) => !isCell(knob)).map((knob) => flipped(vector, 'knobs', knob)),
  ];
}
