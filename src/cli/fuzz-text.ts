// A campaign's outcome, in words and as data.
import type { CampaignResult, FuzzResult, Strategy } from '../campaign/types.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import type { Comparison } from '../findings/baseline.js';
import type { Finding } from '../findings/finding.js';
import { findOrigin, type Origin } from '../findings/lineage.js';
import { findingJson, specJson } from '../report/json.js';
import { COLUMNS, wrap, wrapProgram } from '../report/layout.js';
import { shortestWords } from '../report/shortest.js';
import { reportText } from '../report/text.js';
import { printSpec } from '../text/id.js';
import { reachedJson, reachedText } from './fuzz-reached.js';
import { bold, counted, EXIT, green, red, short } from './output.js';

/** The file of known findings, and what became of it. */
export interface BaselineUse {
  readonly path: string;
  /** New findings were written into it. */
  readonly updated: boolean;
  /** Entries that are about other kernels. */
  readonly elsewhere: number;
}

export interface Outcome extends Comparison<Finding> {
  readonly engine: Engine;
  readonly spec: KernelSpec;
  readonly seed: bigint;
  readonly strategy: Strategy;
  readonly keepGoing: boolean;
  /** Directory that keeps the findings. */
  readonly out?: string;
  readonly result: FuzzResult;
  /** All, in the order of their discovery. */
  readonly findings: readonly Finding[];
  readonly baseline?: BaselineUse;
}

/** Is it about a warning: a cost, which fails nothing? */
function isCost(engine: Engine, { slug }: Finding): boolean {
  return engine.catalogue.invariants.some((invariant) => invariant.slug === slug && invariant.judge === 'warning');
}

/** New findings fail the run, unless they were accepted just now, or are costs. */
export function exitCode({ engine, result: { valid, interrupted }, fresh, baseline }: Outcome): number {
  const failing = fresh.filter((finding) => !isCost(engine, finding));
  if (failing.length > 0 && !baseline?.updated) return EXIT.BROKEN;
  return valid || interrupted || fresh.length > 0 ? EXIT.CLEAN : EXIT.INTERNAL;
}

export function resultJson({ engine, spec, seed, strategy, result, findings, baseline, ...compared }: Outcome) {
  const { raw, reached: _, ...rest } = result;
  const knownAs = new Map(compared.known.map(({ finding, entry }) => [finding.id, entry.id]));
  const told = (finding: Finding) => ({
    ...findingJson(engine, finding),
    ...(baseline && { known: knownAs.has(finding.id), knownAs: knownAs.get(finding.id) ?? null }),
  });
  return {
    ...specJson(spec),
    seed: seed.toString(),
    strategy,
    ...rest,
    rawFindings: raw.length,
    reached: reachedJson(engine, spec, result),
    ...(baseline && {
      baseline: {
        file: baseline.path,
        updated: baseline.updated,
        fresh: compared.fresh.map(({ id }) => id),
        known: [...knownAs.keys()],
        unseen: compared.unseen.map(({ entry, fixed }) => ({ ...entry, fixed })),
      },
    }),
    findings: findings.map(told),
  };
}

/** Reports in full of what is new, then the summary. */
export function resultText(outcome: Outcome): string {
  const { engine, fresh } = outcome;
  const rule = '-'.repeat(COLUMNS);
  const { own, inherited } = byOrigin(engine, fresh);
  const reports = [...inherited, ...own].flatMap((finding) => [
    rule,
    reportText(engine, finding.diagnosis, finding.shortest),
    '',
  ]);
  return [...reports, rule, ...summary(outcome, { own, inherited })].join('\n');
}

/** What a patch kernel breaks of its own, and what it has from the releases below it. */
interface Findings {
  readonly own: readonly Finding[];
  readonly inherited: readonly Finding[];
}

function originOf(engine: Engine, { diagnosis: { spec, words, violation } }: Finding): Origin {
  return findOrigin(engine, spec, words, violation.invariant);
}

function byOrigin(engine: Engine, findings: readonly Finding[]): Findings {
  const own = findings.filter((finding) => !originOf(engine, finding).inherited);
  return { own, inherited: findings.filter((finding) => !own.includes(finding)) };
}

