// What else breakcow conform can do with a kernel: tables, and golden traces.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FlipTable, flipKnobs, flipLines, observe } from '../conform/flips.js';
import { type GoldenFile, printGolden } from '../conform/golden.js';
import { modelSpec } from '../conform/match.js';
import { ModelBackend } from '../conform/model.js';
import { OPEN, OpenTable, UNSENT } from '../conform/open.js';
import { recordGolden } from '../conform/record.js';
import { type Column, formatSelftests, runSelftests } from '../conform/selftests.js';
import type { Target } from '../conform/target.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { wrap } from '../report/layout.js';
import { counted } from './output.js';

/** Models that stand for the kernels that a comparison can reach. */
const ERAS = ['v5.10', 'v6.1', 'v6.12', 'v6.18', 'v7.2'];

/** The table of open observations, and what is never sent. */
export function openText(): string {
  const open = OPEN.flatMap(({ id, kernels, masked, reason, ends }) => [
    `${id}  (${kernels?.join(', ') ?? 'all kernels'})`,
    ...wrap(`not compared: ${masked}${ends ? '; nor what comes after it in the program' : ''}`, '    '),
    ...wrap(reason, '    '),
  ]);
  const unsent = UNSENT.flatMap((row) => [
    row.id,
    ...wrap(`not sent: ${row.unsent}`, '    '),
    ...wrap(row.reason, '    '),
  ]);
  return [...open, '', 'Ops that never reach the kernel:', '', ...unsent].join('\n');
}

/** The kernel's own cases on the model of every era and, if there is one, on the target. */
export async function selftestColumns(engine: Engine, target: Target | undefined): Promise<Column[]> {
  const { ops } = engine.catalogue;
  const columns: Column[] = [];
  for (const kernel of ERAS) {
    const model = new ModelBackend(modelSpec(kernel, engine.catalogue), engine);
    columns.push({ release: kernel, results: await runSelftests(model, ops) });
  }
  if (target === undefined) return columns;
  const { backend } = target;
  const results = await runSelftests(backend, ops);
  return [...columns, { release: target.name, results }];
}

export function selftestText(columns: readonly Column[]): string {
  return formatSelftests(columns);
}

export interface FlipOptions {
  readonly seed: bigint;
  readonly ops: number;
  readonly programs: number;
}

/** Every knob of `spec` flipped, on programs that the target has just run. */
export async function flipTable(
  engine: Engine,
  spec: KernelSpec,
  target: Target,
  options: FlipOptions,
  onProgress: (text: string) => void,
): Promise<FlipTable> {
  onProgress(`observing ${counted(options.programs, 'program')} on ${target.name}`);
  const observed = await observe(engine, spec, target.backend, options);
  return flipKnobs(engine, spec, observed, target.backend.can, new OpenTable(spec.kernel), (done, of) =>
    onProgress(`flipping knob ${done + 1} of ${of}`),
  );
}

export function flipText(spec: KernelSpec, target: Target, table: FlipTable): string {
  return [`model ${spec.kernel}, each knob flipped, against ${target.backend.release}`, '', ...flipLines(table)].join(
    '\n',
  );
}

export const GOLDEN_DIRECTORY = 'test/golden';

/** Records the fixed set of programs on the target; older traces of the same version go. Returns the path. */
export async function record(engine: Engine, spec: KernelSpec, target: Target, directory: string): Promise<string> {
  const file = await recordGolden(engine, spec, target);
  const series = /^\d+\.\d+/.exec(file.release)?.[0] ?? file.release;
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${series}.json`);
  writeFileSync(path, printGolden(file));
  return path;
}

/** The golden traces in a directory, by path. */
export function goldenFiles(directory: string): { readonly path: string; readonly file: GoldenFile }[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(directory, name))
    .map((path) => ({ path, file: JSON.parse(readFileSync(path, 'utf8')) as GoldenFile }));
}
