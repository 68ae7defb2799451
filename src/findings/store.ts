// The directory of findings: one JSON and one text file each, complete or absent, never half written.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.js';
import { ID_LENGTH } from '../text/id.js';

export interface StoredFinding {
  readonly id: string;
  readonly kernel: string;
  readonly with: readonly string[];
  readonly without: readonly string[];
  readonly minimized: string;
}

/** Another process may look at any time: write beside it, then rename. */
export function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

/** Creates the directory now, so that a hopeless `--out` fails before the work. Throws UsageError. */
export function openStore(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new UsageError(`cannot create ${directory}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Saves `<id>.json` and `<id>.txt`. */
export function saveFinding(directory: string, finding: StoredFinding, text: string): void {
  writeWhole(join(directory, `${finding.id}.json`), `${JSON.stringify(finding, null, 2)}\n`);
  writeWhole(join(directory, `${finding.id}.txt`), `${text}\n`);
}

/** Takes a finding back that a shorter one replaces. */
export function dropFinding(directory: string, id: string): void {
  for (const ending of ['json', 'txt']) rmSync(join(directory, `${id}.${ending}`), { force: true });
}

/** Ids of the findings in a directory. */
export function listFindings(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.length === ID_LENGTH + 5 && name.endsWith('.json'));
  return names.map((name) => name.slice(0, -5)).sort();
}

/** A stored finding from its JSON. Throws UsageError if the file is something else. */
export function readFinding(path: string): StoredFinding {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`${path} is no finding: ${error instanceof Error ? error.message : error}`);
  }
  if (!isStored(data)) throw new UsageError(`${path} is no finding: it needs kernel, with, without and minimized`);
  return data;
}

function isStored(data: unknown): data is StoredFinding {
  if (typeof data !== 'object' || data === null) return false;
  const { id, kernel, minimized, with: plus, without: minus } = data as Record<string, unknown>;
  const names = (list: unknown) => Array.isArray(list) && list.every((name) => typeof name === 'string');
  const texts = [id, kernel, minimized].every((text) => typeof text === 'string');
  return texts && names(plus) && names(minus);
}
