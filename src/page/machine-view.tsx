// The machine at one step: page tables above, page frames and swap slots below, arrows between, handles at the bottom.
import { useRef, useState } from 'preact/hooks';
import { Arrows } from './arrows-view.js';
import { Cell, type Hot } from './cell.js';
import { LETTERS } from './entry.js';
import type { Block, Fact, MachineView } from './machine.js';
import { FactText, Handles, Memory } from './memory-view.js';

type MmView = MachineView['mms'][number];

function Tables({ mm, pages, ...share }: Hot & { mm: MmView; pages: readonly number[] }) {
  const { name, alive, uffd, blocks } = mm;
  const covered = ({ page, span }: Block) => pages.filter((used) => used >= page && used < page + span);
  return (
    <section class={alive ? 'mm' : 'mm dead'} aria-label={`Page tables of ${name}`} style={{ '--pages': pages.length }}>
      <h3>
        process {name}
        {!alive && <em> does not exist</em>}
        {uffd && <em> userfaultfd open{uffd.length > 0 ? ` (${uffd.join(', ')})` : ''}</em>}
      </h3>
      {alive && (
        <div class="grid">
          {blocks.map((block) => {
            const [first, ...more] = covered(block);
            if (first === undefined) return null;
            const right = pages.indexOf(first) >= pages.length / 2;
            return <Cell key={block.page} block={block} columns={1 + more.length} right={right} {...share} />;
          })}
        </div>
      )}
    </section>
  );
}

function Facts({ title, facts, hot, onHot }: Hot & { title: string; facts: readonly Fact[] }) {
  if (facts.length === 0) return null;
  return (
    <section class="facts">
      <h3>{title}</h3>
      <ul>
        {facts.map((fact) => (
          <li
            key={fact.text}
            class={`${fact.offending ? 'offending' : ''} ${fact.frame !== undefined && fact.frame === hot ? 'hot' : ''}`}
            onMouseEnter={() => onHot(fact.frame)}
            onMouseLeave={() => onHot(undefined)}
          >
            <FactText fact={fact} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What the letters in sight mean. */
function Legend({ mms }: { mms: readonly MmView[] }) {
  const seen = new Set(mms.flatMap(({ blocks }) => blocks.flatMap(({ leaf }) => leaf.bits)));
  const letters = Object.entries(LETTERS).filter(([letter]) => seen.has(letter));
  return (
    <p class="legend">
      {letters.map(([letter, text]) => (
        <span key={letter}>
          <b class={`bit bit-${letter}`}>{letter === 'UFFD_WP' ? 'uffd-wp' : letter}</b> {text}
        </span>
      ))}
      <span class="wide-only">
        <mark>Yellow</mark> is what the step changed; a thick arrow leaves a writable entry, a dashed one has gone.
      </span>
    </p>
  );
}

export function Machine({ view }: { view: MachineView }) {
  const [hot, onHot] = useState<number>();
  const stage = useRef<HTMLDivElement>(null);
  const share = { hot, onHot };
  return (
    <div class="machine">
      <div class="stage" ref={stage}>
        <Arrows stage={stage} arrows={view.arrows} hot={hot} />
        <div class="tables">
          {view.mms.map((mm) => (
            <Tables key={mm.name} mm={mm} pages={view.pages} {...share} />
          ))}
        </div>
        <Memory frames={view.frames} swap={view.swap} {...share} />
        <Handles handles={view.handles} {...share} />
      </div>
      <div class="lists">
        <Facts title="TLBs" facts={view.tlb} {...share} />
        <Facts title="Sleepers" facts={view.sleepers} {...share} />
      </div>
      <Legend mms={view.mms} />
    </div>
  );
}
