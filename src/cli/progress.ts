// How far a campaign is: a bar on a terminal, a line now and then elsewhere. Always on stderr.
import { Presets, SingleBar } from 'cli-progress';
import type { Progress } from '../campaign/types.js';
import { counted, short } from './output.js';

export interface ProgressView {
  update(progress: Progress, findings: number): void;
  /** A line above the bar. */
  note(text: string): void;
  stop(): void;
}

const LINE_EVERY_MS = 5000;
const BAR_STEPS = 1000;

function status({ programs, faults, seconds, coverage }: Progress, findings: number): string {
  const rate = seconds > 0 ? faults / seconds : 0;
  return [
    `${short(programs)} programs`,
    `${short(rate)} faults/s`,
    `${coverage.points}/${coverage.pointsTotal} branches`,
    `${short(coverage.states)} states`,
    counted(findings, 'finding'),
  ].join(', ');
}

class Bar implements ProgressView {
  readonly #bar = new SingleBar(
    {
      format: '{bar} {percentage}% {status}',
      barsize: 20,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: false,
      stream: process.stderr,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );

  constructor() {
    this.#bar.start(BAR_STEPS, 0, { status: 'starting' });
  }

  update(progress: Progress, findings: number): void {
    this.#bar.update(Math.floor(progress.fraction * BAR_STEPS), { status: status(progress, findings) });
  }

  note(text: string): void {
    const room = (process.stderr.columns ?? 80) - 1;
    const line = text.length > room ? `${text.slice(0, room - 1)}…` : text;
    // The bar goes back to the place that it saved at its start: that is one line further down now (ESC 7 saves).
    process.stderr.write(`\r\x1b[K${line}\n\x1b7`);
    this.#bar.render();
  }

  stop(): void {
    this.#bar.stop();
  }
}

class Lines implements ProgressView {
  #last = 0;

  update(progress: Progress, findings: number): void {
    const now = performance.now();
    if (this.#last !== 0 && now - this.#last < LINE_EVERY_MS) return;
    this.#last = now;
    if (progress.programs > 0) this.note(`${Math.round(progress.seconds)} s: ${status(progress, findings)}`);
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  stop(): void {}
}

function isTerminal(): boolean {
  return process.stderr.isTTY === true && process.env.TERM !== 'dumb';
}

/** One line that the next one replaces; '' removes it. Silent where stderr is no terminal. */
export function statusLine(text: string): void {
  if (isTerminal()) process.stderr.write(`\r\x1b[K${text}`);
}

export function progressView(): ProgressView {
  return isTerminal() ? new Bar() : new Lines();
}
