// What a page that watches knows: updates put together, and the stream that brings them.
import { Series } from '../report/series.js';
import type { CampaignStory } from '../report/story.js';
import type { EventRow } from '../store/read.js';
import type { Hello, Status, Update, WatchedFinding, WatchedSample } from '../watch/wire.js';

const LOG_LINES = 200;

export interface View {
  readonly status?: Status;
  readonly samples: readonly WatchedSample[];
  /** The newest first. */
  readonly log: readonly EventRow[];
  readonly findings: readonly WatchedFinding[];
  /** Why the campaign cannot be read; '' if it can. */
  readonly unreadable: string;
}

export const NOTHING: View = { samples: [], log: [], findings: [], unreadable: '' };

/** Puts updates together. It holds no more than a page shows, however long it watches. */
export class Feed {
  #series = new Series<WatchedSample>();
  #findings = new Map<string, WatchedFinding>();
  #view: View = NOTHING;

  apply(update: Update): View {
    if (update.reset) {
      this.#series = new Series();
      this.#findings = new Map();
      this.#view = NOTHING;
    }
    const { status, samples, log, findings, dropped, unreadable } = update;
    for (const sample of samples ?? []) this.#series.add(sample);
    for (const finding of findings ?? []) this.#findings.set(finding.key, finding);
    for (const key of dropped ?? []) this.#findings.delete(key);
    this.#view = {
      ...this.#view,
      ...(status && { status }),
      ...(samples && { samples: [...this.#series.samples] }),
      ...(log && { log: [...[...log].reverse(), ...this.#view.log].slice(0, LOG_LINES) }),
      ...((findings || dropped) && { findings: inOrder(this.#findings) }),
      unreadable: unreadable ?? '',
    };
    return this.#view;
  }
}

/** As they were found. */
function inOrder(findings: ReadonlyMap<string, WatchedFinding>): WatchedFinding[] {
  return [...findings.values()].sort((a, b) => (a.found === b.found ? 0 : a.found < b.found ? -1 : 1));
}

export function storyOf({ status, samples, findings }: View): CampaignStory | undefined {
  return status && { ...status.story, samples, findings: findings.map(({ summary }) => summary) };
}

/** The rate of now is taken over so many seconds. */
const RATE_SECONDS = 20;

/** Work per second of late; undefined while there is too little to tell. */
export function rateNow(samples: readonly WatchedSample[], of: (sample: WatchedSample) => number): number | undefined {
  const last = samples.at(-1);
  const from = last && (samples.findLast(({ seconds }) => seconds <= last.seconds - RATE_SECONDS) ?? samples[0]);
  if (!last || !from || last.seconds <= from.seconds) return undefined;
  return Math.max(0, of(last) - of(from)) / (last.seconds - from.seconds);
}

/** How much of its budget is spent, 0 to 1; undefined without samples. */
export function spent({ story }: Status): number | undefined {
  const { totals, asked } = story;
  if (!totals || !asked) return undefined;
  const { programs, timeMs } = asked;
  const parts = [programs ? totals.programs / programs : 0, timeMs ? (1000 * totals.seconds) / timeMs : 0];
  return Math.min(1, Math.max(...parts));
}

export interface Ears<T> {
  hello(hello: Hello): void;
  update(data: T): void;
  /** The stream is there, or it is lost. */
  link(there: boolean): void;
}

const AGAIN_MS = 5000;

/** Listens to a stream until the function that it returns is called. A page that nobody sees listens to nothing. */
export function listen<T>(address: string, ears: Ears<T>): () => void {
  let source: EventSource | undefined;
  let mark = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    if (document.hidden) return;
    source = new EventSource(mark === '' ? address : `${address}?after=${encodeURIComponent(mark)}`);
    source.addEventListener('hello', ({ data }) => {
      ears.link(true);
      ears.hello(JSON.parse(data));
    });
    source.addEventListener('update', ({ data, lastEventId }) => {
      mark = lastEventId;
      ears.update(JSON.parse(data));
    });
    source.addEventListener('error', () => {
      ears.link(false);
      // A browser asks again by itself, but not after it was refused.
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN_MS);
    });
  };
  document.addEventListener('visibilitychange', open);
  open();
  return () => {
    document.removeEventListener('visibilitychange', open);
    close();
  };
}
