// All campaigns of a directory, as they are now.
import { useEffect, useState } from 'preact/hooks';
import { counted, duration, short } from '../text/numbers.js';
import type { ListedCampaign, Listing } from '../watch/wire.js';
import { Ago, type Link, Lost, StateBadge, useStream } from './watch-parts.js';

function Line({ campaign, link }: { campaign: ListedCampaign; link: Link }) {
  const { name, state, reason, kernels, seconds, timeMs, programs, faults, findings, quarantined, at } = campaign;
  const budget = timeMs === undefined ? '' : ` of ${duration(timeMs / 1000)}`;
  return (
    <tr>
      <th scope="row">
        {state === 'unreadable' ? name : <a href={`/campaign/${encodeURIComponent(name)}`}>{name}</a>}
      </th>
      <td>
        <StateBadge state={state} />
        {reason !== '' && <p class="bad">{reason}</p>}
      </td>
      <td class="number">
        <b>{short(findings)}</b>
      </td>
      <td class="number">{state === 'unreadable' ? '' : `${duration(Math.round(seconds))}${budget}`}</td>
      <td class="number">{short(programs)}</td>
      <td class="number">{short(faults)}</td>
      <td class="number">{quarantined === 0 ? '' : <span class="bad">{quarantined}</span>}</td>
      <td>{kernels.join(', ')}</td>
      <td>
        <Ago at={at} link={link} />
      </td>
    </tr>
  );
}

const HEADS = ['Campaign', 'State', 'Findings', 'Active', 'Programs', 'Page faults', 'Left out', 'Kernels', 'Sample'];
const NUMBERS = new Set(['Active', 'Programs', 'Page faults', 'Findings', 'Left out']);

export function ListPage() {
  const [listing, setListing] = useState<Listing>();
  const link = useStream<Listing>('/events', setListing);
  const campaigns = listing?.campaigns ?? [];
  const running = campaigns.filter(({ state }) => state === 'running').length;
  useEffect(() => {
    document.title = listing ? `${counted(campaigns.length, 'campaign')}, ${running} running · breakcow` : 'breakcow';
  }, [listing]);
  return (
    <div class="overview watch">
      <header>
        <h1>Campaigns</h1>
        <span class="quiet">{listing?.directory}</span>
      </header>
      <main>
        <Lost link={link} />
        {!listing && <p class="note">Waiting for the server.</p>}
        {listing && campaigns.length === 0 && (
          <p class="note">
            No campaign here yet: <code>breakcow campaign start --dir {listing.directory}</code> begins one.
          </p>
        )}
        {campaigns.length > 0 && (
          <section class="panel wide">
            <table class="listing">
              <thead>
                <tr>
                  {HEADS.map((head) => (
                    <th key={head} scope="col" class={NUMBERS.has(head) ? 'number' : ''}>
                      {head}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {campaigns.map((campaign) => (
                  <Line key={campaign.name} campaign={campaign} link={link} />
                ))}
              </tbody>
            </table>
          </section>
        )}
      </main>
    </div>
  );
}
