// The machine at one step: page tables as grids, frames as a table, everything else as short lists.
import { useState } from 'preact/hooks';
import type { Block, Count, Fact, FrameRow, MachineView } from './machine.js';

/** What the letters of an entry mean. */
const BITS: Readonly<Record<string, string>> = {
  P: 'present',
  N: 'present, no access (protnone)',
  W: 'writable',
  D: 'dirty',
  A: 'accessed',
  U: 'userfaultfd write-protected',
  SD: 'soft-dirty',
  Z: 'special (zero page)',
  PSE: 'maps a huge page',
  E: 'exclusive',
  UFFD_WP: 'userfaultfd write-protected',
};

/** A frame that the pointer is on: its entries, handles and row are shown together. */
interface Hot {
  readonly hot: number | undefined;
  readonly onHot: (frame: number | undefined) => void;
}

function raw(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`;
}

function describe({ mm, page, span, leaf, text, vma }: Block): string {
  const pages = span === 1 ? `p${page}` : `p${page}..p${page + span - 1}`;
  const bits = leaf.bits.map((bit) => `${bit} ${BITS[bit] ?? ''}`.trim());
  const area = vma.length === 0 ? 'no VMA' : `VMA ${vma.join(' ')}`;
  return `${mm} ${pages}: ${leaf.level} ${raw(leaf.raw)}: ${bits.join(', ') || text}; ${area}`;
}

function Cell({ block, hot, onHot, onTell }: Hot & { block: Block; onTell: (text: string | undefined) => void }) {
  const { leaf, frames, span, page } = block;
  const isHot = hot !== undefined && frames.includes(hot);
  const tell = () => {
    onTell(describe(block));
    onHot(frames[0]);
  };
  const untell = () => {
    onTell(undefined);
    onHot(undefined);
  };
  const marks = [
    `cell ${leaf.kind}`,
    block.changed ? 'changed' : '',
    block.offending ? 'offending' : '',
    isHot ? 'hot' : '',
    block.vma.length === 0 ? 'unmapped' : '',
    span === 8 ? 'whole' : '',
  ];
  const pages = span === 1 ? `p${page}` : `p${page}..p${page + span - 1}`;
  const target = frames.length === 0 ? '' : frames.length === 1 ? `${frames[0]}` : `${frames[0]}..${frames.at(-1)}`;
  const news = `${block.changed ? 'changed: ' : ''}${block.offending ? 'breaks the promise: ' : ''}`;
  const label = `${news}${describe(block)}${target === '' ? '' : `; page frame ${target}`}`;
  return (
    <button
      type="button"
      class={marks.join(' ')}
      style={{ '--span': span }}
      title={describe(block)}
      aria-label={label}
      onMouseEnter={tell}
      onMouseLeave={untell}
      onFocus={tell}
      onBlur={untell}
    >
      <span class="where">
        {pages}
        {leaf.level === 'PTE' ? '' : ` ${leaf.level}`}
      </span>
      {leaf.kind === 'none' && <span class="none">{block.vma.length === 0 ? '' : 'none'}</span>}
      {leaf.kind === 'swap' && <span class="kind">swap {leaf.slot}</span>}
      {leaf.kind === 'marker' && <span class="kind">marker</span>}
      <span class="bits">
        {leaf.bits.map((bit) => (
          <b key={bit} class={`bit bit-${bit}`}>
            {bit}
          </b>
        ))}
      </span>
      {target && <span class="target">→ {target}</span>}
      {block.vma.length > 0 && <span class={block.vmaChanged ? 'vma changed' : 'vma'}>{block.vma.join(' ')}</span>}
    </button>
  );
}

function Counted({ of, name }: { of: Count; name?: (value: number) => string }) {
  const text = name ?? String;
  if (of.before === undefined) return <>{text(of.now)}</>;
  return (
    <mark>
      <s>{text(of.before)}</s> {text(of.now)}
    </mark>
  );
}

function Frame({ row, hot, onHot }: Hot & { row: FrameRow }) {
  const dash = (text: preact.ComponentChildren) => (row.special === undefined ? text : '–');
  const kept = row.flags.filter((flag) => !row.gained.includes(flag));
  const state = row.isFreed ? 'freed' : row.isNew ? 'new' : '';
  return (
    <tr
      class={`${hot === row.frame ? 'hot' : ''} ${row.offending ? 'offending' : ''} ${state}`}
      onMouseEnter={() => onHot(row.frame)}
      onMouseLeave={() => onHot(undefined)}
    >
      <th scope="row">
        {row.frame}
        {state && <em> {state}</em>}
      </th>
      <td>{row.special ?? <Counted of={row.data} name={(step) => (step === 0 ? 'zeroes' : `step ${step}`)} />}</td>
      <td>{dash(<Counted of={row.refs} />)}</td>
      <td>{dash(<Counted of={row.mapcount} />)}</td>
      <td>{dash(<Counted of={row.pins} />)}</td>
      <td class="flags">
        {dash(
          <>
            {kept.join(', ')} {row.gained.length > 0 && <mark>{row.gained.join(', ')}</mark>}{' '}
            {row.lost.length > 0 && (
              <mark>
                <s>{row.lost.join(', ')}</s>
              </mark>
            )}
          </>,
        )}
      </td>
      <td>{row.holders.join(', ')}</td>
    </tr>
  );
}

function Facts({ title, facts, none, hot, onHot }: Hot & { title: string; facts: readonly Fact[]; none: string }) {
  return (
    <section class="facts">
      <h3>{title}</h3>
      {facts.length === 0 ? (
        <p class="quiet">{none}</p>
      ) : (
        <ul>
          {facts.map(({ text, change, frame }) => (
            <li
              key={text}
              class={`${change} ${frame !== undefined && frame === hot ? 'hot' : ''}`}
              onMouseEnter={() => onHot(frame)}
              onMouseLeave={() => onHot(undefined)}
            >
              {change === 'gone' ? <s>{text}</s> : change === 'new' ? <mark>{text}</mark> : text}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function Machine({ view }: { view: MachineView }) {
  const [hot, onHot] = useState<number>();
  const [told, onTell] = useState<string>();
  const share = { hot, onHot };
  return (
    <div class="machine">
      {view.mms.map(({ name, alive, uffd, blocks }) => (
        <section key={name} class={alive ? 'mm' : 'mm dead'} aria-label={`Page tables of ${name}`}>
          <h3>
            mm {name}
            {!alive && <em> does not exist</em>}
            {uffd && <em> userfaultfd open{uffd.length > 0 ? ` (${uffd.join(', ')})` : ''}</em>}
          </h3>
          {alive && (
            <div class="grid">
              {blocks.map((block) => (
                <Cell key={block.page} block={block} {...share} onTell={onTell} />
              ))}
            </div>
          )}
        </section>
      ))}
      <p class="told" aria-hidden="true">
        {told ?? 'Point at an entry for its raw value; at a page for everyone who holds it.'}
      </p>
      <section>
        <h3 id="frames">Page frames</h3>
        {view.frames.length === 0 ? (
          <p class="quiet">none in use</p>
        ) : (
          <div class="wide">
            <table aria-labelledby="frames">
              <thead>
                <tr>
                  {['page', 'data of', 'refs', 'mapcount', 'pins', 'flags', 'held by'].map((head) => (
                    <th key={head} scope="col">
                      {head}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {view.frames.map((row) => (
                  <Frame key={row.frame} row={row} {...share} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <div class="lists">
        <Facts title="GUP handles" facts={view.handles} none="none held" {...share} />
        <Facts title="TLBs" facts={view.tlb} none="empty" {...share} />
        <Facts title="Swap slots" facts={view.swap} none="none in use" {...share} />
        <Facts title="Sleepers" facts={view.sleepers} none="nobody sleeps" {...share} />
      </div>
    </div>
  );
}
