// Programs for a comparison: drawn by the fuzzer's generator, op by op, as the kernel can express them.
import type { Engine } from '../engine/engine.js';
import { decodeOp, encodeOp, MAX_OPS, NO_FIELDS, RESULT } from '../engine/opword.js';
import type { KernelSpec } from '../engine/types.js';
import { Expresser } from './express.js';
import type { Capability, PageLayout } from './observed.js';

/** Programs of one set of swarm mixes. */
const SHARD = 4096;
/** Ops drawn for every op wanted, before a program is taken as it is. */
const PATIENCE = 6;
/** Of 16 ops that can do nothing, so many stay: what they do is nothing, on both sides. */
const KEEP_SKIPPED = 2;
/** Of 4 programs, so many end with a store to every page: the fault it takes, or not, tells the write bit. */
const PROBED = 1;
const MAX_PROBES = 8;
/** Of 4 programs of the PMD layout, so many map with THP throughout; the others as the generator has it. */
const HUGE = 3;

export interface GeneratorOptions {
  /** Model that the programs are made to fit. */
  readonly spec: KernelSpec;
  readonly seed: bigint;
  readonly layout: PageLayout;
  readonly can: ReadonlySet<Capability>;
  /** Ops per program, 1 .. 64. */
  readonly ops: number;
}

/** A pure function of the options and an index. */
export class ProgramGenerator {
  readonly options: GeneratorOptions;
  readonly #engine: Engine;
  readonly #expresser: Expresser;

  /** Throws UsageError for an unknown kernel, RangeError for other options out of range. */
  constructor(engine: Engine, options: GeneratorOptions) {
    if (options.ops < 1 || options.ops > MAX_OPS) throw new RangeError(`${options.ops} ops are no program`);
    this.options = options;
    this.#engine = engine;
    this.#expresser = new Expresser(engine, options.can, options.layout);
    engine.catalogue.vector(options.spec);
  }

  programs(first: number, count: number): Uint32Array[] {
    this.#engine.setJudges('off');
    this.#engine.configure(this.options.spec);
    return Array.from({ length: count }, (_, i) => this.#program(first + i));
  }

  #program(index: number): Uint32Array {
    const { seed, ops } = this.options;
    const expresser = this.#expresser;
    const { stepper } = expresser;
    const choice = mix(index);
    const probes = choice % 4 < PROBED ? Math.min(MAX_PROBES, ops >> 2) : 0;
    stepper.choose(seed, Math.floor(index / SHARD), index % SHARD);
    expresser.begin();
    for (let drawn = 0; drawn < PATIENCE * ops && expresser.length < ops - probes; drawn++) {
      const word = stepper.draw(drawn === 0);
      if (word === undefined) break;
      this.#offer(this.#mapping(word, choice), ops - probes, drawn + choice);
    }
    if (probes > 0) this.#probe(ops);
    return expresser.words;
  }

  /** More huge pages than the generator's mixes would map. */
  #mapping(word: number, choice: number): number {
    const { vocabulary } = this.#expresser;
    const fields = decodeOp(word);
    if (this.options.layout !== 'pmd' || fields.code !== vocabulary.code('mmap')) return word;
    if ((choice >>> 8) % 4 >= HUGE) return word;
    return encodeOp({ ...fields, flags: fields.flags | vocabulary.flag('mmap', 'thp') });
  }

  #offer(word: number, room: number, salt: number): void {
    const expresser = this.#expresser;
    const { stepper } = expresser;
    const before = stepper.save();
    const length = expresser.length;
    const result = expresser.offer(word, room);
    if (result !== RESULT.SKIP || mix(salt) % 16 < KEEP_SKIPPED) return;
    stepper.restore(before);
    expresser.truncate(length);
  }

  /** Stores to mapped pages, for as long as there is room. */
  #probe(room: number): void {
    const write = this.#expresser.vocabulary.code('write');
    for (const [mm, page] of this.#expresser.mappedPages()) {
      this.#expresser.offer(encodeOp({ ...NO_FIELDS, code: write, mm, page }), room);
    }
  }
}

/** 32 bits scrambled (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
