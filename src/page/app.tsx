// The page: its state is the fragment of the address, everything shown follows from it.
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import type { Boot } from './boot.js';
import { Copy } from './copy.js';
import { CopyC } from './copy-c.js';
import { Editor } from './editor.js';
import { Findings } from './findings-view.js';
import { FuzzHere } from './fuzz-here.js';
import { machineAt } from './machine.js';
import { Machine } from './machine-view.js';
import { outlookFor } from './outlook.js';
import { Player } from './player.js';
import { type Analysis, analyse, jsonText, mailText, type Session, startSession } from './session.js';
import { fromFragment, type Shown, toFragment } from './state.js';
import { Timeline } from './timeline.js';
import { Trace } from './trace-view.js';
import { Cures, Kernels, Verdict } from './verdict-view.js';

interface Props {
  readonly engine: Engine;
  readonly boot: Boot;
}

type Attempt = { readonly session: Session } | { readonly error: string };

function attempt(engine: Engine, { program, spec }: Shown): Attempt {
  try {
    return { session: startSession(engine, program, spec) };
  } catch (error) {
    if (error instanceof UsageError) return { error: error.message };
    throw error;
  }
}

function initial({ findings, gallery }: Boot): Shown {
  const [first] = [...findings, ...gallery];
  if (!first) throw new Error('a page needs a program to begin with');
  return { program: first.program, spec: first.spec };
}

/** The fragment is the state: links, reload and the back button work by themselves. */
function useShown(boot: Boot): [Shown, (shown: Shown) => void] {
  const [shown, setShown] = useState(() => fromFragment(location.hash) ?? initial(boot));
  useEffect(() => {
    const follow = () => setShown(fromFragment(location.hash) ?? initial(boot));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, [boot]);
  const show = useCallback((next: Shown) => {
    history.replaceState(null, '', toFragment(next));
    setShown(next);
  }, []);
  return [shown, show];
}

/** Shows something else than the person was at: the back button returns to that. */
function visit(program: string, spec: KernelSpec): void {
  location.hash = toFragment({ program, spec });
}

/** The slow part comes when the first picture stands. */
function useAnalysis(engine: Engine, session: Session | undefined): Analysis | undefined {
  const [known, setKnown] = useState<{ session: Session; analysis: Analysis }>();
  useEffect(() => {
    if (!session) return;
    const timer = setTimeout(() => setKnown({ session, analysis: analyse(engine, session) }), 60);
    return () => clearTimeout(timer);
  }, [engine, session]);
  return known?.session === session ? known?.analysis : undefined;
}

export function App({ engine, boot }: Props) {
  const [shown, show] = useShown(boot);
  const { program } = shown;
  const key = JSON.stringify([program, shown.spec]);
  const tried = useMemo(() => attempt(engine, shown), [engine, key]);
  const session = 'session' in tried ? tried.session : undefined;
  const analysis = useAnalysis(engine, session);
  const steps = session?.steps.length ?? 0;
  const step = Math.min(shown.step ?? steps, steps);
  const view = useMemo(() => session && machineAt(session, step), [session, step]);
  const onStep = (next: number) => show({ ...shown, step: next });
  const onSpec = (spec: KernelSpec) => show({ program, spec });
  return (
    <>
      <header>
        <h1>{boot.title}</h1>
        <div class="copies">
          {boot.story && <a href="#overview">← Overview</a>}
          <Copy label="Copy link" text={() => location.href} />
          {session && <Copy label="Copy mail text" text={() => mailText(engine, session)} />}
          {session && <CopyC key={key} engine={engine} session={session} />}
          {session && <Copy label="Copy JSON" text={() => jsonText(engine, session)} />}
        </div>
      </header>
      <main>
        <Findings findings={boot.findings} shown={shown} onChoose={show} />
        {session && <Verdict session={session} onStep={onStep} />}
        <Editor
          boot={boot}
          catalogue={engine.catalogue}
          program={program}
          spec={shown.spec}
          error={'error' in tried ? tried.error : undefined}
          onChange={(text, spec) => show({ program: text, spec })}
        />
        <FuzzHere catalogue={engine.catalogue} program={program} spec={shown.spec} onShow={visit} />
        {session && view && (
          <div class="columns">
            <section class="panel program" aria-label="Timeline">
              <Player step={step} steps={steps} onStep={onStep} />
              <Timeline session={session} outlook={outlookFor(boot, session)} step={step} onStep={onStep} />
            </section>
            <section class="panel state" aria-label="The machine at this step">
              <Machine view={view} />
            </section>
            <div class="why">
              <Trace session={session} analysis={analysis} catalogue={engine.catalogue} step={step} onStep={onStep} />
              <Cures session={session} analysis={analysis} onSpec={onSpec} />
            </div>
            <Kernels session={session} analysis={analysis} onSpec={onSpec} />
          </div>
        )}
      </main>
    </>
  );
}
