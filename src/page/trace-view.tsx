// What the handler did in one step, and what it does with the best cure.
import type { Catalogue } from '../engine/catalogue.js';
import { printFlips } from '../findings/cures.js';
import { type Call, callsOf, partingDecision } from './calls.js';
import { OpDigit } from './sections-view.js';
import type { Analysis, Session } from './session.js';

function Tree({ calls, parting, label }: { calls: readonly Call[]; parting: number | undefined; label: string }) {
  let index = 0;
  if (calls.length === 0) return <p class="quiet">No handler runs.</p>;
  return (
    <ul class="tree" aria-label={label}>
      {calls.map((call, c) => (
        <li key={`${c} ${call.function}`}>
          {call.op && call.op !== calls[c - 1]?.op && (
            <p class="turn">
              <OpDigit op={call.op} /> runs
            </p>
          )}
          <code>{call.function}</code>
          <ul>
            {call.decisions.map(({ text, times, writes }) => {
              const here = index++;
              return (
                <li key={here} class={here === parting ? 'parts' : ''}>
                  {text}
                  {times > 1 && <em> ×{times}</em>}
                  {here === parting && <strong> here they part</strong>}
                  {writes.length > 0 && (
                    <ul class="writes">
                      {writes.map((write, i) => (
                        <li key={`${i} ${write}`}>{write}</li>
                      ))}
                    </ul>
                  )}
                </li>
              );
            })}
          </ul>
        </li>
      ))}
    </ul>
  );
}

interface Props {
  readonly session: Session;
  readonly analysis: Analysis | undefined;
  readonly catalogue: Catalogue;
  readonly step: number;
  readonly onStep: (step: number) => void;
}

/** Number of the first step in which the cured kernel decides otherwise. */
function partingStep({ session, analysis, catalogue }: Props): number | undefined {
  const cured = analysis?.cured;
  if (!cured) return undefined;
  const found = session.run.steps.findIndex((step, i) => {
    const other = cured.run.steps[i];
    return partingDecision(callsOf(step.trace, catalogue), callsOf(other?.trace ?? [], catalogue)) !== undefined;
  });
  return found < 0 ? undefined : found + 1;
}

export function Trace(props: Props) {
  const { session, analysis, catalogue, step, onStep } = props;
  const made = session.run.steps[step - 1];
  const told = session.steps[step - 1];
  const calls = made ? callsOf(made.trace, catalogue) : [];
  const cured = analysis?.cured;
  const other = cured && callsOf(cured.run.steps[step - 1]?.trace ?? [], catalogue);
  const parting = other && partingDecision(calls, other);
  const first = partingStep(props);
  return (
    <section class="trace panel">
      <h2>{told ? `Step ${told.number}: ${told.text}` : 'Before the first step'}</h2>
      {told && told.events.length > 0 && (
        <ul class="events" aria-label="Seen from outside">
          {told.events.map((event, i) => (
            <li key={`${i} ${event}`}>{event}</li>
          ))}
        </ul>
      )}
      {made && <Tree calls={calls} parting={parting} label="Decisions of the handler" />}
      {cured && made && other && (
        <div class="cured">
          <h3>
            With <code>{printFlips(cured.flips)}</code>
          </h3>
          {parting === undefined ? (
            <p class="quiet">The same in this step.</p>
          ) : (
            <Tree calls={other} parting={parting} label="Decisions with the cure" />
          )}
          {first !== undefined && first !== step && (
            <button type="button" class="link" onClick={() => onStep(first)}>
              They part ways in step {session.steps[first - 1]?.number}
            </button>
          )}
        </div>
      )}
    </section>
  );
}
