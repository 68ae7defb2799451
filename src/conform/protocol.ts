// The wire form of programs and observations: executor/protocol.h says what it is, field by field.
import type { Capability, Cell, FaultEvent, Observed, Outcome, PageLayout, RawCell, Run } from './observed.js';

export const PROTOCOL_VERSION = 1;
const MAGIC_HELLO = 0x31484342;
const MAGIC_REQUEST = 0x31514342;
const MAGIC_RESPONSE = 0x31524342;

/** Index = bit of `enum capability`. */
export const CAPABILITIES: readonly Capability[] = [
  'UFFD_WP',
  'EVENT_FORK',
  'WP_UNPOPULATED',
  'SWAP',
  'THP',
  'SOFT_DIRTY',
  'PFN',
  'KPAGE',
  'PAGEMAP_SCAN',
  'PAGEMAP_WP',
  'VMSPLICE',
  'IO_URING',
  'PROCESS_VM',
  'PROC_MEM',
  'RAW',
  'FIFO',
  'HOLD_PIN',
  'UFFD_MOVE',
  'UFFD_MISSING',
  'WP_ASYNC',
];

/** How much is observed after every op; each level includes the ones before. */
export const OBSERVE_LEVELS = ['results', 'pagemap', 'contents', 'pages', 'raw'] as const;
export type ObserveLevel = (typeof OBSERVE_LEVELS)[number];

export interface Hello {
  readonly can: ReadonlySet<Capability>;
  /** uname -r and -v. */
  readonly release: string;
  readonly machine: string;
  /** "name: why it is missing and how to get it". */
  readonly missing: readonly string[];
}

export interface Response {
  readonly tag: number;
  readonly run: Run;
}

/** The executor says something that executor/protocol.h does not allow. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const NR_MMS = 3;
const NR_PAGES = 8;
const NR_CELLS = NR_MMS * NR_PAGES;
const MAX_OPS = 64;
const HELLO_SIZE = 144;
const REQUEST_SIZE = 12;
const RESPONSE_SIZE = 16;
const EVENT_SIZE = 4;
const OUTCOME_SIZE = 12;
const RECORD_SIZE = 20;
const CELL_SIZE = 12;
const RAW_SIZE = 20;
/** More than any program's records can take: 64 ops of 24 cells with all there is to them. */
const MAX_RESPONSE = 1 << 18;
const MAX_HELLO_TEXT = 1 << 16;

const STATUS_NAMES = ['', 'an op did not end', 'a process died', 'the executor could not go on'] as const;
const STATUS_TROUBLE = 3;
const RESULT_COUNT = 6;

const EVENT = { WRITE: 1, WP: 2 } as const;
const CELL = {
  PRESENT: 1 << 0,
  SWAP: 1 << 1,
  UFFD_WP: 1 << 2,
  SOFT_DIRTY: 1 << 5,
  ZERO: 1 << 6,
  SWAPCACHE: 1 << 9,
  THP: 1 << 8,
  HUGE: 1 << 10,
  KNOWS_PAGE: 1 << 12,
  KNOWS_SCAN: 1 << 13,
  KNOWS_VALUE: 1 << 14,
  MARKER: 1 << 15,
} as const;
const ENTRY_WRITE = 1n << 1n;
/** Since 6.6 an entry that loses its write bit keeps dirty at bit 58. */
const ENTRY_DIRTY = (1n << 6n) | (1n << 58n);
/** What one pin adds to the references of a small page (GUP_PIN_COUNTING_BIAS). */
const PIN_BIAS = 1024;

/** One request. `tag` comes back in the response. */
export function encodeRequest(tag: number, words: Uint32Array, layout: PageLayout, observe: ObserveLevel): Uint8Array {
  if (words.length === 0 || words.length > MAX_OPS) throw new RangeError(`a program of ${words.length} ops`);
  const bytes = new Uint8Array(REQUEST_SIZE + 4 * words.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_REQUEST, true);
  view.setUint32(4, tag, true);
  view.setUint8(8, layout === 'pmd' ? 1 : 0);
  view.setUint8(9, OBSERVE_LEVELS.indexOf(observe));
  view.setUint8(10, words.length);
  for (let i = 0; i < words.length; i++) view.setUint32(REQUEST_SIZE + 4 * i, words[i]!, true);
  return bytes;
}

const NOTHING: Cell = { kind: 'none', uffdWp: false };
const NO_EVENTS: readonly FaultEvent[] = [];
const NO_OPS: readonly number[] = [];

/**
 * Reads what the executor writes, in whatever pieces it comes: first one hello, then responses.
 * Throws ProtocolError at the first byte out of order.
 */
export class Decoder {
  hello: Hello | undefined;
  #buffer = Buffer.alloc(0);

