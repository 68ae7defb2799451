// The reference memory as data: what a program has been promised by now. The bytes are described in
// assembly/oracle/promises.ts; test/export.test.ts holds the two together.
import type { Engine } from '../engine/engine.js';
import { HANDLE_COUNT, MAX_OPS } from '../engine/opword.js';

const MM_BYTES = 32;
const HANDLES_AT = 96;
const HELD_AT = 131;
const AUTHORS_AT = 144;
const MASKS = { mapped: 8, writable: 9, protected: 10, maybe: 11, registered: 12, dirty: 13, freed: 24 } as const;
const LIFE = 16;
/** Not judged until the next store or zap. */
const WILD = 0xff;
const STATE = { PIN: 1, STRICT: 2, UNJUDGED: 16, MOVED: 32 } as const;

/** A GUP handle that somebody holds. */
export interface Held {
  readonly handle: number;
  readonly mm: number;
  readonly page: number;
  /** It shows what its owner sees, whoever of the two stores. */
  readonly strictPin: boolean;
  /** Values that a read may show; undefined = any. */
  readonly shows: readonly number[] | undefined;
}

/** Promises after the last op that the engine ran. Masks: bit = page. */
export class Reference {
  readonly #bytes: DataView;

  constructor(engine: Engine) {
    const copy = engine.bytes('REFERENCE', engine.catalogue.at('REFERENCE_SIZE')).slice();
    this.#bytes = new DataView(copy.buffer);
  }

  alive(mm: number): boolean {
    return this.#life(mm) !== 0;
  }
  mask(mm: number, which: keyof typeof MASKS): number {
    return this.#bytes.getUint8(mm * MM_BYTES + MASKS[which]);
  }
  has(mm: number, which: keyof typeof MASKS, page: number): boolean {
    return ((this.mask(mm, which) >> page) & 1) !== 0;
  }
  /** What a load returns: index + 1 of the op that wrote it, 0 = zeroes; undefined = nothing is promised. */
  value(mm: number, page: number): number | undefined {
    const version = this.#bytes.getUint8(mm * MM_BYTES + page);
    return version === WILD ? undefined : version;
  }
  /** All that a load may return: what was given up by MADV_FREE may be zeroes already. */
  values(mm: number, page: number): readonly number[] | undefined {
    const value = this.value(mm, page);
    if (value === undefined) return undefined;
    return value !== 0 && this.has(mm, 'freed', page) ? [value, 0] : [value];
  }
  held(): Held[] {
    const held = this.#bytes.getUint8(HELD_AT);
    return Array.from({ length: HANDLE_COUNT }, (_, handle) => handle)
      .filter((handle) => (held >> handle) & 1)
      .map((handle) => this.#handle(handle));
  }

  #life(mm: number): number {
    return this.#bytes.getUint8(mm * MM_BYTES + LIFE);
  }
  #handle(handle: number): Held {
    const at = HANDLES_AT + 8 * handle;
    const byte = (offset: number) => this.#bytes.getUint8(at + offset);
    const [state, mm, page, life] = [byte(0), byte(1), byte(2), byte(3)];
    const strictPin = (state & STATE.PIN) !== 0 && (state & STATE.STRICT) !== 0;
    const some = { handle, mm, page, strictPin };
    if ((state & STATE.UNJUDGED) !== 0) return { ...some, shows: undefined };
    if (strictPin) {
      const value = this.value(mm, page);
      return { ...some, shows: value === undefined ? undefined : [value] };
    }
    const since = this.#bytes.getUint16(at + 6, true);
    const own = Array.from({ length: MAX_OPS }, (_, k) => k + 1).filter((version) => {
      const author = this.#bytes.getUint32(AUTHORS_AT + 4 * version, true);
      const here = (state & STATE.MOVED) !== 0 ? (author & 0xff) === life : (author & 0x7fff) === (life | (page << 8));
      return here && author >>> 16 > since;
    });
    return { ...some, shows: [...new Set([byte(4), ...own])] };
  }
}
