// "Fuzz here": the fuzzer in a worker of this page, on the kernel that is chosen, until a promise breaks.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Catalogue } from '../engine/catalogue.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { printSpec } from '../text/id.js';
import { parseSeed } from '../text/seed.js';
import type { Found, HuntProgress } from './hunt.js';
import { commandText, counted, foundText, number, standText, worthText } from './hunt-text.js';
import { type HuntControls, type HuntState, useHunt } from './use-hunt.js';

/** Progress is shown all the time, and said so often. */
const SAY_EVERY_S = 30;

interface Props {
  readonly catalogue: Catalogue;
  readonly program: string;
  readonly spec: KernelSpec;
  readonly onShow: (program: string, spec: KernelSpec) => void;
}

function problem(make: () => unknown): string | undefined {
  try {
    make();
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

export function FuzzHere({ catalogue, program, spec, onShow }: Props) {
  const [seed, setSeed] = useState('1');
  const [hunt, controls] = useHunt();
  const { phase } = hunt;
  const here = hunt.spec !== undefined && printSpec(hunt.spec) === printSpec(spec);
  const wrong = problem(() => catalogue.vector(spec)) ?? problem(() => parseSeed(seed));
  // Another kernel is another search.
  useEffect(() => {
    if (!here) controls.stop();
  }, [here, controls]);
  useFirst(hunt, here, onShow);
  const start = () => {
    const number = parseSeed(seed).toString();
    setSeed(number);
    controls.start(spec, number);
  };
  return (
    <section class="panel hunt" aria-label="Fuzz here" data-phase={phase}>
      <div class="bar">
        <Main hunt={hunt} again={here && seed === hunt.seed} blocked={wrong} controls={controls} start={start} />
        <label>
          Seed{' '}
          <input
            id="seed"
            inputmode="numeric"
            spellcheck={false}
            autocapitalize="off"
            value={seed}
            disabled={phase === 'running' || phase === 'stopping'}
            aria-invalid={problem(() => parseSeed(seed)) !== undefined}
            onInput={(event) => setSeed(event.currentTarget.value)}
          />
        </label>
        <p class="stand" role="status">
          {wrong ?? standText(hunt, printSpec(spec))}
        </p>
      </div>
      {hunt.progress && <Counts progress={hunt.progress} />}
      <Causes hunt={hunt} program={program} here={here} onShow={onShow} />
      {hunt.progress && hunt.spec && phase === 'resting' && (
        <div class="quiet">
          {hunt.findings.length === 0 && <p>{worthText(hunt.progress)}</p>}
          <p>
            The same on all cores of a machine: <code>{commandText(hunt.spec, hunt.seed ?? '')}</code>
          </p>
        </div>
      )}
      {hunt.progress && <Aloud progress={hunt.progress} />}
    </section>
  );
}

/** Puts the first finding of a hunt into the editor, if the page is still about its kernel. */
function useFirst({ findings, spec }: HuntState, here: boolean, onShow: Props['onShow']): void {
  const [first] = findings;
  const shown = useRef(false);
  useEffect(() => {
    if (!first) shown.current = false;
    else if (!shown.current) {
      shown.current = true;
      if (here && spec) onShow(first.program, spec);
    }
  }, [first, here, spec, onShow]);
}

interface MainProps {
  readonly hunt: HuntState;
  /** The hunt is about what is chosen now. */
  readonly again: boolean;
  readonly blocked: string | undefined;
  readonly controls: HuntControls;
  readonly start: () => void;
}

/** One button, so that the focus stays where it is. */
function Main({ hunt: { phase }, again, blocked, controls, start }: MainProps) {
  const [sign, text, act] =
    phase === 'running' || phase === 'stopping'
      ? ['■', 'Stop', controls.stop]
      : phase === 'resting' && again
        ? ['▶', 'Keep looking', controls.more]
        : ['▶', 'Fuzz here', start];
  return (
    <button type="button" class="main" disabled={phase === 'stopping' || blocked !== undefined} onClick={act}>
      <span aria-hidden="true">{sign}</span> {text}
    </button>
  );
}

function Counts({ progress }: { progress: HuntProgress }) {
  const { programs, ops, faults, seconds, coverage } = progress;
  const share = coverage.points / coverage.pointsTotal;
  const shown: [string, string][] = [
    [number(programs), 'programs'],
    [number(ops), 'operations'],
    [number(faults), 'page faults'],
    [seconds > 0 ? number(faults / seconds) : '0', 'faults a second'],
    [`${coverage.points} / ${coverage.pointsTotal}`, 'handler branches'],
    [number(coverage.states), 'states seen'],
  ];
  return (
    <dl class="tally" style={{ '--share': `${Math.round(100 * share)}%` }}>
      {shown.map(([value, name]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface CausesProps {
  readonly hunt: HuntState;
  readonly program: string;
  readonly here: boolean;
  readonly onShow: Props['onShow'];
}

function Causes({ hunt: { findings, spec, progress, reducing }, program, here, onShow }: CausesProps) {
  if (!spec) return null;
  const waiting = progress?.waiting ?? 0;
  return (
    <>
      {findings.length > 0 && (
        <h3>
          What breaks on {printSpec(spec)}: {counted(findings.length, 'cause')}
        </h3>
      )}
      <ol class="hunt-causes">
        {findings.map((found) => (
          <li key={found.id}>
            <Cause found={found} shown={here && found.program === program} show={() => onShow(found.program, spec)} />
          </li>
        ))}
      </ol>
      <p class="quiet work">
        {reducing !== undefined && `Reducing a program of ${counted(reducing, 'operation')}. `}
        {waiting > 1 && `${counted(waiting, 'failing program')} wait to be reduced.`}
      </p>
    </>
  );
}

function Cause({ found, shown, show }: { found: Found; shown: boolean; show: () => void }) {
  return (
    <button type="button" aria-pressed={shown} onClick={show}>
      <b>✗ {found.slug}</b>
      <code>
        {found.program.split('; ').map((op, i, { length }) => (
          <i key={i}>{`${op}${i < length - 1 ? '; ' : ''}`}</i>
        ))}
      </code>
      <span>
        {foundText(found)}
        {found.cure !== '' && (
          <>
            ; cured by <code>{found.cure}</code>
          </>
        )}
      </span>
    </button>
  );
}

/** For screen readers: how far it is, now and then. */
function Aloud({ progress: { programs, seconds } }: { progress: HuntProgress }) {
  const [said, say] = useState('');
  const turn = Math.floor(seconds / SAY_EVERY_S);
  const latest = useRef(programs);
  latest.current = programs;
  useEffect(() => {
    if (turn > 0) say(`${counted(latest.current, 'program')} so far`);
  }, [turn]);
  return (
    <p class="aloud" role="status">
      {said}
    </p>
  );
}
