// One instance of the engine with typed methods: the rest of src never sees an address.
import { UsageError } from '../errors.js';
import { Catalogue, type Describer, type KnobVector } from './catalogue.js';
import { loadModule } from './load.js';
import type { EngineModule } from './module.js';
import { wordError } from './optable.js';
import { MAX_OPS } from './opword.js';
import { decodeTrace, type TraceRecord } from './trace.js';
import { trapped } from './trap.js';
import type { KernelSpec, Violation } from './types.js';
import { decodeViolation, VIOLATION_SIZE } from './violation.js';

/** What the judges say of one program. */
export interface Verdict {
  /** Invariants broken, bit = id; 0 = every promise kept. */
  readonly mask: number;
  /** At most 8 records, the first one first. */
  readonly violations: readonly Violation[];
}

/** The world and the reference memory between two steps. */
export interface SavedState {
  readonly world: Uint8Array;
  readonly reference: Uint8Array;
}

/** How much is judged: nothing; touched entries after each op and the world at the end; the world after every op. */
export type JudgeMode = 'off' | 'touched' | 'world';

const JUDGE_MODES: readonly JudgeMode[] = ['off', 'touched', 'world'];
const INVALID = 0x80000000;

export class Engine {
  readonly catalogue: Catalogue;
  readonly module: EngineModule;

  constructor(module: EngineModule) {
    this.module = module;
    const describer: Describer = {
      count: (section) => module.describe_count(section),
      row: (section, index) => module.__getString(module.describe(section, index)),
      vector: (kernel, kvec) => {
        module.kernel_vector(kernel);
        const words = new BigUint64Array(module.memory.buffer, kvec, 4);
        return [words[0]!, words[1]!, words[2]!, words[3]!];
      },
    };
    this.catalogue = trapped(() => new Catalogue(describer));
  }

  /** Chooses the kernel on trial. Throws UsageError for unknown names. */
  configure(spec: KernelSpec): void {
    this.configureVector(this.catalogue.vector(spec));
  }

  configureVector(vector: KnobVector): void {
    new BigUint64Array(this.module.memory.buffer, this.catalogue.at('KVEC'), vector.length).set(vector);
    trapped(() => this.module.configure());
  }

  setJudges(mode: JudgeMode): void {
    this.module.set_judges(JUDGE_MODES.indexOf(mode));
  }

  /** Runs a program from an empty world to its end or its first violation. Throws UsageError for an invalid program. */
  run(program: Uint32Array): Verdict {
    this.mask(program);
    return this.verdict();
  }

  /** As `run`; returns the mask of broken invariants alone. */
  mask(program: Uint32Array): number {
    this.#load(program);
    const mask = trapped(() => this.module.run_program(program.length)) >>> 0;
    if (mask === INVALID) throw new UsageError('the engine refuses the program');
    return mask;
  }

  /** Loads a program and empties the world, for `step`. Throws UsageError for an invalid program. */
  begin(program: Uint32Array): void {
    this.#load(program);
    trapped(() => this.module.begin_program());
  }

  /** Runs op `index` of `n`, or the pair that begins there, and judges it; returns how many ops that were. */
  step(index: number, n: number): number {
    const consumed = trapped(() => this.module.step_program(index, n));
    if (consumed === 0) throw new UsageError(`the engine refuses op ${index + 1}`);
    return consumed;
  }

  /** Judges the whole world after `n` ops. */
  finish(n: number): Verdict {
    const mask = trapped(() => this.module.finish_program(n)) >>> 0;
    if (mask === INVALID) throw new UsageError('the engine refuses the program');
    return this.verdict();
  }

  /** Mask of invariants found broken so far in the current program. */
  brokenSoFar(): number {
    return new DataView(this.module.memory.buffer).getUint32(this.catalogue.at('VIOLATION'), true);
  }

  /** What was found broken so far in the current program. */
  verdict(): Verdict {
    const at = this.catalogue.at('VIOLATION');
    const view = new DataView(this.module.memory.buffer, at);
    const violations = Array.from({ length: view.getUint32(4, true) }, (_, i) =>
      decodeViolation(view, 8 + VIOLATION_SIZE * i),
    );
    return { mask: view.getUint32(0, true), violations };
  }

  /** Result code of op `index` of the current program (R of assembly/ops/table.ts). */
  result(index: number): number {
    return this.bytes('RESULTS', MAX_OPS)[index]!;
  }

  /** Results of the first `n` ops, a copy. */
  results(n: number): Uint8Array {
    return this.bytes('RESULTS', n).slice();
  }

  /**
   * Faults that the thread of op `index` has completed so far, as getrusage would count them: a fault that ended in
   * sleep or an error does not count, the one after waking does, and so do those that GUP took for its caller.
   */
  faults(index: number): number {
    return this.bytes('FAULTS_TAKEN', MAX_OPS)[index]!;
  }

  /** A copy of the world: `readWorld` makes it readable. */
  snapshot(): Uint8Array {
    return this.bytes('WORLD', this.catalogue.at('WORLD_SIZE')).slice();
  }

  /** Everything that the rest of a program depends on; `restore` brings it back. */
  save(): SavedState {
    return { world: this.snapshot(), reference: this.bytes('REFERENCE', this.catalogue.at('REFERENCE_SIZE')).slice() };
  }

  restore({ world, reference }: SavedState): void {
    this.bytes('WORLD', world.length).set(world);
    this.bytes('REFERENCE', reference.length).set(reference);
  }

  /** Observation records of the last op (assembly/mm/observe.ts). */
  observations(): Uint32Array {
    const { catalogue } = this;
    const count = new DataView(this.module.memory.buffer).getUint32(catalogue.at('OBS_COUNT'), true);
    return new Uint32Array(this.module.memory.buffer, catalogue.at('OBS'), count).slice();
  }

  /** Starts (emptying the trace) or stops recording of decisions and leaf writes. */
  setTracing(on: boolean): void {
    this.module.set_tracing(on ? 1 : 0);
  }

  /** What was recorded since tracing was turned on. */
  trace(): TraceRecord[] {
    const count = this.module.trace_count();
    return decodeTrace(this.bytes('TRACE', count * 16), count);
  }

  counter(name: string): number {
    const info = this.catalogue.counters.find((counter) => counter.name === name);
    if (!info) throw new Error(`the module has no counter ${name}`);
    const at = this.catalogue.at('COUNTERS') + 8 * info.id;
    return Number(new DataView(this.module.memory.buffer).getBigUint64(at, true));
  }

  /** Bytes of the module's memory from the layout constant `name`; valid until memory grows. */
  bytes(name: string, length: number): Uint8Array {
    return new Uint8Array(this.module.memory.buffer, this.catalogue.at(name), length);
  }

  #load(program: Uint32Array): void {
    if (program.length === 0 || program.length > MAX_OPS)
      throw new UsageError(`a program has 1 to ${MAX_OPS} operations, this one has ${program.length}`);
    for (const [i, word] of program.entries()) {
      const error = wordError(this.catalogue.ops, word);
      if (error !== undefined) throw new UsageError(`op ${i + 1} is invalid: ${error}`);
    }
    new Uint32Array(this.module.memory.buffer, this.catalogue.at('PROGRAM'), MAX_OPS).set(program);
  }
}

/** A new engine; workers call it once each. */
export function loadEngine(url?: URL): Engine {
  return new Engine(loadModule(url));
}
