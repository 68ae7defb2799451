// The vocabularies of the engine as data. The module describes itself; the names exist nowhere else in TypeScript.
import { UsageError, unknownName } from '../errors.js';
import { type OpInfo, parseOpRow } from './optable.js';
import type { KernelSpec } from './types.js';

/** 'environment': no kernel turns it on or off, the machine or the trial does. */
export type KnobKind = 'behaviour' | 'hunk' | 'cell' | 'mutant' | 'environment';

export interface KnobInfo {
  readonly id: number;
  readonly name: string;
  readonly kind: KnobKind;
  /** Commit, mail or patch that brought it. */
  readonly source: string;
  readonly doc: string;
}

/** Bit k % 64 of word k / 64 = knob k is on. */
export type KnobVector = readonly [bigint, bigint, bigint, bigint];

export interface KernelInfo {
  readonly id: number;
  readonly name: string;
  /** Kernel that it is described against; '' for the first. */
  readonly base: string;
  readonly source: string;
  readonly doc: string;
  readonly vector: KnobVector;
}

export interface InvariantInfo {
  readonly id: number;
  readonly slug: string;
  /** Who judges it. */
  readonly judge: string;
  readonly statement: string;
}

/** A decision of a handler function. */
export interface PointInfo {
  readonly id: number;
  readonly function: string;
  readonly decision: string;
}

export interface CounterInfo {
  readonly id: number;
  readonly name: string;
  readonly doc: string;
}

/** Reads the module's tables: section and index to one row, '' where the id is unused. */
export interface Describer {
  count(section: number): number;
  row(section: number, index: number): string;
  /** Vector of a kernel, read from address `kvec`. */
  vector(kernel: number, kvec: number): KnobVector;
}

const SECTION = { ops: 0, knobs: 1, kernels: 2, invariants: 3, points: 4, counters: 5, layout: 6 } as const;

export function knobOn(vector: KnobVector, id: number): boolean {
  return ((vector[id >> 6]! >> BigInt(id & 63)) & 1n) !== 0n;
}

export function withKnob(vector: KnobVector, id: number, on: boolean): KnobVector {
  const bit = 1n << BigInt(id & 63);
  const [a, b, c, d] = vector.map((word, i) => (i !== id >> 6 ? word : on ? word | bit : word & ~bit));
  return [a!, b!, c!, d!];
}

export class Catalogue {
  readonly ops: readonly OpInfo[];
  readonly knobs: readonly KnobInfo[];
  readonly kernels: readonly KernelInfo[];
  readonly invariants: readonly InvariantInfo[];
  readonly points: readonly PointInfo[];
  readonly counters: readonly CounterInfo[];
  /** Addresses, sizes, limits and bits of the binary interface. */
  readonly #layout: ReadonlyMap<string, bigint>;

  constructor(describe: Describer) {
    const rows = (section: number): [id: number, cells: string[]][] =>
      Array.from({ length: describe.count(section) }, (_, id): [number, string[]] => [
        id,
        describe.row(section, id).split('\t'),
      ]).filter(([, cells]) => cells[0] !== '');
    this.#layout = new Map(rows(SECTION.layout).map(([, [name, value]]) => [name!, BigInt(value!)]));
    this.ops = rows(SECTION.ops).map(([code, cells]) => parseOpRow(code, cells.join('\t')));
    this.knobs = rows(SECTION.knobs).map(([id, [name, kind, source, doc]]) => ({
      id,
      name: name!,
      kind: kind as KnobKind,
      source: source!,
      doc: doc!,
    }));
    this.kernels = rows(SECTION.kernels).map(([id, [name, base, source, doc]]) => ({
      id,
      name: name!,
      base: base!,
      source: source!,
      doc: doc!,
      vector: describe.vector(id, this.at('KVEC')),
    }));
    this.invariants = rows(SECTION.invariants).map(([id, [slug, judge, statement]]) => ({
      id,
      slug: slug!,
      judge: judge!,
      statement: statement!,
    }));
    this.points = rows(SECTION.points).map(([id, [where, decision]]) => ({
      id,
      function: where!,
      decision: decision ?? '',
    }));
    this.counters = rows(SECTION.counters).map(([id, [name, doc]]) => ({ id, name: name!, doc: doc! }));
  }

  /** A 64-bit constant of the layout. Throws if the module does not tell it. */
  bits(name: string): bigint {
    const value = this.#layout.get(name);
    if (value === undefined) throw new Error(`the module does not describe ${name}`);
    return value;
  }

  /** An address, size or limit of the layout. */
  at(name: string): number {
    return Number(this.bits(name));
  }

  /** Throws UsageError for an unknown name. */
  kernel(name: string): KernelInfo {
    const found = this.kernels.find((kernel) => kernel.name === name);
    if (found) return found;
    throw unknownName(
      'kernel',
      name,
      this.kernels.map((kernel) => kernel.name),
    );
  }

  /** Throws UsageError for an unknown name. */
  knob(name: string): KnobInfo {
    const found = this.knobs.find((knob) => knob.name === name);
    if (found) return found;
    throw unknownName(
      'knob',
      name,
      this.knobs.map((knob) => knob.name),
    );
  }

  invariant(id: number): InvariantInfo {
    const found = this.invariants.find((invariant) => invariant.id === id);
    if (!found) throw new Error(`the module does not describe invariant ${id}`);
    return found;
  }

  /** The knobs of a kernel with its changes applied. Throws UsageError for unknown names and contradictions. */
  vector(spec: KernelSpec): KnobVector {
    const contradiction = spec.with.find((name) => spec.without.includes(name));
    if (contradiction !== undefined) throw new UsageError(`knob ${contradiction} is asked for both with and without`);
    let { vector } = this.kernel(spec.kernel);
    for (const name of spec.with) vector = withKnob(vector, this.knob(name).id, true);
    for (const name of spec.without) vector = withKnob(vector, this.knob(name).id, false);
    return vector;
  }

  /** The vector of another kernel on the machine, and under the trial, that `spec` asks for. */
  elsewhere(kernel: string, spec: KernelSpec): KnobVector {
    const machine = (names: readonly string[]) => names.filter((name) => this.knob(name).kind === 'environment');
    return this.vector({ kernel, with: machine(spec.with), without: machine(spec.without) });
  }

  /** The knobs that are on in `vector`. */
  knobsOf(vector: KnobVector): KnobInfo[] {
    return this.knobs.filter(({ id }) => knobOn(vector, id));
  }
}
