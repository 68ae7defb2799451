// The one place that knows the charting library: curves over time, in the page's colours.
import uPlot from 'uplot';
import { duration } from '../text/numbers.js';

export interface Line {
  readonly label: string;
  /** A custom property of the style sheet. */
  readonly color: string;
  readonly values: readonly (number | null)[];
}

export interface PlotData {
  /** Seconds, rising. */
  readonly x: readonly number[];
  readonly lines: readonly Line[];
}

export interface PlotOptions {
  /** The time axis is logarithmic; then all x are above 0. */
  readonly log: boolean;
  /** Values stay until they change. */
  readonly stepped: boolean;
  readonly format: (value: number) => string;
  /** The pointer is at this point, or has left. */
  readonly onPoint: (index: number | undefined) => void;
}

const HEIGHT = 190;
/** Seconds at which a person would put a mark. */
const MARKS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200,
  14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000,
];
const MARK_SPACE = 52;
const FONT = '12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

/** Marks of a logarithmic axis that do not crowd. */
function logMarks(plot: uPlot, min: number, max: number): number[] {
  const marks: number[] = [];
  let free = Number.NEGATIVE_INFINITY;
  for (const mark of MARKS) {
    if (mark < min || mark > max) continue;
    const left = plot.valToPos(mark, 'x');
    if (left < free) continue;
    marks.push(mark);
    free = left + MARK_SPACE;
  }
  return marks;
}

/** `20.0 k` as `20 k`: a mark is exact. */
function brief(text: string): string {
  return text.replace(/\.(\d*?)0+(?=\D|$)/, (_, digits: string) => (digits === '' ? '' : `.${digits}`));
}

function asData({ x, lines }: PlotData): uPlot.AlignedData {
  return [[...x], ...lines.map(({ values }) => [...values])];
}

/** A chart in an element. It keeps the element's width, and follows the reader's colour scheme. */
export class Plot {
  readonly #plot: uPlot;
  readonly #element: HTMLElement;
  readonly #resized: ResizeObserver;
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  readonly #repaint = () => this.#again(() => this.#plot.redraw(false));
  /** Time that the cursor is on. */
  #chosen: number | undefined;
  /** Nobody moves the pointer: the data, the size or the colours change. */
  #changing = false;

  constructor(element: HTMLElement, data: PlotData, { log, stepped, format, onPoint }: PlotOptions) {
    this.#element = element;
    const color = (name: string) => getComputedStyle(element).getPropertyValue(name);
    const quiet = () => color('--quiet');
    const grid = { stroke: () => color('--line'), width: 1 };
    const axis = { stroke: quiet, grid, ticks: { show: false }, font: FONT };
    const paths = stepped ? uPlot.paths.stepped!({ align: 1 }) : uPlot.paths.linear!();
    this.#plot = new uPlot(
      {
        width: this.#width(),
        height: HEIGHT,
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          drag: { x: false, y: false },
          points: { size: 9, fill: (_, series) => color(data.lines[series - 1]!.color) },
        },
        scales: {
          x: { time: false, distr: log ? 3 : 1, range: (_, min, max) => [min, max > min ? max : min + 1] },
          y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
        },
        axes: [
          {
            ...axis,
            size: 24,
            space: MARK_SPACE,
            values: (_, marks) => marks.map(duration),
            ...(log
              ? { splits: (plot, _, min, max) => logMarks(plot, min, max), filter: (_, marks) => marks }
              : { incrs: MARKS }),
          },
          { ...axis, size: 56, space: 34, values: (_, marks) => marks.map((mark) => brief(format(mark))) },
        ],
        series: [
          {},
          ...data.lines.map(
            (line): uPlot.Series => ({
              label: line.label,
              stroke: () => color(line.color),
              ...(data.lines.length === 1 && { fill: () => color(`${line.color}-area`) }),
              width: 2,
              paths,
              points: { show: false },
            }),
          ),
        ],
        hooks: { setCursor: [({ cursor: { idx } }) => this.#changing || onPoint(idx ?? undefined)] },
      },
      asData(data),
      element,
    );
    this.#resized = new ResizeObserver(() => {
      this.#again(() => this.#plot.setSize({ width: this.#width(), height: HEIGHT }));
    });
    this.#resized.observe(element);
    this.#scheme.addEventListener('change', this.#repaint);
  }

  /** Other values for the same lines. */
  show(data: PlotData): void {
    this.#again(() => this.#plot.setData(asData(data)));
  }

  /** Puts the cursor on a point, or takes it away. */
  point(x: number | undefined): void {
    this.#chosen = x;
    const left = x === undefined ? -10 : this.#plot.valToPos(x, 'x');
    this.#plot.setCursor({ left, top: x === undefined ? -10 : 0 }, false);
  }

  destroy(): void {
    this.#resized.disconnect();
    this.#scheme.removeEventListener('change', this.#repaint);
    this.#plot.destroy();
  }

  /** Draws at once, and puts the cursor where its time is now; taken away before, its point has the colour of now as well. */
  #again(change: () => void): void {
    const chosen = this.#chosen;
    this.#changing = true;
    this.#plot.batch(change);
    this.#changing = false;
    this.point(undefined);
    this.point(chosen);
  }

  #width(): number {
    return Math.max(120, this.#element.clientWidth);
  }
}