  /** Takes the next piece; yields the responses that are complete now. */
  *push(piece: Uint8Array): Generator<Response> {
    this.#buffer = this.#buffer.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#buffer, piece]);
    if (!this.hello) this.#buffer = this.#buffer.subarray(this.#hello());
    while (this.hello) {
      const found = this.#response();
      if (!found) return;
      this.#buffer = this.#buffer.subarray(found.size);
      yield found.response;
    }
  }

  /** Bytes of an answer that is not complete. */
  get pending(): number {
    return this.#buffer.length;
  }

  /** Size of the hello, 0 if it is not complete. */
  #hello(): number {
    const have = this.#buffer.length;
    if (have >= 4) expect(this.#buffer.readUInt32LE(0) === MAGIC_HELLO, 'it does not begin with a hello');
    if (have < HELLO_SIZE) return 0;
    const version = this.#buffer.readUInt32LE(4);
    expect(version === PROTOCOL_VERSION, `it speaks version ${version}, not ${PROTOCOL_VERSION}`);
    const bits = this.#buffer.readUInt32LE(8);
    const length = this.#buffer.readUInt32LE(12);
    expect(length <= MAX_HELLO_TEXT, `a hello of ${length} bytes`);
    if (have < HELLO_SIZE + length) return 0;
    const text = (from: number, size: number) => this.#buffer.toString('utf8', from, from + size);
    this.hello = {
      can: new Set(CAPABILITIES.filter((_, bit) => (bits >>> bit) & 1)),
      release: text(16, 64).replace(/\0.*$/s, ''),
      machine: text(80, 64).replace(/\0.*$/s, ''),
      missing: text(HELLO_SIZE, length)
        .split('\n')
        .filter((line) => line !== ''),
    };
    return HELLO_SIZE + length;
  }

  #response(): { readonly size: number; readonly response: Response } | undefined {
    const buffer = this.#buffer;
    if (buffer.length < RESPONSE_SIZE) return undefined;
    expect(buffer.readUInt32LE(0) === MAGIC_RESPONSE, 'no response where one should begin');
    const tag = buffer.readUInt32LE(4);
    const status = buffer[8]!;
    const reached = buffer[9]!;
    const length = buffer.readUInt32LE(12);
    expect(status < STATUS_NAMES.length, `status ${status}`);
    expect(length <= MAX_RESPONSE && reached <= MAX_OPS, `a response of ${length} bytes, ${reached} ops`);
    const size = RESPONSE_SIZE + length;
    if (buffer.length < size) return undefined;
    return { size, response: { tag, run: this.#run(status, reached, buffer.subarray(RESPONSE_SIZE, size)) } };
  }

  #run(status: number, reached: number, body: Buffer): Run {
    if (status === STATUS_TROUBLE) return { ops: [], trouble: `${STATUS_NAMES[status]}: ${body.toString('utf8')}` };
    const reader = new RecordReader(body, this.hello!.can);
    const ops = Array.from({ length: reached }, () => reader.record());
    expect(reader.done, `${body.length} bytes for ${reached} ops are too many`);
    return status === 0 ? { ops } : { ops, trouble: `op ${reached + 1}: ${STATUS_NAMES[status]}` };
  }
}

function expect(holds: boolean, complaint: string): asserts holds {
  if (!holds) throw new ProtocolError(`the executor breaks the protocol: ${complaint}`);
}

/** Reads the op records of one program; cells that did not change are the same objects as before. */
class RecordReader {
  readonly #body: Buffer;
  readonly #can: ReadonlySet<Capability>;
  readonly #cells: Cell[] = new Array<Cell>(NR_CELLS).fill(NOTHING);
  #rows: (readonly Cell[] | undefined)[] = [];
  #at = 0;

  constructor(body: Buffer, can: ReadonlySet<Capability>) {
    this.#body = body;
    this.#can = can;
  }

  get done(): boolean {
    return this.#at === this.#body.length;
  }

  #take(size: number): number {
    const at = this.#at;
    this.#at += size;
    expect(this.#at <= this.#body.length, 'records that end too soon');
    return at;
  }

  record(): Observed {
    const body = this.#body;
    const at = this.#take(RECORD_SIZE);
    const result = body[at]!;
    expect(result < RESULT_COUNT, `result ${result}`);
    const events = body[at + 1]! === 0 ? NO_EVENTS : Array.from({ length: body[at + 1]! }, () => this.#event());
    const outcomes = Array.from({ length: body[at + 2]! }, () => this.#outcome());
    const alive = body[at + 3]!;
    const asleep = bits(body.readUInt32LE(at + 4), body.readUInt32LE(at + 8));
    this.#update(alive, body.readUInt32LE(at + 12), body.readUInt32LE(at + 16));
    return { result, events, outcomes, asleep, cells: this.#rows };
  }

  #event(): FaultEvent {
    const at = this.#take(EVENT_SIZE);
    const [mm, page, flags, op] = this.#body.subarray(at, at + EVENT_SIZE);
    expect(mm! < NR_MMS && page! < NR_PAGES && op! < MAX_OPS, `an event of process ${mm}, page ${page}, op ${op}`);
    return { mm: mm!, page: page!, op: op!, write: (flags! & EVENT.WRITE) !== 0, wp: (flags! & EVENT.WP) !== 0 };
  }

  #outcome(): Outcome {
    const body = this.#body;
    const at = this.#take(OUTCOME_SIZE);
    const error = body.readInt16LE(at + 2);
    expect(body[at]! < MAX_OPS && body[at + 1]! < RESULT_COUNT, `an outcome of op ${body[at]}: ${body[at + 1]}`);
    return {
      op: body[at]!,
      result: body[at + 1]!,
      ...(error !== 0 && { error: Math.abs(error) }),
      faults: body.readUInt16LE(at + 4),
      value: body.readUInt32LE(at + 8),
    };
  }

