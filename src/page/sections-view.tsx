// Two operations at once: one lane each, their sections from top to bottom in the order in which they ran.
import type { Call, SectionCalls } from './calls.js';

/** 1 or 2, as the digits of a schedule. */
export function OpDigit({ op }: { op: 1 | 2 }) {
  return <b class={`digit digit-${op}`}>{op}</b>;
}

/** What it wrote and where it stopped: every decision stands with the step. */
function Gist({ calls }: { calls: readonly Call[] }) {
  const all = calls.flatMap((call) => call.decisions.map((decided) => ({ name: call.function, ...decided })));
  if (all.length === 0) return <p class="quiet">no handler runs</p>;
  const told = all.filter(({ writes }, i) => writes.length > 0 || i === all.length - 1);
  return (
    <ul>
      {told.map(({ name, text, writes }, i) => (
        <li key={`${i} ${text}`}>
          <code>{name}</code> {text}
          {writes.map((write) => (
            <span key={write} class="writes">
              {write}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}

interface Props {
  readonly sections: readonly SectionCalls[];
  /** The two operations as text. */
  readonly ops: readonly string[];
  /** What became of each. */
  readonly results: readonly string[];
}

function Section({ sections, ops, results, at }: Props & { at: number }) {
  const { op, waited, calls } = sections[at]!;
  const other = op === 1 ? 2 : 1;
  const isFirst = !sections.slice(0, at).some((section) => section.op === op);
  const isLast = !sections.slice(at + 1).some((section) => section.op === op);
  const isSwitch = at > 0 && sections[at - 1]!.op !== op;
  const result = results[op - 1];
  return (
    <li class={`section lane-${op}`}>
      {isSwitch && (
        <p class="switch">
          <span aria-hidden="true">{op === 2 ? '→ ' : '← '}</span>switch to <OpDigit op={op} />
        </p>
      )}
      {waited && (
        <p class="quiet">
          it is the turn of <OpDigit op={other} />, which waits for mmap_lock
        </p>
      )}
      <div class="ran">
        <p>
          <OpDigit op={op} /> {isFirst ? 'begins' : 'goes on'} <span class="unseen">{ops[op - 1]}</span>
        </p>
        <Gist calls={calls} />
        {isLast && <p class="quiet">{result === 'ok' ? 'done' : result}</p>}
      </div>
    </li>
  );
}

export function Sections(props: Props) {
  return (
    <div class="sections">
      <div class="heads" aria-hidden="true">
        {props.ops.map((op, i) => (
          <span key={`${i} ${op}`}>
            <OpDigit op={i === 0 ? 1 : 2} /> <code>{op}</code>
          </span>
        ))}
      </div>
      <ol aria-label="Sections in the order in which they ran">
        {props.sections.map((section, at) => (
          <Section key={`${at} ${section.op}`} {...props} at={at} />
        ))}
      </ol>
    </div>
  );
}
