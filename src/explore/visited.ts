// One thread's hand on the visited set.
import { Control, Gate } from './control.js';
import { Growth } from './growth.js';
import { instantiate, type VisitedExports, type VisitedSetup } from './table.js';

/** One thread's hand on the set. Throws Error where fingerprints crowd so much that the table cannot hold them. */
export class Visited {
  readonly gate: Gate;
  readonly #control: Control;
  readonly #setup: VisitedSetup;
  readonly #wasm: VisitedExports;
  readonly #slice: number;
  readonly #in: BigUint64Array;
  readonly #inWords: Uint32Array;
  readonly #out: Uint8Array;
  readonly #exact: boolean;
  #fresh: Uint8Array;
  #epoch = -1;

  /** `thread`: 0 .. threads - 1, each once. */
  constructor(setup: VisitedSetup, thread: number) {
    this.#setup = setup;
    this.#control = new Control(setup.control);
    const wasm = instantiate(setup.module, setup.memory);
    this.#wasm = wasm;
    const growth = new Growth(setup, this.#control, wasm, (parts) => this.gate.share(parts));
    this.gate = new Gate(
      this.#control,
      () => growth.rebuild(),
      (part) => growth.movePart(part),
    );
    this.#slice = Number(wasm.SLICE.value);
    const area = Number(wasm.AREAS.value) + thread * Number(wasm.AREA_SIZE.value);
    if (area + Number(wasm.AREA_SIZE.value) > setup.at)
      throw new Error(`the visited set was not made for thread ${thread}`);
    wasm.configure(area);
    this.#exact = setup.kind.kind === 'exact';
    if (setup.kind.kind === 'bits') wasm.setFilter(setup.at, setup.kind.log2, setup.kind.hashes);
    const { buffer } = setup.memory;
    this.#in = new BigUint64Array(buffer, area, this.#slice);
    this.#inWords = new Uint32Array(buffer, area, 2 * this.#slice);
    this.#out = new Uint8Array(buffer, area + 8 * this.#slice, this.#slice);
    this.#fresh = new Uint8Array(this.#slice);
  }

  /**
   * Enters fingerprints, none of them 0. Returns one byte each, 1 = seen for the first time; valid until the next call.
   * Returns undefined if memory was used up on the way: the search was told to stop, and a part may have been entered.
   * The thread is to be inside the gate.
   */
  insert(prints: BigUint64Array): Uint8Array | undefined {
    const n = prints.length;
    if (n <= this.#slice) return this.#insertSlice(prints) ? this.#out : undefined;
    const fresh = this.#room(n);
    for (let first = 0; first < n; first += this.#slice) {
      const slice = prints.subarray(first, first + this.#slice);
      if (!this.#insertSlice(slice)) return undefined;
      fresh.set(this.#out.subarray(0, slice.length), first);
    }
    return fresh;
  }

  /** As `insert`, but enters nothing: 1 = not in the set. */
  missing(prints: BigUint64Array): Uint8Array {
    const n = prints.length;
    this.#refresh();
    const ask = this.#exact ? this.#wasm.missing : this.#wasm.missingBits;
    if (n <= this.#slice) {
      this.#in.set(prints);
      ask(n);
      return this.#out;
    }
    const absent = this.#room(n);
    for (let first = 0; first < n; first += this.#slice) {
      const slice = prints.subarray(first, first + this.#slice);
      this.#in.set(slice);
      ask(slice.length);
      absent.set(this.#out.subarray(0, slice.length), first);
    }
    return absent;
  }

  /**
   * Enters one fingerprint, given as its low and high half. Returns 1 if it is new, 0 if not, -1 if memory is used up.
   */
  insertOne(low: number, high: number): number {
    if (!this.#reserve(1)) return -1;
    this.#inWords[0] = low;
    this.#inWords[1] = high;
    return this.#insertIn(1);
  }

  #insertSlice(prints: BigUint64Array): boolean {
    if (!this.#reserve(prints.length)) return false;
    this.#in.set(prints);
    this.#insertIn(prints.length);
    return true;
  }

  /** Enters what stands in the area, for which there is room; returns how many were new. */
  #insertIn(n: number): number {
    if (!this.#exact) return this.#wasm.insertBits(n);
    this.#refresh();
    const fresh = this.#wasm.insert(n);
    if (fresh < 0) throw new Error('the visited set is full at one place: the fingerprints are not well mixed');
    this.#control.add('count', fresh - n);
    return fresh;
  }

  #room(n: number): Uint8Array {
    if (this.#fresh.length < n) this.#fresh = new Uint8Array(n);
    return this.#fresh;
  }

  /** Makes sure that `n` more entries fit. False if they cannot. */
  #reserve(n: number): boolean {
    if (!this.#exact) return true;
    const control = this.#control;
    for (;;) {
      if (this.gate.shut) this.gate.wait();
      if (control.add('count', n) + n <= control.get('limit')) return true;
      control.add('count', -n);
      if (control.stopped === 'memory') return false;
      this.gate.wait();
    }
  }

  #refresh(): void {
    const epoch = this.#control.get('epoch');
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    if (this.#exact) this.#wasm.setTable(this.#setup.at, this.#control.get('lines'));
  }
}
