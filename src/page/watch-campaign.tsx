// One campaign, live.
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { headline } from '../report/headline.js';
import type { FindingSummary } from '../report/story.js';
import { counted, duration, short } from '../text/numbers.js';
import type { Status, Update } from '../watch/wire.js';
import { Charts } from './charts.js';
import { type Figure, Figures, Findings, figuresOf, LeftOut, Summary } from './overview.js';
import { Controls } from './watch-controls.js';
import { Feed, NOTHING, rateNow, spent, storyOf, type View } from './watch-feed.js';
import { Log, Tried, Workers } from './watch-panels.js';
import { Ago, bytes, type Link, Lost, StateBadge, useStream } from './watch-parts.js';

function Budget({ status, link }: { status: Status; link: Link }) {
  const { story, state, at } = status;
  const { totals, asked } = story;
  const part = spent(status);
  if (!totals || !asked || part === undefined) return null;
  const { programs, timeMs } = asked;
  const of = timeMs === undefined ? `${short(programs ?? 0)} programs` : duration(timeMs / 1000);
  const over = part >= 1 && state === 'running' ? ' The budget is spent: findings are being minimized.' : '';
  return (
    <div class="budget">
      <progress max={1} value={part} aria-label="Budget spent" />
      <span>
        {duration(Math.round(totals.seconds))} active, {Math.floor(100 * part)} % of {of}.{over} Last sample{' '}
        <Ago at={at} link={link} />.
      </span>
    </div>
  );
}

function figuresNow(view: View, status: Status, fresh: number): Figure[] {
  const story = storyOf(view);
  if (!story) return [];
  const runs = status.state === 'running' || status.state === 'paused';
  const rate = runs ? rateNow(view.samples, ({ faults }) => faults) : undefined;
  const told = story.findings.length === 0 ? '' : fresh === 0 ? 'none new' : `${fresh} new`;
  const memory = { value: bytes(status.rss), name: 'memory', more: `${bytes(status.mostRss)} at most` };
  return [...figuresOf(story, told, rate), ...(status.rss > 0 ? [memory] : [])];
}

function keyOf({ kernel, id }: FindingSummary): string {
  return `${kernel} ${id}`;
}

interface Props {
  readonly name: string;
  readonly token: string;
}

export function CampaignPage({ name, token }: Props) {
  const [view, setView] = useState(NOTHING);
  const feed = useRef(new Feed());
  const address = `/campaign/${encodeURIComponent(name)}`;
  const update = useCallback((data: Update) => setView(feed.current.apply(data)), []);
  const link = useStream<Update>(`${address}/events`, update);
  const { status, findings, log, unreadable } = view;
  const story = useMemo(() => storyOf(view), [view]);
  const marks = useMemo(() => {
    const words = new Map(
      findings.map(({ summary, fresh, verified }) => [
        keyOf(summary),
        [...(fresh ? ['new'] : []), ...(verified === '' ? [] : [verified])],
      ]),
    );
    return (finding: FindingSummary) => words.get(keyOf(finding)) ?? [];
  }, [findings]);
  const linkTo = useCallback(({ id }: FindingSummary) => `${address}/finding/${encodeURIComponent(id)}`, [address]);
  useEffect(() => {
    document.title = status ? `${counted(findings.length, 'finding')} · ${status.state} · ${name}` : name;
  }, [findings.length, status?.state]);
  if (!story || !status)
    return (
      <div class="overview watch">
        <h1>{name}</h1>
        <Lost link={link} />
        <p class="note">{unreadable === '' ? 'Waiting for the server.' : unreadable}</p>
      </div>
    );
  const fresh = findings.filter((finding) => finding.fresh).length;
  const compared =
    status.earlier.length === 0 ? 'No earlier campaign here' : `Compared with ${status.earlier.join(', ')}`;
  return (
    <div class={`overview watch ${headline(story).standing}`}>
      <header>
        <h1>
          <a href="/" aria-label="All campaigns" title="All campaigns">
            ‹
          </a>{' '}
          {name} <StateBadge state={status.state} />
        </h1>
        <Controls name={name} token={token} status={status} />
      </header>
      <main>
        <Lost link={link} />
        {unreadable !== '' && <p class="lost">{unreadable}</p>}
        {status.state === 'failed' && <p class="lost">It failed: {status.reason}</p>}
        <Budget status={status} link={link} />
        <Summary story={story} />
        <Figures figures={figuresNow(view, status, fresh)} />
        {story.samples.length > 0 && <Charts story={story} />}
        <div class="live">
          <Tried status={status} />
          <Workers status={status} link={link} />
          <Log log={log} />
        </div>
        <LeftOut quarantined={status.quarantined} />
        {findings.length > 0 && (
          <p class="quiet">
            {compared}: {fresh === 0 ? 'nothing is' : `${counted(fresh, 'finding')} ${fresh === 1 ? 'is' : 'are'}`} new
            since yesterday.
          </p>
        )}
        <Findings story={story} linkTo={linkTo} marks={marks} />
        <p class="quiet">
          Engine {status.build}
          {story.outcome && `, digest of all shards ${story.outcome.digest}`}
        </p>
      </main>
    </div>
  );
}
