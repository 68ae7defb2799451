// Findings that are known and accepted: a file that people review, and what of a run is news beside it.
import { existsSync, readFileSync } from 'node:fs';
import type { Catalogue } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError, unknownName } from '../errors.js';
import { printSpec, programId } from '../text/id.js';
import { parseProgram } from '../text/parse.js';
import { printProgram } from '../text/print.js';
import { type Diagnosis, diagnose } from './finding.js';
import { findOrigin, originText } from './lineage.js';
import { isSameCause } from './same-cause.js';
import { writeWhole } from './store.js';
import { breaks, Trial } from './trial.js';

/** An entry of the file, in the order of its fields there. */
export interface BaselineEntry {
  readonly slug: string;
  readonly kernel: string;
  readonly with: readonly string[];
  readonly without: readonly string[];
  readonly program: string;
  /** Of the program on its kernel; computed, whatever the file says. */
  readonly id: string;
  /** For people: `cause.key` and `originText` of when it was written. */
  readonly cause: string;
  readonly origin: string;
  /** Free: a ticket, a reason. */
  readonly note?: string;
}

/** What of a finding or of a shortest program of a search tells its cause. */
export interface Caused {
  readonly id: string;
  readonly diagnosis: Diagnosis;
}

export interface Unseen {
  readonly entry: BaselineEntry;
  /** Its program keeps the promise now: the entry says nothing any more. */
  readonly fixed: boolean;
}

/** What a run found, beside the entries of its kernel. */
export interface Comparison<T extends Caused> {
  readonly fresh: readonly T[];
  readonly known: readonly { readonly finding: T; readonly entry: BaselineEntry }[];
  readonly unseen: readonly Unseen[];
}

const VERSION = 1;
const FIELDS = ['slug', 'kernel', 'with', 'without', 'program', 'id', 'cause', 'origin', 'note'];

/** Reads the file; where there may be none (`optional`), no file has no entries. Throws UsageError that names the bad entry. */
export function readBaseline(path: string, catalogue: Catalogue, optional: boolean): BaselineEntry[] {
  if (optional && !existsSync(path)) return [];
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const hint = existsSync(path) ? '' : '\n--update-baseline writes one';
    throw new UsageError(`${path} is no baseline: ${error instanceof Error ? error.message : error}${hint}`);
  }
  const { version, findings } = isObject(data) ? data : {};
  if (version !== VERSION || !Array.isArray(findings))
    throw new UsageError(`${path} is no baseline: expected { "version": ${VERSION}, "findings": [...] }`);
  return findings.map((entry: unknown, i) => {
    try {
      return readEntry(entry, catalogue);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`${path}: finding ${i + 1}${nameOf(entry)}: ${error.message}`);
    }
  });
}

