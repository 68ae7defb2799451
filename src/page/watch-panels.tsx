// What a running campaign has beyond its story: who works on what, and the log.
import type { EventRow } from '../store/read.js';
import { duration, short } from '../text/numbers.js';
import type { Status, WatchedKernel } from '../watch/wire.js';
import { Ago, type Link } from './watch-parts.js';

function nameOf({ strategy, focus }: { readonly strategy: string; readonly focus: string }): string {
  return strategy === 'random' ? 'random' : focus;
}

function sum(arms: WatchedKernel['arms'], of: (arm: WatchedKernel['arms'][number]) => number): number {
  return arms.reduce((all, arm) => all + of(arm), 0);
}

/** Kernels x styles, each with the epochs that it got: who brought something lately gets more. */
export function Tried({ status: { kernels, story } }: { status: Status }) {
  const styles = [...new Set(kernels.flatMap(({ arms }) => arms.map(nameOf)))];
  const most = Math.max(1, ...kernels.flatMap(({ arms }) => arms.map(({ epochs }) => epochs)));
  const seconds = story.totals?.seconds ?? 0;
  if (styles.length === 0) return null;
  return (
    <section class="panel trials" aria-label="What was tried">
      <h2>What was tried</h2>
      <p class="quiet">Epochs of each kernel in each style. Who brings something new gets more of them.</p>
      <div class="wide">
        <table class="tried">
          <thead>
            <tr>
              <th scope="col">Kernel</th>
              <th scope="col" class="number">
                Programs
              </th>
              <th scope="col" class="number">
                Faults
              </th>
              <th scope="col" class="number">
                Last news
              </th>
              {styles.map((style) => (
                <th key={style} scope="col" class="number">
                  {style}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {kernels.map(({ kernel, arms, lastNews }) => (
              <tr key={kernel}>
                <th scope="row">{kernel}</th>
                <td class="number">{short(sum(arms, ({ programs }) => programs))}</td>
                <td class="number">{short(sum(arms, ({ faults }) => faults))}</td>
                <td class="number">
                  {lastNews === undefined ? '' : `${duration(Math.max(0, Math.round(seconds - lastNews)))} ago`}
                </td>
                {styles.map((style) => {
                  const arm = arms.find((one) => nameOf(one) === style);
                  return (
                    <td
                      key={style}
                      class="number heat"
                      style={{ '--heat': `${Math.round((45 * (arm?.epochs ?? 0)) / most)}%` }}
                      title={arm ? `${short(arm.programs)} programs, ${arm.news} news` : 'not yet'}
                    >
                      {arm?.epochs ?? ''}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function Workers({ status: { workers, state }, link }: { status: Status; link: Link }) {
  if (workers.length === 0) return null;
  const runs = state === 'running' || state === 'paused';
  return (
    <section class="panel crew" aria-label="Workers">
      <h2>Workers</h2>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="number">
                Busy
              </th>
              <th scope="col" class="number">
                Jobs
              </th>
              <th scope="col">Seen</th>
            </tr>
          </thead>
          <tbody>
            {workers.map(({ name, threads, busy, jobs, seen, stale }) => (
              <tr key={name} class={stale ? 'stale' : ''}>
                <th scope="row">{name}</th>
                <td class="number">{runs && !stale ? `${busy} of ${threads}` : `${threads}`}</td>
                <td class="number">{short(jobs)}</td>
                <td>
                  <Ago at={seen} link={link} />
                  {stale && <strong class="bad"> silent</strong>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });

export function Log({ log }: { log: readonly EventRow[] }) {
  const today = day.format(new Date());
  const when = (at: string) => {
    const date = new Date(at);
    const on = day.format(date);
    return `${on === today ? '' : `${on} `}${clock.format(date)}`;
  };
  return (
    <section class="panel" aria-label="Log">
      <h2>Log</h2>
      {log.length === 0 && <p class="quiet">Nothing yet.</p>}
      <ol class="log" aria-label="The newest first">
        {log.map(({ id, at, kind, text }) => (
          <li key={id} class={`is-${kind}`}>
            <time dateTime={at}>{when(at)}</time> <b>{kind}</b> {text}
          </li>
        ))}
      </ol>
    </section>
  );
}