function summary(outcome: Outcome, { own, inherited }: Findings): string[] {
  const { engine, spec, result, findings, known, out, baseline } = outcome;
  const name = printSpec(spec);
  const lines = wrap(workText(outcome, bold(name)));
  if (result.interrupted) lines.push('Interrupted.');
  lines.push(...quarantineText(result).flatMap((text) => wrap(text)));
  const paint = outcome.fresh.length > 0 || !result.valid ? red : green;
  lines.push(...wrap(reachedText(engine, result)));
  lines.push(...wrap(paint(verdictText(outcome))), ...wrap(canaryText(result)));
  const news = baseline ? 'New, inherited' : 'Inherited';
  if (inherited.length > 0) lines.push('', bold(`${news} from the releases that ${name} builds on:`));
  lines.push(...inherited.flatMap((finding) => overview(engine, finding)));
  if (inherited.length > 0 && own.length > 0) lines.push('', bold(`${baseline ? 'New, of' : 'Of'} ${name} itself:`));
  if (baseline && inherited.length === 0 && own.length > 0) lines.push('', bold('New:'));
  lines.push(...own.flatMap((finding) => overview(engine, finding)));
  if (known.length > 0) lines.push('', bold(`Known from ${baseline?.path}:`));
  lines.push(...known.flatMap(({ finding }) => overview(engine, finding)));
  lines.push(...unseenText(outcome));
  if (findings.length > 0 && out !== undefined)
    lines.push('', `Kept in ${out}/: replay one with "breakcow replay ID".`);
  return lines;
}

/** What was done, in one sentence. */
export function workText({ seed, strategy, result }: Outcome, name: string): string {
  const { programs, ops, faults, seconds, workers, coverage, digest } = result;
  const rate = seconds > 0 ? faults / seconds : 0;
  const done = `${short(programs)} programs, ${short(ops)} operations, ${short(faults)} faults`;
  const pace = `in ${seconds.toFixed(1)} s on ${counted(workers, 'thread')} (${short(rate)} faults/s)`;
  const seen = `${coverage.points} of ${coverage.pointsTotal} handler branches, ${short(coverage.states)} states`;
  return `${name}, seed ${seed}, ${strategy}: ${done} ${pace}; ${seen}; digest ${digest}.`;
}

export function quarantineText({ quarantined }: CampaignResult): string[] {
  return quarantined.map(({ shard, message }) => `Shard ${shard} left out: ${message}`);
}

export function canaryText({ canary }: CampaignResult): string {
  const where = `${canary.found ? 'found after' : 'NOT found in'} ${counted(canary.programs, 'program')}`;
  return `Canary (${canary.kernel}): ${where}.`;
}

/** `2 findings.`, or with a baseline what of them is new. */
export function verdictText({ engine, result, findings, fresh, known, baseline }: Outcome): string {
  const invalid = 'INVALID: the canary was not found, so it proves nothing that nothing';
  if (!baseline) {
    const costs = findings.filter((finding) => isCost(engine, finding)).length;
    const text = costs === 0 ? '' : `, ${costs} of them costs, which fail nothing`;
    if (findings.length > 0) return `${counted(findings.length, 'finding')}${text}.`;
    return result.valid ? `Nothing found in ${short(result.programs)} programs.` : `${invalid} was found.`;
  }
  const accepted = `${short(known.length)} known from ${baseline.path}`;
  if (fresh.length > 0) {
    const where = baseline.updated ? `, now in ${baseline.path}` : '';
    return `${counted(fresh.length, 'new finding')}${where}; ${accepted}.`;
  }
  return result.valid ? `Nothing new in ${short(result.programs)} programs; ${accepted}.` : `${invalid} new was found.`;
}

function unseenText({ spec, unseen, baseline, known }: Outcome): string[] {
  if (!baseline) return [];
  if (known.length + unseen.length === 0 && baseline.elsewhere > 0)
    return ['', ...wrap(`${baseline.path} has nothing of ${printSpec(spec)}, only of other kernels.`)];
  return unseenLines(unseen).flatMap((text, i) => [
    '',
    ...(i === 0 ? [bold('Not seen any more:')] : []),
    ...wrap(text),
  ]);
}

/** Each entry that the run did not see, in a sentence. */
export function unseenLines(unseen: Outcome['unseen']): string[] {
  return unseen.map(({ entry: { id, slug, program }, fixed }) => {
    const why = fixed ? 'its program keeps the promise now' : 'its program still breaks the promise';
    return `${id}  ${slug}: ${why}: ${program}`;
  });
}

function overview(engine: Engine, finding: Finding): string[] {
  const { id, slug, minimized, firstAt, diagnosis, shortest } = finding;
  const { kernel, refusedBy } = originOf(engine, finding);
  const length = counted(diagnosis.words.length, 'operation');
  const since =
    kernel === '' || kernel === diagnosis.spec.kernel
      ? ''
      : `, since ${kernel}${refusedBy === '' ? '' : ' or earlier'}`;
  const proof = shortest ? shortestWords(shortest) : '';
  return [
    '',
    `${bold(id)}  ${slug}, ${length}${since}, after ${counted(firstAt.programs, 'program')}`,
    ...(proof === '' ? [] : [`  ${proof}`]),
    ...wrapProgram(minimized.split('; '), '  '),
  ];
}
