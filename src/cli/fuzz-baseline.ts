// --baseline and --update-baseline: read before the campaign, compared and extended after it.
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import {
  type BaselineEntry,
  type Comparison,
  compareFindings,
  extendBaseline,
  readBaseline,
  writeBaseline,
} from '../findings/baseline.js';
import type { Finding } from '../findings/finding.js';
import { printSpec } from '../text/id.js';
import type { BaselineUse } from './fuzz-text.js';

export interface BaselineOptions {
  readonly baseline?: string;
  readonly updateBaseline?: boolean;
}

/** undefined without --baseline. Throws UsageError. */
export function openBaseline(
  engine: Engine,
  { baseline: path, updateBaseline: update = false }: BaselineOptions,
): Baseline | undefined {
  if (path === undefined) {
    if (update) throw new UsageError('--update-baseline needs the file: --baseline FILE');
    return undefined;
  }
  const folder = dirname(path);
  if (update && !(existsSync(folder) && statSync(folder).isDirectory()))
    throw new UsageError(`cannot write ${path}: there is no directory ${folder}`);
  return new Baseline(engine, path, readBaseline(path, engine.catalogue, update), update);
}

class Baseline {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #entries: readonly BaselineEntry[];
  readonly #update: boolean;

  constructor(engine: Engine, path: string, entries: readonly BaselineEntry[], update: boolean) {
    this.#engine = engine;
    this.#path = path;
    this.#entries = entries;
    this.#update = update;
  }

  /** Known and new, and with --update-baseline the file follows. */
  compare(spec: KernelSpec, findings: readonly Finding[]): Comparison<Finding> & { readonly baseline: BaselineUse } {
    const compared = compareFindings(this.#engine, spec, this.#entries, findings);
    if (this.#update) writeBaseline(this.#path, extendBaseline(this.#engine, this.#entries, compared.fresh));
    const elsewhere = this.#entries.filter((entry) => printSpec(entry) !== printSpec(spec)).length;
    return { ...compared, baseline: { path: this.#path, updated: this.#update, elsewhere } };
  }
}
