// A chart that pointer, keyboard and screen reader can walk along: it is a slider over its points, with the values as its text.
import { useEffect, useId, useRef } from 'preact/hooks';
import { duration } from '../text/numbers.js';
import { type Line, Plot, type PlotData } from './plot.js';

export interface Curve extends Line {
  /** What is told while no point is chosen. */
  readonly whole: string;
}

interface Props {
  readonly title: string;
  /** What there is to see, in words. */
  readonly summary: string;
  readonly x: readonly number[];
  readonly curves: readonly Curve[];
  readonly format: (value: number) => string;
  readonly log: boolean;
  readonly stepped?: boolean;
  /** Index of the chosen point, the same in all charts. */
  readonly at: number | undefined;
  readonly onAt: (index: number | undefined) => void;
}

const PAGE_SHARE = 10;

/** Where a key leads among `count` points; undefined = it is no key of a chart. */
function moved(key: string, at: number, count: number): number | undefined {
  const page = Math.max(1, Math.round(count / PAGE_SHARE));
  const to: Record<string, number> = {
    ArrowRight: at + 1,
    ArrowUp: at + 1,
    ArrowLeft: at - 1,
    ArrowDown: at - 1,
    PageUp: at + page,
    PageDown: at - page,
    Home: 0,
    End: count - 1,
  };
  const next = Object.hasOwn(to, key) ? to[key] : undefined;
  return next === undefined ? undefined : Math.min(count - 1, Math.max(0, next));
}

export function Chart({ title, summary, x, curves, format, log, stepped = false, at, onAt }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const about = useId();
  const point = useRef(onAt);
  point.current = onAt;
  const data: PlotData = { x, lines: curves };
  const shape = JSON.stringify([log, stepped, curves.map(({ label }) => label)]);
  useEffect(() => {
    const made = new Plot(place.current!, data, { log, stepped, format, onPoint: (index) => point.current(index) });
    plot.current = made;
    return () => {
      plot.current = undefined;
      made.destroy();
    };
  }, [shape]);
  useEffect(() => plot.current?.show(data), [x, shape]);
  const seconds = at === undefined ? undefined : x[at];
  useEffect(() => plot.current?.point(seconds), [seconds, shape]);
  const value = (line: Line) => {
    const known = at === undefined ? undefined : line.values[at];
    return known === null || known === undefined ? 'not known' : format(known);
  };
  const last = x.length - 1;
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') onAt(undefined);
    const next = moved(event.key, at ?? last, x.length);
    if (next === undefined) return;
    event.preventDefault();
    onAt(next);
  };
  const told = (text: (curve: Curve) => string) => curves.map((curve) => `${curve.label}: ${text(curve)}`).join(', ');
  return (
    <figure class="chart panel">
      <figcaption>
        <h3>{title}</h3>
        <p class="curves">
          {seconds !== undefined && <span class="quiet">{duration(seconds)}</span>}
          {curves.map((curve) => (
            <span key={curve.label}>
              <i style={{ background: `var(${curve.color})` }} /> {curve.label}{' '}
              <b>{seconds === undefined ? curve.whole : value(curve)}</b>
            </span>
          ))}
        </p>
      </figcaption>
      <div
        ref={place}
        class="plot"
        role="slider"
        tabIndex={0}
        aria-label={title}
        aria-describedby={about}
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={at ?? last}
        aria-valuetext={seconds === undefined ? told(({ whole }) => whole) : `${duration(seconds)}: ${told(value)}`}
        onKeyDown={press}
        onBlur={() => onAt(undefined)}
      />
      <p class="quiet" id={about}>
        {summary}
      </p>
    </figure>
  );
}
