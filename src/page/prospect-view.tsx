// How near each step comes to the broken promise: a bar per step of the timeline.
import type { Outlook } from '../explore/own-prospects.js';
import { percent } from '../report/prospects.js';
import { decisiveStep } from './outlook.js';

/** The bar below a step; `number` 0 = the start. */
export function Chance({ outlook, number }: { outlook: Outlook | undefined; number: number }) {
  if (!outlook || 'why' in outlook) return null;
  const { steps, horizon } = outlook.prospects;
  const prospect = steps[number];
  if (!prospect) return null;
  const { distance, probability } = prospect;
  const broken = distance === 0;
  const unseen = broken && number < steps.length - 1;
  const chance = unseen ? 'broken, unseen' : broken ? 'broken' : percent(prospect);
  const near = broken ? '' : distance === undefined ? `> ${horizon} steps away` : `${distance} to go`;
  const title = broken
    ? `The promise is broken${unseen ? ', though nobody has looked yet' : ''}.`
    : `A random program goes on from here to break the promise with ${chance}; nearest violation: ${near}.`;
  return (
    <span class="chance" title={title}>
      <span class="track" aria-hidden="true">
        <i style={{ width: `${100 * probability}%` }} />
      </span>
      <span class="figures">
        <span class="unseen">random program breaks it: </span>
        {chance}
        {near && <span class="quiet"> · {near}</span>}
      </span>
    </span>
  );
}

/** What the bars are, or why there are none. */
export function Chances({ outlook }: { outlook: Outlook | undefined }) {
  if (!outlook) return null;
  if ('why' in outlook) return <p class="caption">How near each step comes: {outlook.why}.</p>;
  const { prospects, scope, states } = outlook;
  return (
    <p class="caption">
      Bars: how likely {prospects.horizon} more random steps break the promise
      {decisiveStep(outlook) !== undefined && ', and ◆ the step that raised it most'}. Drawn from: {scope} ({states}{' '}
      states).
    </p>
  );
}
