// The findings of a campaign: by cause, by broken promise, and on every kernel.
import { useState } from 'preact/hooks';
import { originShort } from '../report/headline.js';
import type { CampaignStory, FindingSummary } from '../report/story.js';
import { counted, duration } from '../text/numbers.js';
import type { LinkTo, Marks } from './overview.js';
import { byCause, byInvariant, type Fate, matrixOf } from './story-views.js';

interface Props {
  readonly story: CampaignStory;
  readonly linkTo: LinkTo;
}

function met({ firstAt }: FindingSummary): string {
  if (!firstAt) return '';
  const { programs, seconds } = firstAt;
  return `after ${counted(programs, 'program')}${seconds === undefined ? '' : `, ${duration(seconds)}`}`;
}

interface CardProps {
  readonly finding: FindingSummary;
  readonly several: boolean;
  readonly linkTo: LinkTo;
  readonly marks: Marks;
}

function FindingCard({ finding, several, linkTo, marks }: CardProps) {
  const { id, slug, promise, minimized, length, cures, shortest, kernel } = finding;
  const size = `${counted(length, 'operation')}${shortest?.proven ? ', none shorter shows it' : ''}`;
  const facts = [several ? kernel : '', size, met(finding)].filter((fact) => fact !== '');
  return (
    <li class="finding">
      <p>
        <a href={linkTo(finding)}>
          <b>{slug}</b> {id}
        </a>{' '}
        <span class={finding.origin.inherited ? 'since' : 'since own'}>{originShort(finding.origin, kernel)}</span>
        {marks(finding).map((mark) => (
          <span key={mark}>
            {' '}
            <span class="since mark">{mark}</span>
          </span>
        ))}
      </p>
      <p>{promise}</p>
      <p>
        <code>{minimized}</code>
      </p>
      <p class="quiet">
        {facts.join(' · ')}
        {' · '}
        {cures.length === 0 ? 'no cure known' : 'cured by '}
        {cures.slice(0, 2).map((cure, i) => (
          <span key={cure}>
            {i > 0 && ' or '}
            <code>{cure}</code>
          </span>
        ))}
        {cures.length > 2 && ` or ${cures.length - 2} more`}
      </p>
    </li>
  );
}

const unmarked: Marks = () => [];

export function ByCause({ story, linkTo, marks = unmarked }: Props & { readonly marks?: Marks }) {
  return (
    <section aria-label="Findings by cause">
      <h2>Findings by cause</h2>
      <div class="by-cause">
        {byCause(story.findings).map(({ key, findings }) => (
          <section key={JSON.stringify(key)} class="panel">
            <h3>
              {key.function === 'none' ? 'No decision to blame' : <code>{key.function}</code>}{' '}
              <em>
                {key.decision} · {counted(findings.length, 'finding')}
              </em>
            </h3>
            <ul>
              {findings.map((finding) => (
                <FindingCard
                  key={`${finding.kernel} ${finding.id}`}
                  finding={finding}
                  several={story.kernels.length > 1}
                  linkTo={linkTo}
                  marks={marks}
                />
              ))}
            </ul>
          </section>
        ))}
      </div>
    </section>
  );
}

export function ByInvariant({ findings, linkTo }: { findings: readonly FindingSummary[]; linkTo: LinkTo }) {
  return (
    <section class="panel" aria-label="Broken promises">
      <h2>Broken promises</h2>
      <table class="promises">
        <thead>
          <tr>
            <th scope="col">Promise</th>
            <th scope="col">What must hold</th>
            <th scope="col">Broken by</th>
          </tr>
        </thead>
        <tbody>
          {byInvariant(findings).map(({ key, findings: breakers }) => (
            <tr key={key.slug}>
              <th scope="row">
                {key.slug} <span class="quiet">{key.invariant}</span>
              </th>
              <td>{key.statement}</td>
              <td>
                {breakers.map((finding) => (
                  <span key={finding.id}>
                    <a href={linkTo(finding)}>{finding.id}</a>{' '}
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const SIGNS: Record<Fate, string> = { broken: '✗', kept: '·', unknown: '?' };
const WORDS: Record<Fate, string> = { broken: 'broken', kept: 'kept', unknown: 'refuses an operation' };

export function ByKernel({ story, linkTo }: Props) {
  const [first, setFirst] = useState<string>();
  const { rows, totals } = matrixOf(story, first);
  const onTrial = new Set(story.findings.map(({ kernel }) => kernel));
  return (
    <section class="panel" aria-label="Findings on every kernel">
      <h2>Findings on every kernel</h2>
      <p class="quiet">
        ✗ broken there, · kept, ? the kernel refuses an operation of the program. A kernel's name puts what it breaks
        first.
      </p>
      <div class="wide">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">Finding</th>
              {story.catalogue.map((kernel) => (
                <th key={kernel} scope="col" class={onTrial.has(kernel) ? 'trial' : ''}>
                  <button
                    type="button"
                    aria-pressed={first === kernel}
                    onClick={() => setFirst(first === kernel ? undefined : kernel)}
                  >
                    {kernel}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ finding, fates }) => (
              <tr key={`${finding.kernel} ${finding.id}`}>
                <th scope="row">
                  <a href={linkTo(finding)}>{finding.id}</a> {finding.slug}
                </th>
                {fates.map((fate, i) => (
                  <td
                    key={story.catalogue[i]}
                    class={fate}
                    title={`${finding.slug} on ${story.catalogue[i]}: ${WORDS[fate]}`}
                  >
                    <span aria-hidden="true">{SIGNS[fate]}</span>
                    <span class="spoken">{WORDS[fate]}</span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">Findings that break it</th>
              {totals.map((total, i) => (
                <td key={story.catalogue[i]}>{total}</td>
              ))}
            </tr>
          </tfoot>
        </table>
      </div>
    </section>
  );
}
