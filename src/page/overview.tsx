// The overview of a campaign. It knows its story alone: the same view tells a campaign that is over and one that runs.
import { headline } from '../report/headline.js';
import type { CampaignStory, FindingSummary } from '../report/story.js';
import { counted, short } from '../text/numbers.js';
import { Charts } from './charts.js';
import { toFragment } from './state.js';
import { ByCause, ByInvariant, ByKernel } from './story-findings.js';

/** Where a finding can be stepped through. */
export type LinkTo = (finding: FindingSummary) => string;

export function fragmentOf(finding: FindingSummary): string {
  const { kernel, with: plus, without: minus, minimized } = finding;
  return toFragment({ program: minimized, spec: { kernel, with: plus, without: minus } });
}

interface Props {
  readonly story: CampaignStory;
  /** Default: in this very page. */
  readonly linkTo?: LinkTo;
}

function Figures({ story: { totals, findings } }: { story: CampaignStory }) {
  if (!totals) return null;
  const { programs, ops, faults, seconds, points, pointsTotal, states } = totals;
  const rate = seconds > 0 ? `${short(faults / seconds)} a second` : '';
  const figures: [value: string, name: string, more: string][] = [
    [
      short(findings.length),
      findings.length === 1 ? 'finding' : 'findings',
      `${counted(new Set(findings.map(({ slug }) => slug)).size, 'promise')} broken`,
    ],
    [short(programs), 'programs', `of ${short(ops)} operations`],
    [short(faults), 'page faults', rate],
    [`${points}`, 'handler branches', `of ${pointsTotal}`],
    [short(states), 'abstract states', 'told apart by the search'],
  ];
  return (
    <dl class="totals">
      {figures.map(([value, name, more]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <b>{value}</b>
          </dd>
          {more !== '' && <dd class="more">{more}</dd>}
        </div>
      ))}
    </dl>
  );
}

export function Overview({ story, linkTo = fragmentOf }: Props) {
  const { tried, found, trust, standing } = headline(story);
  const { findings, notes, outcome, started } = story;
  return (
    <div class="overview">
      <header>
        <h1>{story.title}</h1>
        {started !== undefined && <time dateTime={started}>{new Date(started).toLocaleString()}</time>}
      </header>
      <main>
        <div class={`promise ${standing}`}>
          <p>{tried}</p>
          <p>
            <strong>{found}</strong>
          </p>
          {trust !== '' && <p>{trust}</p>}
        </div>
        {notes.map((note) => (
          <p key={note} class="note">
            {note}
          </p>
        ))}
        <Figures story={story} />
        {story.samples.length > 0 && <Charts story={story} />}
        {findings.length > 0 && (
          <>
            <ByCause story={story} linkTo={linkTo} />
            <ByInvariant findings={findings} linkTo={linkTo} />
            <ByKernel story={story} linkTo={linkTo} />
          </>
        )}
        {outcome && outcome.quarantined.length > 0 && (
          <section class="panel">
            <h2>Left out</h2>
            <ul>
              {outcome.quarantined.map(({ shard, message }) => (
                <li key={shard}>
                  Shard {shard}: <code>{message}</code>
                </li>
              ))}
            </ul>
          </section>
        )}
        {outcome && <p class="quiet">Digest of all shards: {outcome.digest}</p>}
      </main>
    </div>
  );
}
