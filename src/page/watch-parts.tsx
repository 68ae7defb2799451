// Parts that every page that watches has: the stream, the clock, states.
import { useEffect, useRef, useState } from 'preact/hooks';
import { duration } from '../text/numbers.js';
import { type Ears, listen } from './watch-feed.js';

export interface Link {
  /** ms of this machine's clock since when there is no stream; undefined: it is there. */
  readonly lostAt: number | undefined;
  /** The server's clock minus this machine's, in ms. */
  readonly ahead: number;
}

/** Listens while the component is there. A page of older code than the server's loads itself again. */
export function useStream<T>(address: string, update: Ears<T>['update']): Link {
  const [lostAt, setLostAt] = useState<number | undefined>(() => Date.now());
  const [ahead, setAhead] = useState(0);
  const version = useRef('');
  useEffect(
    () =>
      listen<T>(address, {
        hello: ({ page, now }) => {
          if (version.current !== '' && version.current !== page) location.reload();
          version.current = page;
          setAhead(Date.parse(now) - Date.now());
        },
        update,
        link: (there) => setLostAt((before) => (there ? undefined : (before ?? Date.now()))),
      }),
    [address],
  );
  return { lostAt, ahead };
}

/** ms, once a second. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

const PATIENCE_MS = 3000;

/** Old figures must not pass for new ones. */
export function Lost({ link: { lostAt } }: { link: Link }) {
  const now = useNow();
  if (lostAt === undefined || now - lostAt < PATIENCE_MS) return null;
  return (
    <p class="lost" role="alert">
      No connection to the server for {duration(Math.round((now - lostAt) / 1000))}: what is shown is old.
    </p>
  );
}

export function StateBadge({ state }: { state: string }) {
  return (
    <span class={`state-badge is-${state}`} data-state={state}>
      {state}
    </span>
  );
}

export function Ago({ at, link: { ahead } }: { at: string; link: Link }) {
  const now = useNow();
  if (at === '') return <>never</>;
  const seconds = Math.max(0, Math.round((now + ahead - Date.parse(at)) / 1000));
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {seconds < 2 ? 'now' : `${duration(seconds)} ago`}
    </time>
  );
}

/** `612 MiB` */
export function bytes(value: number): string {
  const mib = value / 2 ** 20;
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}
