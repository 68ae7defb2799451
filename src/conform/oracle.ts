// A real kernel on trial by the reference memory alone: programs run on it, and what it shows is held against promises.
import type { Engine } from '../engine/engine.js';
import type { OpInfo } from '../engine/optable.js';
import { decodeOp, RESULT } from '../engine/opword.js';
import type { KernelSpec } from '../engine/types.js';
import { parseProgram } from '../text/parse.js';
import { Expresser } from './express.js';
import type { Backend, Capability, PageLayout, Run } from './observed.js';
import { demands, finding, type OracleFinding, withLook } from './oracle-finding.js';
import { GuidedPrograms } from './oracle-generate.js';
import { type Broken, Witness } from './oracle-witness.js';
import { shrink } from './shrink.js';

export interface OracleOptions {
  readonly engine: Engine;
  readonly kernel: Backend;
  /** Model that guides the generator; it judges nothing. */
  readonly guide: KernelSpec;
  readonly layouts: readonly PageLayout[];
  readonly seed: bigint;
  /** Ops per program. */
  readonly ops: number;
  /** Budgets; whichever ends first. */
  readonly programs: number;
  readonly timeMs: number;
  readonly keepGoing: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (tally: OracleTally) => void;
  readonly onFinding?: (finding: OracleFinding) => void;
}

export interface OracleTally {
  readonly programs: number;
  readonly ops: number;
  readonly seconds: number;
  /** Programs that broke a promise, also those of a known cause. */
  readonly failed: number;
  /** Programs that broke one once and kept it when they were run again. */
  readonly noise: number;
  /** Programs that the kernel could not run to their end. */
  readonly trouble: number;
  readonly findings: number;
}

export interface OracleResult extends OracleTally {
  readonly found: readonly OracleFinding[];
  readonly interrupted: boolean;
}

const BATCH = 96;
/** Batches on their way: one is judged while the next one runs. */
const DEPTH = 2;
/** Of so many batches one is on huge pages, which take much longer. */
const PMD_TURN = 4;
const CONFIRM = 2;
const SHRINK_BUDGET = 800;
const MAX_FINDINGS = 24;
/** Of so many programs that fail as a known one may, one is looked at all the same. */
const SECOND_LOOK = 16;

/** Fuzzes the kernel. Rejects as the backend does. */
export function judgeKernel(options: OracleOptions): Promise<OracleResult> {
  return new OracleHunt(options).run();
}

/** What the kernel says it can do, less what it refuses all the same (the model of a kernel that is too old). */
async function granted(kernel: Backend, ops: readonly OpInfo[]): Promise<ReadonlySet<Capability>> {
  const can = new Set(kernel.can);
  for (const feature of ['EVENT_FORK', 'WP_UNPOPULATED'] as const) {
    if (!can.has(feature)) continue;
    const [run] = await kernel.run([parseProgram(`mmap A p0; uffd_reg A p0 WP ${feature}`, ops)], 'pte');
    if (run?.ops[1]?.result === RESULT.REFUSED) can.delete(feature);
  }
  return can;
}

interface Batch {
  readonly layout: PageLayout;
  readonly programs: readonly Uint32Array[];
  readonly runs: Promise<readonly Run[]>;
}

class OracleHunt {
  readonly #options: OracleOptions;
  readonly #start = performance.now();
  readonly #generators = new Map<PageLayout, GuidedPrograms>();
  readonly #expressers = new Map<PageLayout, Expresser>();
  readonly #found = new Map<string, OracleFinding>();
  #witness!: Witness;
  #batches = 0;
  #programs = 0;
  #ops = 0;
  #failed = 0;
  #noise = 0;
  #trouble = 0;
  #alike = 0;

  constructor(options: OracleOptions) {
    this.#options = options;
  }

