// What a page may have done to a campaign: wishes to whoever drives it, and a driver where there is none.
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../errors.js';
import { type Wish, wish } from '../night/control.js';
import { isDriven } from '../store/lock.js';
import type { Action } from './wire.js';

const BIN = fileURLToPath(new URL('../../../bin/breakcow.js', import.meta.url));
/** A driver that is not there after so long is waited for no longer, and left alone. */
const START_MS = 30_000;
const LOOK_MS = 100;
/** Of what a driver said before it gave up. */
const LAST_WORDS = 400;

const WISHES: Readonly<Record<Exclude<Action, 'resume'>, Wish>> = { pause: 'pause', continue: 'run', stop: 'stop' };

export interface Target {
  readonly directory: string;
  readonly name: string;
  readonly path: string;
}

/** Does it, or throws UsageError that says why not. Resolves to what was done, in words. */
export async function act(target: Target, action: Action, time?: string): Promise<string> {
  const { name, path } = target;
  if (action === 'resume') return await resume(target, time);
  if (!isDriven(path)) throw new UsageError(`${name} does not run`);
  wish(path, WISHES[action]);
  return `${name}: asked to ${action}`;
}

const starting = new Set<string>();

/** Starts a driver in a process of its own, which outlives this one and writes down what it says beside the store. */
async function resume({ directory, name, path }: Target, time: string | undefined): Promise<string> {
  if (isDriven(path)) throw new UsageError(`${name} runs already`);
  if (starting.has(path)) throw new UsageError(`${name} is being started`);
  starting.add(path);
  const log = `${path}.log`;
  const file = openSync(log, 'a', 0o600);
  const { size } = fstatSync(file);
  try {
    const more = time === undefined ? [] : ['--time', time];
    const child = spawn(process.execPath, [BIN, 'campaign', 'resume', name, '--dir', directory, ...more], {
      detached: true,
      stdio: ['ignore', file, file],
    });
    let failed: Error | undefined;
    child.on('error', (error) => {
      failed = error;
    });
    child.unref();
    for (let waited = 0; waited < START_MS; waited += LOOK_MS) {
      await sleep(LOOK_MS);
      const ended = failed !== undefined || child.exitCode !== null || child.signalCode !== null;
      if (ended && child.exitCode !== 0) throw new UsageError(failed?.message ?? lastWords(log, size, name));
      if (ended || isDriven(path)) break;
    }
    return `${name}: goes on as process ${child.pid}`;
  } finally {
    closeSync(file);
    starting.delete(path);
  }
}

function lastWords(log: string, from: number, name: string): string {
  const said = readFileSync(log).subarray(from).toString('utf8').trim();
  return said === '' ? `${name} could not be resumed` : said.slice(-LAST_WORDS);
}
