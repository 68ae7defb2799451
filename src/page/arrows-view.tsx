// Arrows over the stage, for the eye alone: who holds what is told in the cards as text too.
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import type { Arrow } from './arrows.js';

interface Line {
  readonly arrow: Arrow;
  readonly curve: string;
  readonly head: string;
}

interface Ends {
  readonly arrow: Arrow;
  readonly from: DOMRect;
  readonly to: DOMRect;
}

/** Half the width of a head, and its length. */
const HEAD = [4, 7] as const;

function line({ arrow, from, to }: Ends, x2: number, origin: DOMRect): Line {
  // Handles stand below what they hold.
  const up = from.top > to.top;
  const x1 = from.left + from.width / 2 - origin.left;
  const y1 = (up ? from.top : from.bottom) - origin.top;
  const y2 = (up ? to.bottom : to.top) - origin.top;
  const sign = up ? -1 : 1;
  const bend = sign * Math.max(14, Math.abs(y2 - y1) / 2);
  const neck = y2 - sign * HEAD[1];
  const point = (x: number, y: number) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  return {
    arrow,
    curve: `M${point(x1, y1)}C${point(x1, y1 + bend)} ${point(x2, neck - bend)} ${point(x2, neck)}`,
    head: `M${point(x2 - HEAD[0], neck)}L${point(x2 + HEAD[0], neck)}L${point(x2, y2)}Z`,
  };
}

/** Arrows that end at one side of one card share it, from left to right as they come. */
function linesOf(stage: HTMLElement, arrows: readonly Arrow[]): Line[] {
  const origin = stage.getBoundingClientRect();
  const places = new Map(
    [...stage.querySelectorAll<HTMLElement>('[data-place]')].map((element) => [
      element.dataset.place,
      element.getBoundingClientRect(),
    ]),
  );
  const ends = arrows.flatMap((arrow): Ends[] => {
    const [from, to] = [places.get(arrow.from), places.get(arrow.to)];
    return from && to ? [{ arrow, from, to }] : [];
  });
  const sides = new Map<string, Ends[]>();
  for (const end of ends) {
    const side = `${end.arrow.to} ${end.from.top > end.to.top}`;
    sides.set(side, [...(sides.get(side) ?? []), end]);
  }
  return [...sides.values()].flatMap((group) => {
    const sorted = group.toSorted((a, b) => a.from.left - b.from.left);
    return sorted.map((end, i) =>
      line(end, end.to.left - origin.left + (end.to.width * (i + 1)) / (sorted.length + 1), origin),
    );
  });
}

interface Props {
  readonly stage: RefObject<HTMLDivElement | null>;
  readonly arrows: readonly Arrow[];
  readonly hot: number | undefined;
}

export function Arrows({ stage, arrows, hot }: Props) {
  const [lines, setLines] = useState<readonly Line[]>([]);
  useLayoutEffect(() => {
    const element = stage.current;
    if (!element) return;
    const draw = () => setLines(linesOf(element, arrows));
    draw();
    const observer = new ResizeObserver(draw);
    for (const one of [element, ...element.querySelectorAll('[data-place]')]) observer.observe(one);
    return () => observer.disconnect();
  }, [stage, arrows]);
  return (
    <svg class="arrows" aria-hidden="true">
      {lines.map(({ arrow, curve, head }) => {
        const { change, writes, offending, frame } = arrow;
        const isHot = hot !== undefined && frame === hot;
        const marks = `arrow ${change} ${writes ? 'writes' : ''} ${offending ? 'offending' : ''} ${isHot ? 'hot' : ''}`;
        return (
          <g key={`${arrow.from} ${arrow.to}`} class={marks} data-from={arrow.from} data-to={arrow.to}>
            <path class="curve" d={curve} />
            <path class="head" d={head} />
          </g>
        );
      })}
    </svg>
  );
}
