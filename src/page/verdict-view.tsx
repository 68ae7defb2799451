// The promise, what cures it, and the same program on every kernel.
import type { KernelSpec } from '../engine/types.js';
import { printFlips } from '../findings/cures.js';
import type { KernelVerdict } from '../report/text.js';
import { printSpec } from '../text/id.js';
import { type Analysis, type Session, withFlips } from './session.js';

export function Verdict({ session, onStep }: { session: Session; onStep: (step: number) => void }) {
  const { broken, spec, steps, run } = session;
  if (!broken)
    return (
      <div class="promise kept" data-verdict="">
        <p role="status">
          <strong>✓ Every promise is kept</strong> on {printSpec(spec)}.
        </p>
      </div>
    );
  return (
    <div class="promise broken" data-verdict={broken.slug}>
      <p role="status">
        <strong>✗ {broken.slug}</strong> on {printSpec(spec)}: {broken.sentence}
      </p>
      <p class="statement">
        {broken.statement}
        {run.finalLook && ' Seen only by the final look at every page and handle.'}{' '}
        <button type="button" class="link" onClick={() => onStep(steps.length)}>
          Show step {steps.at(-1)?.number}
        </button>
      </p>
    </div>
  );
}

interface Props {
  readonly session: Session;
  readonly analysis: Analysis | undefined;
  readonly onSpec: (spec: KernelSpec) => void;
}

export function Cures({ session, analysis, onSpec }: Props) {
  const diagnosis = analysis?.diagnosis;
  if (!session.broken) return null;
  return (
    <section class="panel">
      <h2>Cures</h2>
      {!analysis && <p class="quiet">Looking…</p>}
      {diagnosis?.cause.function !== 'none' && diagnosis && (
        <p>
          {diagnosis.cause.leaf ? 'The entry was last set' : 'Decided'} in step {diagnosis.cause.step} by{' '}
          <code>{diagnosis.cause.function}</code>: {diagnosis.cause.decision}.
        </p>
      )}
      {diagnosis && diagnosis.cures.length === 0 && <p>No set of up to three knobs.</p>}
      {diagnosis && diagnosis.cures[0]?.faithful === false && <p>Silenced, though only by refusing an operation:</p>}
      <ul class="cures">
        {diagnosis?.cures.map(({ flips }) => (
          <li key={printFlips(flips)}>
            <button type="button" onClick={() => onSpec(withFlips(session.spec, flips))}>
              Apply
            </button>
            <div>
              {flips.map(({ knob, on }) => (
                <p key={knob.name}>
                  <code>
                    {on ? '+' : '-'}
                    {knob.name}
                  </code>{' '}
                  {on ? '' : 'Without: '}
                  {knob.doc} <em>{knob.source}</em>
                </p>
              ))}
            </div>
          </li>
        ))}
      </ul>
      {analysis?.origin && <p>Came with: {analysis.origin}.</p>}
    </section>
  );
}

function verdictText({ slugs, refused }: KernelVerdict): string {
  if (slugs.length > 0) return `✗ ${slugs[0]}`;
  return refused ? '? refuses an operation' : '✓ kept';
}

export function Kernels({ session, analysis, onSpec }: Props) {
  return (
    <section class="panel everywhere">
      <h2>This program on every kernel</h2>
      {!analysis && <p class="quiet">Running…</p>}
      <ul class="kernels">
        {analysis?.verdicts.map((verdict) => {
          const { kernel, slugs, refused } = verdict;
          const kind = slugs.length > 0 ? 'broken' : refused ? 'unknown' : 'kept';
          return (
            <li key={kernel}>
              <button
                type="button"
                class={kind}
                aria-pressed={kernel === session.spec.kernel}
                onClick={() => onSpec({ kernel, with: [], without: [] })}
              >
                <b>{kernel}</b> <span>{verdictText(verdict)}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
