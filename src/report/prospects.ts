// How a bug comes about, as a table: distance and probability after each step, with a bar.
import type { Prospect, Prospects } from '../explore/inevitable.js';
import { COLUMNS, wrap } from './layout.js';

const BAR = 20;
const NUMBERS = '  steps  probability  '.length;

/** `12 %`, `0.19 %`, `< 0.01 %`. */
export function percent({ probability }: Prospect): string {
  const value = 100 * probability;
  if (value === 0) return '0 %';
  if (value < 0.01) return '< 0.01 %';
  if (value > 99.9 && value < 100) return '> 99.9 %';
  return value >= 10 ? `${Math.round(value)} %` : `${Number(value.toPrecision(2))} %`;
}

/** One row per step and one for the start; the step by which the probability rose most is marked. */
export function prospectsText({ horizon, steps, decisive }: Prospects): string[] {
  const names = steps.map(({ step, text }) => `${String(step).padStart(3)}. ${step === 0 ? '(empty)' : text}`);
  const mark = '  <<';
  const width = Math.min(Math.max(...names.map(({ length }) => length)), COLUMNS - NUMBERS - BAR - mark.length);
  const rows = steps.map((prospect, i) => {
    const { step, distance, probability } = prospect;
    const near = distance === undefined ? `> ${horizon}` : String(distance);
    const last = step === steps.length - 1;
    const name = names[i]!.length > width ? `${names[i]!.slice(0, width - 3)}...` : names[i]!;
    const numbers = `  ${near.padStart(5)}  ${(last ? 'broken' : percent(prospect)).padStart(11)}  `;
    const bar = '#'.repeat(Math.round(BAR * probability));
    return `${name.padEnd(width)}${numbers}${bar}${step === decisive ? mark : ''}`.trimEnd();
  });
  const most = decisive === undefined ? '' : ' (<< where that rose most)';
  const random = `how likely a random program of the scope still met it within ${horizon} steps${most}`;
  const told = `What was left after each step: the steps to the violation, and ${random}.`;
  return [...wrap(told), `${' '.repeat(width)}  steps  probability`, ...rows];
}
