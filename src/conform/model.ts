// The model as a place where programs run: every op projected to what user space, and a debugger, would see.
import { CellReader, LEAF, type RawLeaf } from '../engine/cells.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import { decodeObservation } from '../engine/observation.js';
import { MAX_OPS, MM_NAMES, PAGE_COUNT, RESULT } from '../engine/opword.js';
import { Stepper } from '../engine/stepper.js';
import type { KernelSpec } from '../engine/types.js';
import type { Backend, Capability, Cell, FaultEvent, Observed, Outcome, Run } from './observed.js';
import { CAPABILITIES } from './protocol.js';

const NR_CELLS = MM_NAMES.length * PAGE_COUNT;
const NOTHING: Cell = { kind: 'none', uffdWp: false };
const NO_EVENTS: readonly FaultEvent[] = [];
/** The whole of it: it looks into itself, so nothing is hidden. */
const ALL: ReadonlySet<Capability> = new Set(CAPABILITIES);

/** Cells of the running program; those that did not change are the same objects as after the op before. */
class Projection {
  readonly #reader: CellReader;
  readonly #cells: Cell[] = new Array<Cell>(NR_CELLS).fill(NOTHING);
  /** Per cell: all that it was made of. */
  readonly #made = new Int32Array(NR_CELLS * 4);
  readonly #leaf: RawLeaf = { kind: 0, low: 0, high: 0, huge: false, frame: 0, vma: 0 };

  constructor(reader: CellReader) {
    this.#reader = reader;
  }

  begin(): void {
    this.#cells.fill(NOTHING);
    this.#made.fill(-1);
  }

  rows(): readonly (readonly Cell[] | undefined)[] {
    const rows: (readonly Cell[] | undefined)[] = [];
    for (let mm = 0; mm < MM_NAMES.length; mm++) {
      if (!this.#reader.alive(mm)) {
        rows.push(undefined);
        continue;
      }
      for (let page = 0; page < PAGE_COUNT; page++) this.#look(mm, page);
      rows.push(this.#cells.slice(mm * PAGE_COUNT, (mm + 1) * PAGE_COUNT));
    }
    return rows;
  }

  #look(mm: number, page: number): void {
    const reader = this.#reader;
    const leaf = this.#leaf;
    reader.leaf(mm, page, leaf);
    let about = 0;
    if (leaf.kind === LEAF.PRESENT && !reader.special(leaf.frame)) {
      const { frame } = leaf;
      about =
        reader.mapcount(frame) |
        (reader.version(frame) << 8) |
        ((reader.flags(frame) & 0xf) << 16) |
        (reader.exclusive(frame, leaf.huge) ? 1 << 20 : 0) |
        (reader.pinned(frame) ? 1 << 21 : 0) |
        (reader.swapCache(frame) ? 1 << 22 : 0) |
        (reader.extraRefs(frame) > 0 ? 1 << 23 : 0);
    }
    const i = mm * PAGE_COUNT + page;
    const made = this.#made;
    const vma = leaf.vma | (leaf.huge ? 1 << 16 : 0);
    if (
      made[4 * i] === (leaf.low | 0) &&
      made[4 * i + 1] === (leaf.high | 0) &&
      made[4 * i + 2] === about &&
      made[4 * i + 3] === vma
    )
      return;
    made[4 * i] = leaf.low;
    made[4 * i + 1] = leaf.high;
    made[4 * i + 2] = about;
    made[4 * i + 3] = vma;
    this.#cells[i] = this.#cell(leaf);
  }

  #cell(leaf: RawLeaf): Cell {
    const reader = this.#reader;
    const { is } = reader;
    // pagemap shows a page of a new VMA as soft-dirty whatever its entry says.
    const fresh = (leaf.vma & is.vmSoftDirty) !== 0;
    const has = (bit: number) => (leaf.low & bit) !== 0;
    switch (leaf.kind) {
      case LEAF.NONE:
        return made({ kind: 'none', uffdWp: false, softDirty: fresh });
      case LEAF.MARKER:
        return made({
          kind: 'marker',
          uffdWp: (leaf.frame & is.markerUffdWp) !== 0 || has(is.swpUffdWp),
          softDirty: fresh || has(is.swpSoftDirty),
        });
      case LEAF.MIGRATION:
      case LEAF.SWAP:
        return made({
          kind: 'swap',
          uffdWp: has(is.swpUffdWp),
          softDirty: fresh || has(is.swpSoftDirty),
          frame: leaf.frame,
        });
    }
    const { frame, huge } = leaf;
    const zero = reader.special(frame);
    const large = !zero && (reader.flags(frame) & is.pgCompound) !== 0;
    return made({
      kind: 'present',
      uffdWp: has(is.uffdWp),
      softDirty: fresh || has(is.softDirty),
      frame,
      zero,
      huge,
      mapcount: zero ? 0 : reader.mapcount(frame),
      value: reader.version(frame),
      raw: {
        write: has(is.write),
        dirty: has(is.dirty),
        exclusive: zero ? undefined : reader.exclusive(frame, huge),
        pinned: zero ? undefined : reader.pinned(frame),
        extraRefs: zero || large ? undefined : reader.extraRefs(frame) > 0,
      },
      large: zero ? undefined : large,
      swapCache: zero ? undefined : reader.swapCache(frame),
    });
  }
}