  #update(alive: number, changed: number, rawChanged: number): void {
    const before = this.#cells.slice();
    for (let i = 0; i < NR_CELLS; i++) {
      if (!((alive >> (i >> 3)) & 1)) this.#cells[i] = NOTHING;
      if ((changed >>> i) & 1) this.#cells[i] = this.#cell();
    }
    for (let i = 0; i < NR_CELLS; i++) {
      if ((rawChanged >>> i) & 1) this.#cells[i] = this.#withRaw(this.#cells[i]!);
      else if ((changed >>> i) & 1 && before[i]!.raw) this.#cells[i] = { ...this.#cells[i]!, raw: before[i]!.raw };
    }
    // Levels below "pagemap" send no cells at all.
    if (this.#rows.length === 0 && changed === 0) return;
    this.#rows = Array.from({ length: NR_MMS }, (_, mm) =>
      (alive >> mm) & 1 ? this.#cells.slice(mm * NR_PAGES, (mm + 1) * NR_PAGES) : undefined,
    );
  }

  #cell(): Cell {
    const at = this.#take(CELL_SIZE);
    const value = this.#body.readUInt32LE(at);
    const frame = this.#body.readUInt32LE(at + 4);
    const flags = this.#body.readUInt16LE(at + 8);
    const present = (flags & CELL.PRESENT) !== 0;
    const swap = !present && (flags & CELL.SWAP) !== 0;
    const marker = swap && (flags & CELL.MARKER) !== 0;
    const page = present && (flags & CELL.KNOWS_PAGE) !== 0;
    const scan = present && (flags & CELL.KNOWS_SCAN) !== 0;
    const has = (flag: number) => (flags & flag) !== 0;
    return {
      kind: present ? 'present' : marker ? 'marker' : swap ? 'swap' : 'none',
      uffdWp: this.#can.has('PAGEMAP_WP') ? has(CELL.UFFD_WP) : undefined,
      softDirty: this.#can.has('SOFT_DIRTY') ? has(CELL.SOFT_DIRTY) : undefined,
      frame: (present || (swap && !marker)) && this.#can.has('PFN') ? frame : undefined,
      zero: page || scan ? has(CELL.ZERO) : undefined,
      huge: scan ? has(CELL.HUGE) : undefined,
      mapcount: page ? this.#body.readUInt16LE(at + 10) : undefined,
      value: present && has(CELL.KNOWS_VALUE) ? value : undefined,
      raw: undefined,
      large: page ? has(CELL.THP) : undefined,
      swapCache: page ? has(CELL.SWAPCACHE) : undefined,
    };
  }

  #withRaw(cell: Cell): Cell {
    const body = this.#body;
    const at = this.#take(RAW_SIZE);
    const entry = body.readBigUInt64LE(at);
    const level = body[at + 8]!;
    const pins = body.readInt16LE(at + 10);
    const refs = body.readInt32LE(at + 12);
    const mapcount = body.readInt32LE(at + 16);
    if (level === 0 || cell.kind !== 'present') return { ...cell, raw: undefined };
    const page = cell.zero !== true;
    // Of a large folio only its own tables could tell how often it is mapped as a whole.
    const small = page && cell.large === false;
    const explained = mapcount + (cell.swapCache ? 1 : 0) + pins * (PIN_BIAS - 1);
    const raw: RawCell = {
      write: (entry & ENTRY_WRITE) !== 0n,
      dirty: (entry & ENTRY_DIRTY) !== 0n,
      exclusive: page ? body[at + 9]! !== 0 : undefined,
      pinned: page ? pins > 0 : undefined,
      extraRefs: small ? refs - explained > 0 : undefined,
    };
    return { ...cell, huge: this.#can.has('PAGEMAP_SCAN') ? cell.huge : level === 2, raw };
  }
}

/** Positions of the bits of a 64-bit mask, ascending. */
function bits(low: number, high: number): readonly number[] {
  if (low === 0 && high === 0) return NO_OPS;
  const found: number[] = [];
  for (let i = 0; i < 32; i++) if ((low >>> i) & 1) found.push(i);
  for (let i = 0; i < 32; i++) if ((high >>> i) & 1) found.push(32 + i);
  return found;
}
