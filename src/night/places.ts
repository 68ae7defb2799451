// Where campaigns lie: DIR/NAME.db.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError, unknownName } from '../errors.js';

export const CAMPAIGNS = 'campaigns';
const ENDING = '.db';

/** Throws UsageError for a name that no file should have. */
export function pathFor(directory: string, name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name))
    throw new UsageError(`name "${name}": letters, digits, ".", "_" and "-", 64 at most, please`);
  return join(directory, `${name}${ENDING}`);
}

/** Makes the directory, so that a hopeless one is told before the work. Throws UsageError. */
export function openDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new UsageError(`cannot create ${directory}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Names of the campaigns in a directory, the one written last first. */
export function listCampaigns(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const touched = (file: string) => statSync(join(directory, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // Readers touch the store as well, when they tidy up what a driver left; its lock is the driver's alone.
  const written = (name: string) => {
    const store = `${name}${ENDING}`;
    const driven = touched(`${store}.lock`) || touched(store);
    return touched(`${store}.lock.pid`) > 0 ? Math.max(driven, touched(`${store}-wal`)) : driven;
  };
  return readdirSync(directory)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .map((name) => ({ name, at: written(name) }))
    .sort((a, b) => b.at - a.at || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
}

/** The file of a campaign; without a name the one written last. Throws UsageError. */
export function findCampaign(directory: string, name?: string): string {
  const names = listCampaigns(directory);
  if (name === undefined) {
    if (names.length === 0) throw new UsageError(`no campaign in ${directory}: "breakcow campaign start" makes one`);
    return pathFor(directory, names[0]!);
  }
  if (!names.includes(name)) {
    if (names.length === 0) throw new UsageError(`no campaign "${name}" in ${directory}, nor any other`);
    throw unknownName('campaign', name, names);
  }
  return pathFor(directory, name);
}

/** `2026-11-28`, or `2026-11-28-2` if that is taken. */
export function freeName(directory: string, day: Date): string {
  const base = day.toISOString().slice(0, 10);
  const taken = new Set(listCampaigns(directory));
  if (!taken.has(base)) return base;
  for (let i = 2; ; i++) if (!taken.has(`${base}-${i}`)) return `${base}-${i}`;
}

/** The campaign and all that stands beside it. */
export function removeCampaign(path: string): void {
  for (const ending of ['', '-wal', '-shm', '.lock', '.lock-journal', '.lock.pid', '.control', '.log'])
    rmSync(`${path}${ending}`, { force: true });
}
