// The fault handler as a subject of the search: one engine instance, driven through the exports of
// assembly/search/subject.ts.
import { type Engine, loadEngine } from '../engine/engine.js';
import type { EngineModule } from '../engine/module.js';
import { decodeOp, MAX_OPS, PAGE_COUNT, pagesOf } from '../engine/opword.js';
import { trapped } from '../engine/trap.js';
import { decodeViolation } from '../engine/violation.js';
import type { Edges } from './graph.js';
import type { BrokenPath, Subject, SubjectCounters, SubjectSpec, Symmetry } from './types.js';

export type EngineSpec = Extract<SubjectSpec, { readonly kind: 'engine' }>;

interface SearchExports extends EngineModule {
  search_alphabet(): number;
  search_page_orders(): number;
  search_begin(symmetry: number, mms: number, pages: number, orders: number, singles: number, pairs: number): number;
  search_against(): void;
  search_most_asleep(threads: number): void;
  search_in(): number;
  search_out(): number;
  search_fresh(): number;
  search_fingerprints(): number;
  search_expand(count: number, depth: number): number;
  search_edges(count: number, depth: number): number;
  search_origins(): number;
  search_locate(depth: number): bigint;
  search_collect(): number;
  search_fingerprint(): bigint;
  search_digest(depth: number): bigint;
  search_transitions(): bigint;
  search_given(): bigint;
  search_exhausted(): bigint;
  search_broken(): number;
  search_broken_at(): number;
}

/** As assembly/search/subject.ts has them. */
const MAX_CANDIDATES = 0x10000;
const BROKEN_SIZE = 16 + 4 * MAX_OPS;
const LEVELS: Readonly<Record<Symmetry, number>> = { none: 0, frames: 1, mms: 2, full: 2 };

/** The pages of a mask, ascending. */
function pagesIn(mask: number): number[] {
  return Array.from({ length: PAGE_COUNT }, (_, page) => page).filter((page) => (mask >> page) & 1);
}

function permutations(pages: readonly number[]): number[][] {
  if (pages.length <= 1) return [[...pages]];
  return pages.flatMap((page) => permutations(pages.filter((other) => other !== page)).map((rest) => [page, ...rest]));
}

/**
 * Orders of the pages that no op tells apart, the ascending one first. Pages are alike only if none of them has a
 * neighbour (which VMAs merge with which is decided from the left), no op names a range (ranges are walked from the
 * left, and some calls stop midway), and each table keeps its pages.
 */
export function pageOrders({ alphabet, pairs, pages, symmetry }: EngineSpec): number[][] {
  const all = pagesIn(pages);
  const single = [...alphabet, ...pairs].every((word) => pagesOf(decodeOp(word).page).length === 1);
  const apart = all.every((page) => !all.includes(page + 1));
  if (symmetry !== 'full' || !single || !apart || all.length > 4) return [all];
  const tables = (order: readonly number[]) => {
    const moves = new Set(order.map((page, place) => `${all[place]! >> 2} ${page >> 2}`));
    const used = new Set(all.map((page) => page >> 2)).size;
    return moves.size === used;
  };
  return permutations(all).filter(tables);
}

export class EngineSubject implements Subject {
  readonly engine: Engine;
  readonly batch: number;
  readonly maxCandidates = MAX_CANDIDATES;
  readonly #module: SearchExports;
  #depth = 0;
  #candidates = 0;

