// What the program and the outside world could see (assembly/mm/observe.ts), decoded.

export type ObservationKind =
  | 'load'
  | 'store'
  | 'event'
  | 'gup'
  | 'hread'
  | 'hwrite'
  | 'syscall'
  | 'no-progress'
  | 'fast-refused'
  | 'wp-partial'
  | 'moved-partly'
  | 'filled'
  | 'gave-up';

const KINDS: readonly (ObservationKind | undefined)[] = [
  undefined,
  'load',
  'store',
  'event',
  'gup',
  'hread',
  'hwrite',
  'syscall',
  'no-progress',
  'fast-refused',
  'wp-partial',
  'filled',
  'gave-up',
  undefined,
  'moved-partly',
];

export interface Observation {
  readonly kind: ObservationKind;
  readonly mm: number;
  readonly page: number;
  readonly handle: number;
  /** Content read, written or visible. */
  readonly version: number;
  /** Index of the op it belongs to: not the running one, if a sleeper was woken. */
  readonly op: number;
  readonly flags: number;
}

export function decodeObservation(record: number): Observation {
  const kind = KINDS[record & 15];
  if (kind === undefined) throw new Error(`observation of unknown kind ${record & 15}`);
  return {
    kind,
    mm: (record >>> 4) & 3,
    page: (record >>> 6) & 15,
    handle: (record >>> 10) & 3,
    version: (record >>> 12) & 0xff,
    op: (record >>> 20) & 63,
    flags: record >>> 26,
  };
}
