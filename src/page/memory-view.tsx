// What entries and handles refer to: page frames and swap slots as cards, and the handles themselves.
import { COMMON_VERSION } from '../engine/opword.js';
import { place } from './arrows.js';
import { Badge, type Hot } from './cell.js';
import type { Count, Fact, FrameRow } from './machine.js';

/** Of a page that has just come or gone, the number alone. */
function countOf(row: FrameRow, of: Count): Count {
  return row.isNew || row.isFreed ? { now: of.now } : of;
}

function Counted({ of, name = String }: { of: Count; name?: (value: number) => string }) {
  if (of.before === undefined) return <>{name(of.now)}</>;
  return (
    <mark>
      <s>{name(of.before)}</s> {name(of.now)}
    </mark>
  );
}

function Flags({ row: { flags, isNew, isFreed, ...row } }: { row: FrameRow }) {
  const [gained, lost] = isNew || isFreed ? [[], []] : [row.gained, row.lost];
  const kept = flags.filter((flag) => !gained.includes(flag) && flag !== 'compound');
  return (
    <>
      {kept.join(', ')} {gained.length > 0 && <mark>{gained.join(', ')}</mark>}{' '}
      {lost.length > 0 && (
        <mark>
          <s>{lost.join(', ')}</s>
        </mark>
      )}
    </>
  );
}

function dataName(step: number): string {
  if (step === COMMON_VERSION) return 'the shared value';
  return step === 0 ? 'zeroes' : `data of step ${step}`;
}

function Data({ row }: { row: FrameRow }) {
  return (
    <p class="data">
      <Counted of={countOf(row, row.data)} name={dataName} />
    </p>
  );
}

function Counts({ row, own = true }: { row: FrameRow; own?: boolean }) {
  return (
    <p class="counts">
      <span>
        refs <Counted of={countOf(row, row.refs)} />
      </span>{' '}
      {own && (
        <span>
          mapcount <Counted of={countOf(row, row.mapcount)} />
        </span>
      )}{' '}
      {(row.pins.now > 0 || row.pins.before !== undefined) && (
        <span>
          pins <Counted of={countOf(row, row.pins)} />
        </span>
      )}
    </p>
  );
}

function stateOf(row: FrameRow): string {
  if (row.special !== undefined) return row.isFreed ? 'unused' : '';
  return row.isFreed ? 'freed' : row.isNew ? 'new' : '';
}

function marksOf(row: FrameRow, hot: number | undefined): string {
  return `${stateOf(row)} ${row.offending ? 'offending' : ''} ${hot === row.frame ? 'hot' : ''}`;
}

function Title({ row }: { row: FrameRow }) {
  const state = stateOf(row);
  return (
    <h4>
      {row.special ?? (
        <>
          page <Badge frame={row.frame} />
        </>
      )}
      {state && <em> {state}</em>}
    </h4>
  );
}

function Held({ by }: { by: readonly string[] }) {
  return <p class="held">held by {by.join(', ') || 'nobody'}</p>;
}

function Frame({ row, hot, onHot }: Hot & { row: FrameRow }) {
  return (
    <li
      class={`frame ${marksOf(row, hot)}`}
      data-place={place.frame(row.frame)}
      onMouseEnter={() => onHot(row.frame)}
      onMouseLeave={() => onHot(undefined)}
    >
      <Title row={row} />
      {row.special === undefined && (
        <>
          <Data row={row} />
          <Counts row={row} />
          <p class="flags">
            <Flags row={row} />
          </p>
        </>
      )}
      <Held by={row.holders} />
    </li>
  );
}

/** A huge page: counted as a whole, with data of its own in every page. */
function HugePage({ rows, hot, onHot }: Hot & { rows: readonly FrameRow[] }) {
  const [first] = rows;
  return (
    <li class="frame huge" data-place={place.huge(first!.head!)}>
      <h4>
        pages <Badge frame={first!.frame} last={rows.at(-1)!.frame} /> <em>one huge page</em>
      </h4>
      <Counts row={first!} own={false} />
      <ul>
        {rows.map((row) => (
          <li
            key={row.frame}
            class={`frame ${marksOf(row, hot)}`}
            data-place={place.frame(row.frame)}
            onMouseEnter={() => onHot(row.frame)}
            onMouseLeave={() => onHot(undefined)}
          >
            <Title row={row} />
            <Data row={row} />
            <p class="counts">
              mapcount <Counted of={countOf(row, row.mapcount)} />
            </p>
            <p class="flags">
              <Flags row={row} />
            </p>
            <Held by={row.holders} />
          </li>
        ))}
      </ul>
    </li>
  );
}

/** Pages by themselves, and those of one huge page together. */
function grouped(rows: readonly FrameRow[]): FrameRow[][] {
  const groups: FrameRow[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last && row.head !== undefined && last[0]!.head === row.head) last.push(row);
    else groups.push([row]);
  }
  return groups;
}

/** What stands now, and what has gone with the step; what has only changed is not gone. */
function standing(facts: readonly Fact[]): Fact[] {
  return facts.filter(({ change, id }) => change !== 'gone' || !facts.some((f) => f.change !== 'gone' && f.id === id));
}

export function FactText({ fact: { text, change } }: { fact: Fact }) {
  if (change === 'same') return text;
  return change === 'gone' ? <s>{text}</s> : <mark>{text}</mark>;
}

export function Memory({ frames, swap, ...share }: Hot & { frames: readonly FrameRow[]; swap: readonly Fact[] }) {
  const groups = grouped(frames);
  const slots = standing(swap);
  return (
    <section aria-label="Page frames and swap slots">
      {groups.length + slots.length === 0 && <p class="quiet nothing">No page frame is in use.</p>}
      <ul class="memory">
        {groups.map((rows) =>
          rows[0]!.head === undefined ? (
            <Frame key={rows[0]!.frame} row={rows[0]!} {...share} />
          ) : (
            <HugePage key={`huge ${rows[0]!.frame}`} rows={rows} {...share} />
          ),
        )}
        {slots.map((fact) => (
          <li key={`slot ${fact.id}`} class={`frame slot ${fact.change}`} data-place={place.slot(fact.id!)}>
            <h4>swap</h4>
            <p>
              <FactText fact={fact} />
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Handles({ handles, hot, onHot }: Hot & { handles: readonly Fact[] }) {
  const shown = standing(handles);
  if (shown.length === 0) return null;
  return (
    <section aria-label="GUP handles">
      <ul class="handles">
        {shown.map((fact) => (
          <li
            key={fact.id}
            class={`handle ${fact.change} ${fact.offending ? 'offending' : ''} ${fact.frame === hot && hot !== undefined ? 'hot' : ''}`}
            data-place={place.handle(fact.id!)}
            onMouseEnter={() => onHot(fact.frame)}
            onMouseLeave={() => onHot(undefined)}
          >
            <b>GUP handle</b> <FactText fact={fact} />
          </li>
        ))}
      </ul>
    </section>
  );
}
