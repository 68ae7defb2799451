// The program as a timeline: one lane per process, one row per operation.
import { MM_NAMES } from '../engine/opword.js';
import type { Item, Session } from './session.js';

interface Props {
  readonly session: Session;
  readonly step: number;
  readonly onStep: (step: number) => void;
}

/** Grid columns (1-based, the first is the number): from and to, both inclusive. */
function columns({ lane, child }: Item, lanes: readonly number[]): [from: number, to: number] {
  if (lane === undefined) return [2, lanes.length + 1];
  const places = [lane, child ?? lane].map((mm) => lanes.indexOf(mm) + 2);
  return [Math.min(...places), Math.max(...places)];
}

function Row({ session, item, number, step, onStep }: Props & { item: Item; number: number }) {
  const lanes = session.lanes.length > 0 ? session.lanes : [0];
  const [from, to] = columns(item, lanes);
  const ran = session.steps[number - 1];
  const breaks = session.broken !== undefined && number === session.steps.length;
  const results = ran ? ran.results.filter((result) => result !== 'ok') : ['not reached'];
  const state = number === step ? 'now' : number < step ? 'done' : 'ahead';
  return (
    <li class={`op ${state} ${ran ? '' : 'unreached'} ${breaks ? 'breaks' : ''}`}>
      <button
        type="button"
        disabled={!ran}
        aria-current={number === step ? 'step' : undefined}
        title={item.doc}
        onClick={() => onStep(number)}
        style={{ gridTemplateColumns: `1.6rem repeat(${lanes.length}, minmax(0, 1fr))` }}
      >
        <span class="number">{item.first + 1}</span>
        <span class="text" style={{ gridColumn: `${from} / ${to + 1}` }}>
          <code>{item.text}</code>
          {results.length > 0 && <em>{results.join(', ')}</em>}
          {breaks && <strong class="bad">breaks {session.broken?.slug}</strong>}
        </span>
      </button>
    </li>
  );
}

export function Timeline(props: Props) {
  const { session } = props;
  const lanes = session.lanes.length > 0 ? session.lanes : [0];
  return (
    <div class="timeline">
      <div
        class="lanes"
        aria-hidden="true"
        style={{ gridTemplateColumns: `1.6rem repeat(${lanes.length}, minmax(0, 1fr))` }}
      >
        <span />
        {lanes.map((mm) => (
          <span key={mm}>{MM_NAMES[mm]}</span>
        ))}
      </div>
      <ol aria-label="Operations of the program">
        {session.items.map((item, i) => (
          <Row key={item.first} {...props} item={item} number={i + 1} />
        ))}
      </ol>
    </div>
  );
}
