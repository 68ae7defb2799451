// The C sources that reproducers are put together from, as they lie on disk; a page holds them itself.
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../../src/conform/reproducer/', import.meta.url);
const NAMES = ['common.c', 'controller.c', 'handles.c', 'pagemap.c', 'reclaim.c', 'uffd.c', 'victim.c'] as const;

/** Text by file name. */
export type CSources = Readonly<Record<(typeof NAMES)[number], string>>;

let read: CSources | undefined;

export function cSources(): CSources {
  read ??= Object.fromEntries(NAMES.map((name) => [name, readFileSync(new URL(name, FOLDER), 'utf8')])) as CSources;
  return read;
}
