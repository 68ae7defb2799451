// One entry of a page table: its kind and bits at a glance, the raw value with every bit named on demand.
import { useState } from 'preact/hooks';
import { place } from './arrows.js';
import { type Field, fieldsOf, rawText } from './entry.js';
import type { Block } from './machine.js';

/** A frame that the pointer is on: its entries, handles and card are shown together. */
export interface Hot {
  readonly hot: number | undefined;
  readonly onHot: (frame: number | undefined) => void;
}

/** A frame's number in its colour, the same wherever the frame is named. */
export function Badge({ frame, last = frame }: { frame: number; last?: number }) {
  return <b class={`badge hue-${frame % 8}`}>{frame === last ? frame : `${frame}..${last}`}</b>;
}

function pagesText({ page, span }: Block): string {
  return span === 1 ? `p${page}` : `p${page}..p${page + span - 1}`;
}

function fieldText({ bits, letters, text }: Field): string {
  return [bits.includes('.') ? 'bits' : 'bit', bits, ...letters, text].join(' ');
}

const KINDS = {
  none: 'no entry',
  present: 'present',
  swap: 'swap entry',
  migration: 'migration entry',
  marker: 'marker',
} as const;

function describe(block: Block): string {
  const { mm, leaf, vma } = block;
  const kind = leaf.kind === 'none' ? '' : `${KINDS[leaf.kind]}, `;
  const fields = fieldsOf(leaf).map(fieldText).join(', ') || KINDS.none;
  return `${mm} ${pagesText(block)}: ${leaf.level} ${kind}${rawText(leaf.raw)}: ${fields}; ${vmaText(vma)}`;
}

function vmaText(vma: readonly string[]): string {
  return vma.length === 0 ? 'no VMA' : `VMA ${vma.join(' ')}`;
}

/** What stands beside the entry while it has the pointer or the focus. */
function Raw({ block, right }: { block: Block; right: boolean }) {
  const { mm, leaf, vma } = block;
  const fields = fieldsOf(leaf);
  return (
    <div class={right ? 'raw right' : 'raw'} aria-hidden="true">
      <p>
        <b>
          {mm} {pagesText(block)}
        </b>{' '}
        {leaf.level}, {KINDS[leaf.kind]}
      </p>
      <code>{rawText(leaf.raw)}</code>
      <ul>
        {fields.map(({ bits, letters, text }) => (
          <li key={bits}>
            <span>{bits}</span>
            {letters.map((letter) => (
              <b key={letter} class={`bit bit-${letter}`}>
                {letter}
              </b>
            ))}{' '}
            {text}
          </li>
        ))}
      </ul>
      <p class="quiet">{vmaText(vma)}</p>
    </div>
  );
}

function Kind({ block }: { block: Block }) {
  const { leaf, vma } = block;
  if (leaf.kind === 'none') return <span class="none">{vma.length === 0 ? 'not mapped' : 'no entry'}</span>;
  if (leaf.kind === 'swap') return <span class="kind">swap entry</span>;
  if (leaf.kind === 'marker') return <span class="kind">marker</span>;
  if (leaf.kind === 'migration') return <span class="kind">migration</span>;
  return leaf.level === 'PTE' ? null : <span class="kind">huge {leaf.level}</span>;
}

function Target({ block: { leaf, frames, special } }: { block: Block }) {
  if (leaf.slot !== undefined) return <span class="target">→ slot {leaf.slot}</span>;
  if (special !== undefined) return <span class="target">→ {special}</span>;
  if (frames.length === 0) return null;
  return (
    <span class="target">
      → <Badge frame={frames[0]!} last={frames.at(-1)!} />
    </span>
  );
}

interface Props extends Hot {
  readonly block: Block;
  /** Columns of the grid. */
  readonly columns: number;
  /** In the right half of its row. */
  readonly right: boolean;
}

export function Cell({ block, columns, right, hot, onHot }: Props) {
  const [open, setOpen] = useState(false);
  const { leaf, frames } = block;
  const show = () => {
    setOpen(true);
    onHot(frames[0]);
  };
  const hide = () => {
    setOpen(false);
    onHot(undefined);
  };
  const marks = [
    `cell ${leaf.kind}`,
    block.changed ? 'changed' : '',
    block.offending ? 'offending' : '',
    hot !== undefined && frames.includes(hot) ? 'hot' : '',
    block.vma.length === 0 && leaf.kind === 'none' ? 'unmapped' : '',
  ];
  const news = `${block.changed ? 'changed: ' : ''}${block.offending ? 'breaks the promise: ' : ''}`;
  return (
    <div class="place" style={{ '--span': columns }}>
      <button
        type="button"
        class={marks.join(' ')}
        data-place={place.entry(block.mm, block.page)}
        aria-label={`${news}${describe(block)}`}
        onMouseEnter={show}
        onMouseLeave={hide}
        onFocus={show}
        onBlur={hide}
        onClick={show}
        onKeyDown={(event) => event.key === 'Escape' && hide()}
      >
        <span class="where">{pagesText(block)}</span>
        <Kind block={block} />
        <span class="bits">
          {leaf.bits.map((bit) => (
            <b key={bit} class={`bit bit-${bit}`}>
              {bit === 'UFFD_WP' ? 'uffd-wp' : bit}
            </b>
          ))}
        </span>
        <Target block={block} />
        {block.vma.length > 0 && (
          <span class={block.vmaChanged ? 'vma changed' : 'vma'}>VMA {block.vma.join(' ')}</span>
        )}
      </button>
      {open && <Raw block={block} right={right} />}
    </div>
  );
}