  /** Throws EngineTrap, and Error for a spec that the module refuses. */
  constructor(spec: EngineSpec, engine: Engine = loadEngine()) {
    this.engine = engine;
    this.#module = engine.module as SearchExports;
    engine.configureVector(spec.vector);
    engine.setJudges('touched');
    const { memory } = this.#module;
    const { alphabet, pairs, mms, pages, symmetry } = spec;
    const words = new Uint32Array(memory.buffer, this.#module.search_alphabet(), alphabet.length + pairs.length);
    words.set(alphabet);
    words.set(pairs, alphabet.length);
    const orders = pageOrders(spec);
    const first = pagesIn(pages);
    for (const [i, order] of orders.entries()) {
      const row = new Uint8Array(memory.buffer, this.#module.search_page_orders() + 16 * i, 16);
      row.set(order);
      // Handles and sleepers may name pages out of scope; those keep their numbers.
      row.set(
        Array.from({ length: PAGE_COUNT }, (_, page) => page),
        8,
      );
      for (const [place, page] of order.entries()) row[8 + page] = first[place]!;
    }
    const level = LEVELS[symmetry];
    this.batch = trapped(() =>
      this.#module.search_begin(level, mms, first.length, orders.length, alphabet.length, pairs.length / 2),
    );
    if (this.batch === 0) throw new Error('the engine refuses the scope of the search');
    if (spec.asleep !== undefined) this.#module.search_most_asleep(spec.asleep);
    if (spec.against === undefined) return;
    // The module goes on with the knobs that are in use, whatever stands in KVEC.
    new BigUint64Array(memory.buffer, engine.catalogue.at('KVEC'), spec.against.length).set(spec.against);
    this.#module.search_against();
  }

  entrySize(depth: number): number {
    return 2 * Math.max(depth, 1);
  }

  roots(): Uint8Array {
    return new Uint8Array(2);
  }

  /** The empty world can be come back to: everybody exits. */
  rootFingerprints(): BigUint64Array {
    return BigUint64Array.of(this.inspect(new Uint16Array()).fingerprint);
  }

  expand(entries: Uint8Array, count: number, depth: number): BigUint64Array {
    this.#bytes(this.#module.search_in(), entries.length).set(entries);
    this.#depth = depth;
    this.#candidates = trapped(() => this.#module.search_expand(count, depth));
    return new BigUint64Array(this.#module.memory.buffer, this.#module.search_fingerprints(), this.#candidates);
  }

  /**
   * As `expand`, but nothing is left out: all transitions, by entry and then by step. `collect` gives the entries of those that
   * are chosen. A subject that was ever asked this is not to be asked `expand`. Views, valid until the next call.
   */
  edges(entries: Uint8Array, count: number, depth: number): Edges {
    const module = this.#module;
    this.#bytes(module.search_in(), entries.length).set(entries);
    this.#depth = depth;
    const n = trapped(() => module.search_edges(count, depth));
    this.#candidates = n;
    const { buffer } = module.memory;
    return {
      count: n,
      targets: new Uint32Array(buffer, module.search_fingerprints(), 2 * n),
      broken: new Uint8Array(buffer, module.search_fresh(), n),
      origins: new Uint32Array(buffer, module.search_origins(), n),
    };
  }

  /**
   * Where a path leads (steps by number, little-endian u16): the fingerprint of its state, or the mask of the promises that
   * one of its steps breaks.
   */
  locate(path: Uint8Array): bigint {
    this.#bytes(this.#module.search_in(), path.length).set(path);
    return BigInt.asUintN(
      64,
      trapped(() => this.#module.search_locate(path.length / 2)),
    );
  }

  collect(fresh: Uint8Array): Uint8Array {
    this.#bytes(this.#module.search_fresh(), this.#candidates).set(fresh.subarray(0, this.#candidates));
    const count = trapped(() => this.#module.search_collect());
    return this.#bytes(this.#module.search_out(), count * this.entrySize(this.#depth + 1));
  }

  counters(): SubjectCounters {
    const { search_transitions, search_given, search_exhausted } = this.#module;
    return {
      transitions: Number(search_transitions()),
      candidates: Number(search_given()),
      exhausted: Number(search_exhausted()),
    };
  }

  takeViolations(): BrokenPath[] {
    const at = this.#module.search_broken_at();
    const count = this.#module.search_broken();
    const { buffer } = this.#module.memory;
    return Array.from({ length: count }, (_, i) => {
      const view = new DataView(buffer, at + i * BROKEN_SIZE, BROKEN_SIZE);
      const length = view.getUint32(4, true);
      return {
        program: new Uint32Array(buffer, at + i * BROKEN_SIZE + 16, length).slice(),
        mask: view.getUint32(0, true),
        violation: decodeViolation(view, 8),
      };
    });
  }

  /**
   * Fingerprint of the state at the end of a path (steps by number), and a digest of all that can come next: equal
   * fingerprints without equal digests mean that the fingerprint forgets something.
   */
  inspect(path: Uint16Array): { readonly fingerprint: bigint; readonly digest: bigint } {
    this.#bytes(this.#module.search_in(), path.byteLength).set(
      new Uint8Array(path.buffer, path.byteOffset, path.byteLength),
    );
    const digest = trapped(() => this.#module.search_digest(path.length));
    return { fingerprint: BigInt.asUintN(64, this.#module.search_fingerprint()), digest };
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#module.memory.buffer, at, length);
  }
}
