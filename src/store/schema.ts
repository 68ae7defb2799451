// The tables of a campaign's file, version by version. A released step is never changed; a change is a step more.

/** Step i makes version i + 1 of version i. */
export const STEPS: readonly string[] = [
  `
  -- name, config, build, created, state, reason: one value each, JSON.
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  -- Where to go on: the last merged epoch, each kernel's knowledge, the epochs planned, and what came back since.
  CREATE TABLE position (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL);
  CREATE TABLE lanes (lane INTEGER PRIMARY KEY, state BLOB NOT NULL);
  CREATE TABLE plans (epoch INTEGER PRIMARY KEY, plan BLOB NOT NULL);
  CREATE TABLE results (shard INTEGER PRIMARY KEY, outcome BLOB NOT NULL);
  -- The account of all shards, by epoch.
  CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY, lane INTEGER NOT NULL, strategy TEXT NOT NULL, focus TEXT NOT NULL,
    shards INTEGER NOT NULL, programs INTEGER NOT NULL, ops INTEGER NOT NULL, faults INTEGER NOT NULL,
    news INTEGER NOT NULL, seconds REAL NOT NULL
  );
  -- Failing programs as the fuzzer found them; done = minimized and sorted into findings.
  CREATE TABLE raw (ordinal INTEGER PRIMARY KEY, finding BLOB NOT NULL, done INTEGER NOT NULL DEFAULT 0);
  -- One cause each, in the order of discovery. known: what to go on collecting from; shortest: JSON, once looked for.
  CREATE TABLE findings (
    lane INTEGER NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL, slug TEXT NOT NULL, cause TEXT NOT NULL,
    known BLOB NOT NULL, json TEXT NOT NULL, report TEXT NOT NULL, found TEXT NOT NULL, seconds REAL NOT NULL,
    final TEXT, final_report TEXT, verified TEXT, PRIMARY KEY (lane, place)
  );
  CREATE TABLE samples (
    seconds REAL PRIMARY KEY, at TEXT NOT NULL, programs INTEGER NOT NULL, ops INTEGER NOT NULL,
    faults INTEGER NOT NULL, points INTEGER NOT NULL, states INTEGER NOT NULL, findings INTEGER NOT NULL,
    rss INTEGER NOT NULL
  );
  CREATE TABLE workers (
    name TEXT PRIMARY KEY, threads INTEGER NOT NULL, busy INTEGER NOT NULL, jobs INTEGER NOT NULL, seen TEXT NOT NULL
  );
  CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
  `,
];

export const VERSION = STEPS.length;
