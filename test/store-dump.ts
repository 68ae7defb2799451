// All of a campaign that must be the same however often it was interrupted.

import type { EpochState } from '../src/campaign/state.js';
import { unpack } from '../src/store/codec.js';
import { openToRead } from '../src/store/database.js';

export interface Dump {
  readonly digest: string;
  readonly shards: number;
  readonly work: EpochState['work'];
  readonly epochs: readonly unknown[];
  readonly raw: number;
  readonly findings: readonly unknown[];
}

export function dump(path: string): Dump {
  const db = openToRead(path);
  try {
    const state = unpack<EpochState>(db.get('SELECT state FROM position')?.state as Uint8Array);
    return {
      digest: state.digest,
      shards: state.shards,
      work: state.work,
      epochs: db
        .all('SELECT epoch, lane, strategy, focus, shards, programs, ops, faults, news FROM epochs ORDER BY epoch')
        .map(plain),
      raw: Number(db.get('SELECT count(*) AS n FROM raw')?.n),
      findings: db
        .all('SELECT lane, place, id, slug, cause, json, final FROM findings ORDER BY lane, place')
        .map(plain),
    };
  } finally {
    db.close();
  }
}

/** Without what the driver adds to a row. */
function plain({ _metadata, ...rest }: Readonly<Record<string, unknown>>): unknown {
  return rest;
}
