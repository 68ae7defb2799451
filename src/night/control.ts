// What a driver is told from outside while it runs: a file beside the store, which only it removes.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

export const WISHES = ['pause', 'run', 'stop'] as const;
export type Wish = (typeof WISHES)[number];

const pathOf = (store: string) => `${store}.control`;

/** Asks the driver of `store`; it looks twice a second. */
export function wish(store: string, what: Wish): void {
  const draft = `${pathOf(store)}.${process.pid}`;
  writeFileSync(draft, what);
  renameSync(draft, pathOf(store));
}

/** The wish that was not heard yet, if it is one; it is forgotten with this. */
export function takeWish(store: string): Wish | undefined {
  const path = pathOf(store);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8').trim();
  rmSync(path, { force: true });
  return WISHES.find((known) => known === text);
}
