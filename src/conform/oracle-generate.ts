// Programs for a kernel under judgement, as it can do them: what reached something new in the model goes first, and what
// breaks a promise there. That is a hint and no more: the kernel is judged by what it shows itself.
import { Learned } from '../campaign/knowledge.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { encodeOp, HANDLE_COUNT, MAX_OPS, NO_FIELDS, RESULT } from '../engine/opword.js';
import { Expresser } from './express.js';
import { type GeneratorOptions, ProgramGenerator } from './generate.js';
import { JUDGED } from './oracle-witness.js';

/** Programs that the model runs, guided, whenever there is nothing new left to send. */
const LESSON = 1000;
const LESSON_CALL = 100;
/** Lessons before the first program, so that what the model knows to be broken comes early. */
const FIRST_LESSONS = 12;
const DUE_MAX = 1000;
/** A lesson that brought nothing new is not repeated before so many programs. */
const PAUSE = 2000;
/** Of 8 programs: so many that the model's guidance found, and so many that begin as one of those; the rest is fresh. */
const FOUND = 3;
const EXTENDED = 3;
const CORPUS_MAX = 2000;
/** Ops drawn for every op wanted, before a program is taken as it is. */
const PATIENCE = 6;
/** Its own random streams, apart from those of fresh programs. */
const EXTENDED_SHARD = 0x8000_0000;
const SHARD = 4096;

/** A pure function of the options and of how many programs were asked for before. */
export class GuidedPrograms {
  readonly #fresh: ProgramGenerator;
  readonly #expresser: Expresser;
  readonly #engine: Engine;
  readonly #options: GeneratorOptions;
  readonly #fuzzer: Fuzzer;
  readonly #learned: Learned;
  readonly #corpus: Uint32Array[] = [];
  /** Ids of the promises that can be judged on a real kernel. */
  readonly #judged: ReadonlySet<number>;
  #failing: Uint32Array[] = [];
  #due: Uint32Array[] = [];
  #lessons = 0;
  #pause = 0;
  #made = 0;

  /** Throws UsageError for an unknown kernel, RangeError for options out of range. */
  constructor(engine: Engine, options: GeneratorOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#fresh = new ProgramGenerator(engine, options);
    this.#expresser = new Expresser(engine, options.can, options.layout);
    const { invariants } = engine.catalogue;
    this.#judged = new Set(invariants.filter(({ slug }) => JUDGED.includes(slug)).map(({ id }) => id));
    // Of its own: a campaign of the model must not disturb the world in which programs grow.
    const pupil = loadEngine();
    pupil.configure(options.spec);
    this.#fuzzer = new Fuzzer(pupil);
    this.#learned = new Learned(pupil.catalogue.at('COVERAGE_SIZE'), pupil.catalogue.at('STATES_SIZE'));
  }

  next(count: number): Uint32Array[] {
    const programs: Uint32Array[] = [];
    while (programs.length < count) programs.push(this.#one(this.#made++));
    return programs;
  }

  #one(index: number): Uint32Array {
    const turn = index % 8;
    if (turn < FOUND) {
      while (this.#lessons < FIRST_LESSONS) this.#lesson(0);
      if (this.#due.length === 0 && index >= this.#pause) this.#lesson(index);
      const found = this.#failing.shift() ?? this.#due.shift();
      if (found) {
        if (this.#corpus.length < CORPUS_MAX) this.#corpus.push(found);
        return found;
      }
    }
    if (turn < FOUND + EXTENDED && this.#corpus.length > 0) return this.#extended(index);
    const [fresh] = this.#fresh.programs(index, 1);
    this.#expresser.program(fresh!);
    return this.#looked();
  }

  /** The program in the making, and a look through every handle that is held at its end. */
  #looked(): Uint32Array {
    const expresser = this.#expresser;
    const { stepper, vocabulary } = expresser;
    const code = vocabulary.code('hread');
    for (let handle = 0; handle < HANDLE_COUNT; handle++) {
      const before = stepper.save();
      const { length } = expresser;
      if (expresser.offer(encodeOp({ ...NO_FIELDS, code, y: handle }), MAX_OPS) !== RESULT.SKIP) continue;
      stepper.restore(before);
      expresser.truncate(length);
    }
    return expresser.words;
  }

  /** The model runs a shard of guided programs; those that reached something new are due. */
  #lesson(index: number): void {
    this.#fuzzer.begin(this.#options.seed, this.#lessons++, 'guided', true, this.#learned.snapshot());
    for (let first = 0; first < LESSON; first += LESSON_CALL) this.#fuzzer.run(first, LESSON_CALL);
    const novel = this.#fuzzer.novel();
    const failing = this.#fuzzer.failures().filter(({ violation }) => this.#judged.has(violation.invariant));
    this.#learned.merge({ ...this.#fuzzer.coverage(), novel, keys: this.#fuzzer.keys() });
    this.#begin();
    for (const { reduced } of failing) this.#express(reduced, this.#failing);
    for (const { words } of novel) if (this.#due.length < DUE_MAX) this.#express(words, this.#due);
    if (this.#due.length === 0) this.#pause = index + PAUSE;
  }

  #express(words: Uint32Array, queue: Uint32Array[]): void {
    this.#expresser.program(words, this.#options.ops);
    const expressed = this.#looked();
    if (expressed.length > 1) queue.push(expressed);
  }

  /** Begins as a program of the corpus does, and goes on as the generator draws. */
  #extended(index: number): Uint32Array {
    const { seed, ops } = this.#options;
    const expresser = this.#expresser;
    this.#begin();
    const base = this.#corpus[(index * 7) % this.#corpus.length]!;
    const kept = 1 + ((index >> 3) % base.length);
    expresser.program(base.subarray(0, kept), ops);
    expresser.stepper.choose(seed, EXTENDED_SHARD + Math.floor(index / SHARD), index % SHARD);
    for (let drawn = 0; drawn < PATIENCE * ops && expresser.length < ops; drawn++) {
      const word = expresser.stepper.draw(false);
      if (word === undefined) break;
      expresser.offer(word, ops);
    }
    return this.#looked();
  }

  #begin(): void {
    this.#engine.setJudges('off');
    this.#engine.configure(this.#options.spec);
  }
}