  async run(): Promise<OracleResult> {
    const { engine, kernel, guide: spec, layouts, seed, ops, programs, timeMs, keepGoing, signal } = this.#options;
    const can = new Set(await granted(kernel, engine.catalogue.ops));
    // What fills pages, and scans them, is judged in the model only: nobody tells which pages a call of a real kernel filled.
    for (const beyond of ['UFFD_MISSING', 'WP_ASYNC'] as const) can.delete(beyond);
    this.#witness = new Witness(can);
    for (const layout of layouts) {
      this.#generators.set(layout, new GuidedPrograms(engine, { spec, seed, layout, can, ops }));
      this.#expressers.set(layout, new Expresser(engine, can, layout));
    }
    const ahead: Batch[] = [];
    let launched = 0;
    let stopped = false;
    while (true) {
      const late = performance.now() - this.#start >= timeMs;
      while (!stopped && !late && !signal?.aborted && launched < programs && ahead.length < DEPTH) {
        const count = Math.min(BATCH, programs - launched);
        ahead.push(this.#launch(count));
        launched += count;
      }
      const batch = ahead.shift();
      if (!batch) break;
      const runs = await batch.runs;
      if (stopped) continue;
      await this.#judge(batch, runs);
      stopped = (this.#found.size > 0 && !keepGoing) || this.#found.size >= MAX_FINDINGS;
      this.#options.onProgress?.(this.#tally());
    }
    return { ...this.#tally(), found: [...this.#found.values()], interrupted: signal?.aborted === true };
  }

  #launch(count: number): Batch {
    const { layouts, kernel } = this.#options;
    const turn = this.#batches++;
    const layout = layouts.length > 1 ? layouts[turn % PMD_TURN === PMD_TURN - 1 ? 1 : 0]! : layouts[0]!;
    const programs = this.#generators.get(layout)!.next(count);
    const runs = kernel.run(programs, layout);
    // Awaited in its turn; until then a failure is nobody's.
    runs.catch(() => {});
    return { layout, programs, runs };
  }

  async #judge({ layout, programs }: Batch, runs: readonly Run[]): Promise<void> {
    for (const [i, words] of programs.entries()) {
      const run = runs[i]!;
      this.#programs++;
      this.#ops += run.ops.length;
      if (run.trouble !== undefined) this.#trouble++;
      const broken = this.#witness.broken(words, run);
      if (!broken) continue;
      this.#failed++;
      if (this.#isKnown(words, broken) && this.#alike++ % SECOND_LOOK !== 0) continue;
      await this.#takeIn(layout, words, broken);
      if (this.#found.size > 0 && !this.#options.keepGoing) return;
    }
  }

  /** Does the program contain, in their order, the ops of a finding that breaks the same promise, in either layout? */
  #isKnown(words: Uint32Array, { slug }: Broken): boolean {
    const kinds = Array.from(words, kindOfOp);
    return [...this.#found.values()].some((known) => {
      if (known.slug !== slug) return false;
      let at = 0;
      for (const kind of Array.from(known.words, kindOfOp)) {
        at = kinds.indexOf(kind, at) + 1;
        if (at === 0) return false;
      }
      return true;
    });
  }

  async #takeIn(layout: PageLayout, words: Uint32Array, { slug }: Broken): Promise<void> {
    const again = await this.#broken(layout, new Array<Uint32Array>(CONFIRM).fill(words));
    if (!again.every(({ broken }) => broken?.slug === slug)) {
      this.#noise++;
      return;
    }
    const { engine, guide } = this.#options;
    const { ops } = engine.catalogue;
    const same = async (candidates: readonly Uint32Array[]) =>
      (await this.#broken(layout, candidates)).map(({ broken }) => broken?.slug === slug);
    const smallest = await shrink(words, {
      ops,
      express: (candidate) => {
        engine.setJudges('off');
        engine.configure(guide);
        return this.#expressers.get(layout)!.program(candidate);
      },
      test: same,
      budget: SHRINK_BUDGET,
    });
    const shown = await this.#shown(layout, smallest, slug);
    if (!shown) {
      this.#noise++;
      return;
    }
    const found = finding(layout, shown.words, shown.broken, shown.run, ops, this.#programs);
    const key = `${slug} ${Array.from(found.words, kindOfOp).join(' ')}`;
    if (this.#found.has(key)) return;
    this.#found.set(key, found);
    this.#options.onFinding?.(found);
  }

  /** The program as it is, or with an op more that shows what is wrong. */
  async #shown(layout: PageLayout, words: Uint32Array, slug: string): Promise<Shown | undefined> {
    const { ops } = this.#options.engine.catalogue;
    const [plain] = await this.#broken(layout, [words]);
    if (plain?.broken?.slug !== slug) return undefined;
    const asIs = { words, broken: plain.broken, run: plain.run };
    if (demands(plain.broken, words, plain.run, ops).length > 0) return asIs;
    const longer = withLook(words, plain.broken, ops);
    if (!longer) return asIs;
    // With the look in place the page must not be judged before it: the last op is the one that counts.
    const [looked] = await this.#broken(layout, [longer]);
    const broken = looked?.broken;
    if (!looked || broken?.slug !== slug) return asIs;
    const last = longer.length - 1;
    return { words: longer, run: looked.run, broken: { slug, violation: { ...broken.violation, op: last } } };
  }

  /** Runs programs on the kernel and judges them. */
  async #broken(
    layout: PageLayout,
    programs: readonly Uint32Array[],
  ): Promise<{ broken: Broken | undefined; run: Run }[]> {
    const runs = await this.#options.kernel.run(programs, layout);
    return programs.map((words, i) => ({ broken: this.#witness.broken(words, runs[i]!), run: runs[i]! }));
  }

  #tally(): OracleTally {
    return {
      programs: this.#programs,
      ops: this.#ops,
      seconds: (performance.now() - this.#start) / 1000,
      failed: this.#failed,
      noise: this.#noise,
      trouble: this.#trouble,
      findings: this.#found.size,
    };
  }
}

interface Shown {
  readonly words: Uint32Array;
  readonly broken: Broken;
  readonly run: Run;
}

/** What an op does, whoever does it and wherever. */
function kindOfOp(word: number): string {
  const { code, flags } = decodeOp(word);
  return `${code}.${flags}`;
}