/** All fields in one order, so that the comparison meets one kind of object. */
function made(cell: Cell): Cell {
  return {
    kind: cell.kind,
    uffdWp: cell.uffdWp,
    softDirty: cell.softDirty,
    frame: cell.frame,
    zero: cell.zero,
    huge: cell.huge,
    mapcount: cell.mapcount,
    value: cell.value,
    raw: cell.raw,
    large: cell.large,
    swapCache: cell.swapCache,
  };
}

/** Runs programs on the configured engine. The caller owns the engine and sets its kernel. */
export class ModelRunner {
  readonly stepper: Stepper;
  readonly #reader: CellReader;
  readonly #projection: Projection;
  readonly #scan: number;
  readonly #program: number;
  readonly #observations: { at: number; count: number; results: number; faults: number };

  constructor(engine: Engine) {
    this.stepper = new Stepper(engine);
    this.#reader = new CellReader(engine);
    this.#projection = new Projection(this.#reader);
    const at = (name: string) => engine.catalogue.at(name);
    this.#scan = engine.catalogue.ops.find(({ name }) => name === 'pagemap_scan')!.code;
    this.#program = at('PROGRAM');
    this.#observations = { at: at('OBS'), count: at('OBS_COUNT'), results: at('RESULTS'), faults: at('FAULTS_TAKEN') };
  }

  run(words: Uint32Array): Run {
    this.stepper.begin();
    this.#projection.begin();
    const ops: Observed[] = [];
    let asleep: readonly number[] = [];
    for (let i = 0; i < words.length; i++) {
      const result = this.stepper.run(words[i]!, i);
      this.#reader.refresh();
      const seen = this.#observe(i, result, asleep);
      asleep = this.#reader.asleep();
      ops.push({ ...seen, asleep: asleep.toSorted((a, b) => a - b), cells: this.#projection.rows() });
    }
    return { ops };
  }

  /** The world that a program ends in, as one string: nothing is observed on the way. */
  end(words: Uint32Array): string {
    this.stepper.begin();
    for (let i = 0; i < words.length; i++) this.stepper.run(words[i]!, i);
    const { engine } = this.stepper;
    // What lies behind the sleepers is scratch of the last op.
    const used = engine.catalogue.at('SLEEPERS') - engine.catalogue.at('WORLD');
    return Buffer.from(engine.snapshot().subarray(0, used)).toString('latin1');
  }

  #observe(index: number, result: number, before: readonly number[]): Omit<Observed, 'asleep' | 'cells'> {
    const { buffer } = this.stepper.engine.module.memory;
    const { at, count, results, faults } = this.#observations;
    const n = new DataView(buffer).getUint32(count, true);
    const records = new Uint32Array(buffer, at, n);
    const words = new Uint32Array(buffer, this.#program, MAX_OPS);
    let events: FaultEvent[] | undefined;
    const values = new Map<number, number>();
    // Threads that the op woke, in the order in which they went on.
    const order: number[] = [];
    for (const record of records) {
      const { kind, mm, page, op, version, flags } = decodeObservation(record);
      if (op !== index && !order.includes(op)) order.push(op);
      if (kind === 'event') {
        events ??= [];
        events.push({ mm, page, op, write: (flags & 1) !== 0, wp: (flags & 2) === 0 });
      } else if (kind === 'load' || kind === 'hread') values.set(op, version);
      else if (kind === 'syscall' && (words[op]! & 63) === this.#scan) values.set(op, version);
    }
    const taken = new Uint8Array(buffer, faults, MAX_OPS);
    const ended = (op: number, code: number): Outcome => ({
      op,
      result: code,
      faults: taken[op]!,
      value: values.get(op),
    });
    const outcomes: Outcome[] = result === RESULT.SLEEP ? [] : [ended(index, result)];
    const woken = before.filter((op) => new Uint8Array(buffer, results)[op]! !== RESULT.SLEEP);
    // One that ends without a trace came in its usual place.
    const told = woken.every((op) => order.includes(op)) ? order.filter((op) => woken.includes(op)) : woken;
    for (const op of told) outcomes.push(ended(op, new Uint8Array(buffer, results)[op]!));
    return { result, events: events ?? NO_EVENTS, outcomes };
  }
}

export class ModelBackend implements Backend {
  readonly release: string;
  readonly missing: readonly string[] = [];
  readonly can = ALL;
  readonly spec: KernelSpec;
  readonly #engine: Engine;
  readonly #runner: ModelRunner;

  /** `engine`: one of its own by default, or one whose kernel is set before every run. Throws UsageError. */
  constructor(spec: KernelSpec, engine: Engine = loadEngine()) {
    this.spec = spec;
    this.release = `model ${spec.kernel}`;
    this.#engine = engine;
    engine.catalogue.vector(spec);
    engine.setJudges('off');
    this.#runner = new ModelRunner(engine);
  }

  runSync(programs: readonly Uint32Array[]): Run[] {
    this.#engine.configure(this.spec);
    return programs.map((words) => this.#runner.run(words));
  }

  async run(programs: readonly Uint32Array[]): Promise<readonly Run[]> {
    return this.runSync(programs);
  }

  async close(): Promise<void> {}
}
