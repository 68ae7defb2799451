// A campaign read in a minute: what was tried, what was found, what is new, what to do next.
import type { Engine } from '../engine/engine.js';
import { type News, newsOf } from '../night/news.js';
import { COLUMNS, wrap, wrapProgram } from '../report/layout.js';
import { shortestWords } from '../report/shortest.js';
import type { ArmRow, CampaignReader, StoredFindingRow } from '../store/read.js';
import { printSpec } from '../text/id.js';
import { bold, counted, green, red, short } from './output.js';

const DAY_MS = 24 * 3_600_000;

/** 4215 s as `1 h 10 min`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function headline(reader: CampaignReader): string[] {
  const { name, state, reason, config, created } = reader;
  const last = reader.last();
  const spent = duration(last?.seconds ?? 0);
  const budget = config.timeMs === undefined ? '' : ` of ${duration(config.timeMs / 1000)}`;
  const told = state === 'failed' ? red(`failed: ${reason}`) : state === 'interrupted' ? red('interrupted') : state;
  const began = created.slice(0, 16).replace('T', ' ');
  return wrap(`${bold(name)}: ${told}, ${spent}${budget}; began ${began} UTC, seed ${config.seed}.`);
}

function tried(engine: Engine, reader: CampaignReader): string[] {
  const { config } = reader;
  const arms = reader.arms();
  const last = reader.last();
  if (!last || arms.length === 0) return ['Nothing was merged yet.'];
  const rate = last.seconds > 0 ? last.faults / last.seconds : 0;
  const total = `${short(last.programs)} programs, ${short(last.ops)} operations, ${short(last.faults)} faults (${short(rate)} faults/s)`;
  const points = engine.catalogue.points.length;
  const news = new Map(reader.lastNews().map(({ lane, seconds }) => [lane, seconds]));
  const rows = config.kernels.map((spec, lane) => {
    const mine = arms.filter((arm) => arm.lane === lane);
    const sum = (of: (arm: ArmRow) => number) => mine.reduce((all, arm) => all + of(arm), 0);
    const best = mine.toSorted((a, b) => b.epochs - a.epochs)[0];
    const often = best ? `, most often ${best.strategy === 'random' ? 'random' : best.focus}` : '';
    const at = news.get(lane);
    const since = at === undefined ? '' : `; last news ${duration(last.seconds - at)} before the end`;
    return `  ${printSpec(spec)}: ${short(sum(({ programs }) => programs))} programs in ${counted(
      sum(({ epochs }) => epochs),
      'epoch',
    )}${often}${since}`;
  });
  return [
    ...wrap(`${bold('Tried')}: ${total}; ${last.points} of ${points} handler branches, ${short(last.states)} states.`),
    ...rows.flatMap((row) => wrap(row.trimStart(), '  ')),
  ];
}

function findingLines({ id, json, verified }: StoredFindingRow): string[] {
  const since = json.origin.kernel !== '' && json.origin.kernel !== json.kernel ? `, since ${json.origin.kernel}` : '';
  const known = json.shortest ? shortestWords(json.shortest) : '';
  const checked = verified === '' ? '' : `; ${verified} under the newest build`;
  return [
    '',
    ...wrap(`${bold(id)}  ${json.slug} on ${printSpec(json)}, ${counted(json.length, 'operation')}${since}${checked}`),
    ...(known === '' ? [] : [`  ${known}`]),
    ...wrapProgram(json.minimized.split('; '), '  '),
  ];
}

/** Findings in short, by kernel and promise. */
function tally(findings: readonly StoredFindingRow[]): string[] {
  const counts = new Map<string, number>();
  for (const { json } of findings) {
    const key = `${printSpec(json)}\t${json.slug}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const kernels = new Map<string, string[]>();
  for (const [key, count] of counts) {
    const [kernel, slug] = key.split('\t');
    kernels.set(kernel!, [...(kernels.get(kernel!) ?? []), count === 1 ? slug! : `${slug} (${count})`]);
  }
  return [...kernels].flatMap(([kernel, slugs]) => wrap(`${kernel}: ${slugs.join(', ')}`, '  ', '    '));
}

function found(reader: CampaignReader, { fresh, known, earlier }: News): string[] {
  const { result } = reader;
  const canary = result && !result.canary.found;
  const count = fresh.length + known.length;
  if (count === 0)
    return canary
      ? [red('INVALID: the canary was not found, so it proves nothing that nothing was found.')]
      : [green('Nothing found.')];
  const than = earlier.length === 0 ? 'no earlier campaign here' : `compared with ${earlier.join(', ')}`;
  return [
    ...wrap(`${bold('Found')}: ${red(counted(count, 'finding'))}, ${fresh.length} new in the last 24 hours (${than}).`),
    ...tally([...fresh, ...known]),
    ...(fresh.length > 0 ? ['', bold('New:'), ...fresh.slice(0, 12).flatMap(findingLines)] : []),
    ...(fresh.length > 12 ? ['', `... and ${fresh.length - 12} more: --json, or "breakcow campaign export"`] : []),
  ];
}

/** What a person would do now. */
function advice(reader: CampaignReader, { fresh }: News): string[] {
  const { name, state, config } = reader;
  const lines: string[] = [];
  const last = reader.last();
  if (state === 'interrupted' || state === 'stopped' || state === 'failed')
    lines.push(`breakcow campaign resume ${name}      goes on where it ended`);
  if (fresh.length > 0) {
    lines.push(`breakcow campaign export ${name} --out findings && breakcow report findings --html findings.html`);
    lines.push(`breakcow export ${fresh[0]!.id} --dir findings --c test.c      run it on a real kernel`);
  }
  const quiet = reader.lastNews().every(({ seconds }) => (last?.seconds ?? 0) - seconds > (last?.seconds ?? 0) / 2);
  if (state === 'done' && quiet)
    lines.push(`breakcow campaign start --seed random      the second half brought nothing new: other programs`);
  else if (state === 'done')
    lines.push(`breakcow campaign resume ${name} --time 8h      it still brought news at its end`);
  const silent = config.kernels.find(({ kernel }) => !reader.findings().some(({ json }) => json.kernel === kernel));
  if (state === 'done' && silent)
    lines.push(`breakcow check --kernel "${printSpec(silent)}"      every program of a scope`);
  return lines.length === 0 ? [] : ['', bold('Next:'), ...lines.map((line) => `  ${line}`)];
}

/** `since`: ms of the epoch from which on a finding is new. */
export function statusText(
  engine: Engine,
  reader: CampaignReader,
  directory: string,
  since = Date.now() - DAY_MS,
): string {
  const news = newsOf(reader, directory, since);
  const quarantined = reader.events(5, 'quarantine').map(({ text }) => text);
  const workers = reader.workers();
  const runs = reader.state === 'running' || reader.state === 'paused';
  return [
    ...headline(reader),
    ...tried(engine, reader),
    ...(runs
      ? workers.map(
          ({ name, threads, busy, jobs }) => `  ${name}: ${busy} of ${threads} threads busy, ${jobs} jobs done`,
        )
      : []),
    ...quarantined.flatMap((text) => wrap(red(text))),
    '-'.repeat(COLUMNS),
    ...found(reader, news),
    ...advice(reader, news),
  ].join('\n');
}
