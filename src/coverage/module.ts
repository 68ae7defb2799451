// An engine that marks the branches it takes, and which of them are marked by now.
import { Engine } from '../engine/engine.js';
import { compiledModule } from '../engine/load.js';
import { type EngineModule, engineModule } from '../engine/module.js';
import { type Built, transformed } from '../transform/compile.js';
import type { Branch } from '../transform/cover.js';

interface CoverExports extends EngineModule {
  coverage_area(): number;
}

/** The module that watches the model, built if its sources have changed. Throws UsageError outside a checkout. */
export function coverModule(onBuild?: () => void): Promise<Built<readonly Branch[]>> {
  const make = async () => {
    const { CoverTransform } = await import('../transform/cover.js');
    const transform = new CoverTransform('assembly/mm/');
    return { transform, table: () => transform.branches };
  };
  return transformed({ name: 'coverage', make, onBuild });
}

export class CoverEngine {
  readonly engine: Engine;
  readonly branches: readonly Branch[];
  readonly #module: CoverExports;

  constructor({ wasm, table }: Built<readonly Branch[]>) {
    this.#module = engineModule(compiledModule(wasm)) as CoverExports;
    this.engine = new Engine(this.#module);
    this.branches = table;
  }

  /** One byte per branch, 1 = taken; valid until memory grows. */
  get marks(): Uint8Array {
    return new Uint8Array(this.#module.memory.buffer, this.#module.coverage_area(), this.branches.length);
  }

  clear(): void {
    this.marks.fill(0);
  }
}