function isObject(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

/** ` (cow-leak, 3k5v9t2w8m)`, as far as the entry says so itself. */
function nameOf(entry: unknown): string {
  const { slug, id } = isObject(entry) ? entry : {};
  const names = [slug, id].filter((name) => typeof name === 'string' && /^[\w-]{1,40}$/.test(name));
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}

function readEntry(entry: unknown, catalogue: Catalogue): BaselineEntry {
  if (!isObject(entry)) throw new UsageError('expected an object');
  for (const key of Object.keys(entry)) if (!FIELDS.includes(key)) throw unknownName('field', key, FIELDS);
  const text = (key: string, missing?: string) => {
    const value = entry[key] ?? missing;
    if (typeof value !== 'string') throw new UsageError(`"${key}" must be a text`);
    return value;
  };
  const names = (key: string) => {
    const value = entry[key] ?? [];
    if (!Array.isArray(value) || !value.every((name) => typeof name === 'string'))
      throw new UsageError(`"${key}" must be a list of knobs`);
    return (value as string[]).toSorted();
  };
  const spec = { kernel: text('kernel'), with: names('with'), without: names('without') };
  catalogue.vector(spec);
  const slug = text('slug');
  const slugs = catalogue.invariants.map((invariant) => invariant.slug);
  if (!slugs.includes(slug)) throw unknownName('promise', slug, slugs);
  const words = parseProgram(text('program'), catalogue.ops);
  text('id', '');
  return {
    slug,
    ...spec,
    program: printProgram(words, catalogue.ops),
    id: programId(words, spec, catalogue.ops),
    cause: text('cause', ''),
    origin: text('origin', ''),
    ...(entry.note !== undefined && { note: text('note') }),
  };
}

/**
 * A finding is known if an entry of its kernel has its program, or its cause: the best cure of each cures the other.
 * Entries of other kernels have no say.
 */
export function compareFindings<T extends Caused>(
  engine: Engine,
  spec: KernelSpec,
  entries: readonly BaselineEntry[],
  findings: readonly T[],
): Comparison<T> {
  const here = entries.filter((entry) => printSpec(entry) === printSpec(spec));
  const causes = new Map<BaselineEntry, Diagnosis | undefined>();
  const causeOf = (entry: BaselineEntry) => {
    if (!causes.has(entry)) causes.set(entry, diagnoseEntry(engine, entry));
    return causes.get(entry);
  };
  const matches = ({ id, diagnosis }: T, entry: BaselineEntry) => {
    if (id === entry.id) return true;
    if (engine.catalogue.invariant(diagnosis.violation.invariant).slug !== entry.slug) return false;
    const cause = causeOf(entry);
    return cause !== undefined && isSameCause(engine, cause, diagnosis);
  };
  const matched = findings.map((finding) => ({ finding, by: here.filter((entry) => matches(finding, entry)) }));
  const seen = new Set(matched.flatMap(({ by }) => by));
  return {
    fresh: matched.filter(({ by }) => by.length === 0).map(({ finding }) => finding),
    known: matched.flatMap(({ finding, by }) => by.slice(0, 1).map((entry) => ({ finding, entry }))),
    unseen: here.filter((entry) => !seen.has(entry)).map((entry) => ({ entry, fixed: !isBroken(engine, entry) })),
  };
}

function invariantOf({ invariants }: Catalogue, { slug }: BaselineEntry): number {
  return invariants.find((invariant) => invariant.slug === slug)!.id;
}

function diagnoseEntry(engine: Engine, entry: BaselineEntry): Diagnosis | undefined {
  const { catalogue } = engine;
  const { kernel, with: plus, without: minus, program } = entry;
  const words = parseProgram(program, catalogue.ops);
  return diagnose(engine, { kernel, with: plus, without: minus }, words, invariantOf(catalogue, entry));
}

function isBroken(engine: Engine, entry: BaselineEntry): boolean {
  const { catalogue } = engine;
  const mask = new Trial(engine, catalogue.vector(entry)).mask(parseProgram(entry.program, catalogue.ops));
  return breaks(mask, invariantOf(catalogue, entry));
}

/** The entries and those of the findings, each program once, in an order that depends on nothing else. */
export function extendBaseline(
  engine: Engine,
  entries: readonly BaselineEntry[],
  fresh: readonly Caused[],
): BaselineEntry[] {
  const all = [...entries, ...fresh.map((finding) => toEntry(engine, finding))];
  const key = ({ kernel, with: plus, without: minus, slug, program }: BaselineEntry) =>
    [printSpec({ kernel, with: plus, without: minus }), slug, program].join('\n');
  const once = new Map(all.toReversed().map((entry) => [key(entry), entry]));
  // Not by the language of the machine: the file is the same everywhere.
  return [...once].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

function toEntry(engine: Engine, { id, diagnosis }: Caused): BaselineEntry {
  const { spec, words, violation, cause } = diagnosis;
  const { catalogue } = engine;
  return {
    slug: catalogue.invariant(violation.invariant).slug,
    kernel: spec.kernel,
    with: spec.with.toSorted(),
    without: spec.without.toSorted(),
    program: printProgram(words, catalogue.ops),
    id,
    cause: cause.key,
    origin: originText(findOrigin(engine, spec, words, violation.invariant)),
  };
}

/** Throws UsageError if the file cannot be written. */
export function writeBaseline(path: string, entries: readonly BaselineEntry[]): void {
  try {
    writeWhole(path, `${JSON.stringify({ version: VERSION, findings: entries }, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
