// How a campaign went: four charts over the same time, and the same as a table.
import { useMemo, useState } from 'preact/hooks';
import type { CampaignStory, Sample } from '../report/story.js';
import { duration, short } from '../text/numbers.js';
import { Chart, type Curve } from './chart.js';
import { milestones, rates, spread } from './story-views.js';

const ROWS = 24;

function percent(part: number, whole: number): string {
  return whole > 0 ? `${Math.round((100 * part) / whole)} %` : '-';
}

function findingsSummary(samples: readonly Sample[]): string {
  const found = milestones(samples);
  if (!found) return 'Nothing was found.';
  const { half, last } = found;
  return `Half of them within ${duration(half.seconds)}, the last by ${duration(last.seconds)}.`;
}

/** How much of the last half of the time was still needed for it. */
function lateGain(samples: readonly Sample[], of: (sample: Sample) => number): string {
  const end = samples.at(-1)!;
  const middle = samples.findLast(({ seconds }) => seconds <= end.seconds / 2) ?? samples[0]!;
  const gained = of(end) - of(middle);
  return gained === 0
    ? 'Nothing new in the second half of the time.'
    : `${short(gained)} more in the second half of the time.`;
}

function perSecond(value: number): string {
  return `${short(value)}/s`;
}

function curve(label: string, color: string, values: readonly (number | null)[], whole: string): Curve {
  return { label, color, values, whole };
}

export function Charts({ story }: { story: CampaignStory }) {
  const [log, setLog] = useState(false);
  const [at, setAt] = useState<number>();
  const samples = useMemo(
    () => (log ? story.samples.filter(({ seconds }) => seconds > 0) : story.samples),
    [story.samples, log],
  );
  const x = useMemo(() => samples.map(({ seconds }) => seconds), [samples]);
  const end = samples.at(-1);
  if (samples.length < 2 || !end) return <p class="note">No charts: too short a campaign for a curve.</p>;
  const opsRate = rates(samples, ({ ops }) => ops);
  const faultRate = rates(samples, ({ faults }) => faults);
  const mean = (work: number) => (end.seconds > 0 ? perSecond(work / end.seconds) : '-');
  const points = story.totals?.pointsTotal ?? 0;
  const shared = { x, log, at: at !== undefined && at < x.length ? at : undefined, onAt: setAt };
  const choose = (next: boolean) => {
    setAt(undefined);
    setLog(next);
  };
  return (
    <section aria-label="How it went">
      <div class="heading">
        <h2>How it went</h2>
        <label>
          <input type="checkbox" checked={log} onChange={(event) => choose(event.currentTarget.checked)} /> Logarithmic
          time
        </label>
      </div>
      <div class="charts">
        <Chart
          {...shared}
          title="Findings"
          summary={findingsSummary(samples)}
          curves={[
            curve(
              'found',
              '--curve',
              samples.map(({ findings }) => findings),
              short(end.findings),
            ),
          ]}
          format={short}
          stepped
        />
        <Chart
          {...shared}
          title="Handler branches reached"
          summary={lateGain(samples, (sample) => sample.points)}
          curves={[
            curve(
              'branches',
              '--curve',
              samples.map((sample) => sample.points),
              `${end.points} of ${points} (${percent(end.points, points)})`,
            ),
          ]}
          format={short}
          stepped
        />
        <Chart
          {...shared}
          title="Abstract states reached"
          summary={lateGain(samples, ({ states }) => states)}
          curves={[
            curve(
              'states',
              '--curve',
              samples.map(({ states }) => states),
              short(end.states),
            ),
          ]}
          format={short}
        />
        <Chart
          {...shared}
          title="Throughput"
          summary={end.seconds > 0 ? `On average ${short(end.programs / end.seconds)} programs a second.` : ''}
          curves={[
            curve('ops', '--curve', opsRate, mean(end.ops)),
            curve('faults', '--curve-2', faultRate, mean(end.faults)),
          ]}
          format={perSecond}
        />
      </div>
      <details class="panel">
        <summary>The same as a table</summary>
        <Values samples={samples} opsRate={opsRate} faultRate={faultRate} />
      </details>
    </section>
  );
}

interface ValuesProps {
  readonly samples: readonly Sample[];
  readonly opsRate: readonly (number | null)[];
  readonly faultRate: readonly (number | null)[];
}

function Values({ samples, opsRate, faultRate }: ValuesProps) {
  const rate = (value: number | null | undefined) => (value === null || value === undefined ? '' : perSecond(value));
  const rows = spread([...samples.keys()], ROWS);
  return (
    <div class="wide">
      <table class="numbers">
        <thead>
          <tr>
            {['Time', 'Programs', 'Findings', 'Branches', 'States', 'Operations', 'Page faults'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((i) => {
            const { seconds, programs, findings, points, states } = samples[i]!;
            return (
              <tr key={i}>
                <th scope="row">{duration(seconds)}</th>
                <td>{short(programs)}</td>
                <td>{short(findings)}</td>
                <td>{short(points)}</td>
                <td>{short(states)}</td>
                <td>{rate(opsRate[i])}</td>
                <td>{rate(faultRate[i])}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
