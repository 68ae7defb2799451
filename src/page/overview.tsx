// The overview of a campaign. It knows its story alone: the same view tells a campaign that is over and one that runs.
import type { Quarantined } from '../campaign/types.js';
import { headline } from '../report/headline.js';
import type { CampaignStory, FindingSummary } from '../report/story.js';
import { counted, short } from '../text/numbers.js';
import { Charts } from './charts.js';
import { toFragment } from './state.js';
import { ByCause, ByInvariant, ByKernel } from './story-findings.js';

/** Where a finding can be stepped through. */
export type LinkTo = (finding: FindingSummary) => string;

/** What else is to be said of a finding, in a word or two each. */
export type Marks = (finding: FindingSummary) => readonly string[];

export function fragmentOf(finding: FindingSummary): string {
  const { kernel, with: plus, without: minus, minimized } = finding;
  return toFragment({ program: minimized, spec: { kernel, with: plus, without: minus } });
}

interface Props {
  readonly story: CampaignStory;
  /** Default: in this very page. */
  readonly linkTo?: LinkTo;
}

export interface Figure {
  readonly value: string;
  readonly name: string;
  readonly more: string;
}

/** `found`: more of the findings; `rate`: page faults a second; both if there is more to say than the whole tells. */
export function figuresOf({ totals, findings }: CampaignStory, found = '', rate?: number): Figure[] {
  if (!totals) return [];
  const { programs, ops, faults, seconds, points, pointsTotal, states } = totals;
  const perSecond = rate ?? (seconds > 0 ? faults / seconds : undefined);
  const promises = `${counted(new Set(findings.map(({ slug }) => slug)).size, 'promise')} broken`;
  return [
    {
      value: short(findings.length),
      name: findings.length === 1 ? 'finding' : 'findings',
      more: found === '' ? promises : `${promises}, ${found}`,
    },
    { value: short(programs), name: 'programs', more: `of ${short(ops)} operations` },
    {
      value: short(faults),
      name: 'page faults',
      more: perSecond === undefined ? '' : `${short(perSecond)} a second`,
    },
    { value: `${points}`, name: 'handler branches', more: `of ${pointsTotal}` },
    { value: short(states), name: 'abstract states', more: 'told apart by the search' },
  ];
}

export function Figures({ figures }: { figures: readonly Figure[] }) {
  if (figures.length === 0) return null;
  return (
    <dl class="totals">
      {figures.map(({ value, name, more }) => (
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

/** The whole in three sentences, and what is odd about it. */
export function Summary({ story }: { story: CampaignStory }) {
  const { tried, found, trust, standing } = headline(story);
  return (
    <>
      <div class={`promise ${standing}`}>
        <p>{tried}</p>
        <p>
          <strong>{found}</strong>
        </p>
        {trust !== '' && <p>{trust}</p>}
      </div>
      {story.notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
    </>
  );
}

export function Findings({ story, linkTo, marks }: Required<Props> & { readonly marks?: Marks }) {
  if (story.findings.length === 0) return null;
  return (
    <>
      <ByCause story={story} linkTo={linkTo} {...(marks && { marks })} />
      <ByInvariant findings={story.findings} linkTo={linkTo} />
      <ByKernel story={story} linkTo={linkTo} />
    </>
  );
}

export function LeftOut({ quarantined }: { quarantined: readonly Quarantined[] }) {
  if (quarantined.length === 0) return null;
  return (
    <section class="panel">
      <h2>Left out</h2>
      <ul>
        {quarantined.map(({ shard, message }) => (
          <li key={shard}>
            Shard {shard}: <code>{message}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Overview({ story, linkTo = fragmentOf }: Props) {
  const { outcome, started } = story;
  return (
    <div class="overview">
      <header>
        <h1>{story.title}</h1>
        {started !== undefined && <time dateTime={started}>{new Date(started).toLocaleString()}</time>}
      </header>
      <main>
        <Summary story={story} />
        <Figures figures={figuresOf(story)} />
        {story.samples.length > 0 && <Charts story={story} />}
        <Findings story={story} linkTo={linkTo} />
        <LeftOut quarantined={outcome?.quarantined ?? []} />
        {outcome && <p class="quiet">Digest of all shards: {outcome.digest}</p>}
      </main>
    </div>
  );
}
