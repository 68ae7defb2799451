// The program as a timeline: one lane per process, one row per operation; two at once have a lane per thread.
import { MM_NAMES } from '../engine/opword.js';
import type { Outlook } from '../explore/own-prospects.js';
import { decisiveStep } from './outlook.js';
import { Chance, Chances } from './prospect-view.js';
import { Sections } from './sections-view.js';
import type { Item, Session } from './session.js';

interface Props {
  readonly session: Session;
  readonly outlook: Outlook | undefined;
  readonly step: number;
  readonly onStep: (step: number) => void;
}

/** Grid columns (1-based, the first is the number): from and to, both inclusive. */
function columns({ lane, child }: Item, lanes: readonly number[]): [from: number, to: number] {
  if (lane === undefined) return [2, lanes.length + 1];
  const places = [lane, child ?? lane].map((mm) => lanes.indexOf(mm) + 2);
  return [Math.min(...places), Math.max(...places)];
}

function grid(lanes: readonly number[]) {
  return { gridTemplateColumns: `1.6rem repeat(${lanes.length}, minmax(0, 1fr))` };
}

function lanesOf({ lanes }: Session): readonly number[] {
  return lanes.length > 0 ? lanes : [0];
}

function Row({ session, outlook, item, number, step, onStep }: Props & { item: Item; number: number }) {
  const lanes = lanesOf(session);
  const [from, to] = item.ops.length > 1 ? [2, lanes.length + 1] : columns(item, lanes);
  const ran = session.steps[number - 1];
  const sections = session.sections[number - 1] ?? [];
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
        style={grid(lanes)}
      >
        <span class="number">{item.first + 1}</span>
        <span class="text" style={{ gridColumn: `${from} / ${to + 1}` }}>
          <code>{item.text}</code>
          {results.length > 0 && <em>{results.join(', ')}</em>}
          {breaks && <strong class="bad">breaks {session.broken?.slug}</strong>}
          {decisiveStep(outlook) === number && <strong class="decisive">◆ decisive step</strong>}
        </span>
        <Chance outlook={outlook} number={number} />
      </button>
      {sections.length > 0 && ran && <Sections sections={sections} ops={item.ops} results={ran.results} />}
    </li>
  );
}

/** Before the first step: where the bars begin. */
function Start({ session, outlook, step, onStep }: Props) {
  if (!outlook || 'why' in outlook) return null;
  return (
    <li class={`op start ${step === 0 ? 'now' : 'done'}`}>
      <button
        type="button"
        aria-current={step === 0 ? 'step' : undefined}
        onClick={() => onStep(0)}
        style={grid(lanesOf(session))}
      >
        <span class="number">0</span>
        <span class="text start-text">before the first step</span>
        <Chance outlook={outlook} number={0} />
      </button>
    </li>
  );
}

export function Timeline(props: Props) {
  const { session } = props;
  const lanes = lanesOf(session);
  return (
    <div class="timeline">
      <div class="lanes" aria-hidden="true" style={grid(lanes)}>
        <span />
        {lanes.map((mm) => (
          <span key={mm}>{MM_NAMES[mm]}</span>
        ))}
      </div>
      <ol aria-label="Operations of the program">
        <Start {...props} />
        {session.items.map((item, i) => (
          <Row key={item.first} {...props} item={item} number={i + 1} />
        ))}
      </ol>
      <Chances outlook={props.outlook} />
    </div>
  );
}
