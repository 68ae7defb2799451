// The only file that knows how the module is instantiated.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ASUtil, instantiateSync } from '@assemblyscript/loader';

/** What assembly/index.ts exports, as JavaScript sees it: u32 as number, u64 as bigint, bool as 0 or 1. */
export interface EngineExports extends Record<string, unknown> {
  readonly memory: WebAssembly.Memory;
  describe(section: number, index: number): number;
  describe_count(section: number): number;
  kernel_vector(id: number): number;
  configure(): void;
  run_program(n: number): number;
  begin_program(): void;
  step_program(index: number, n: number): number;
  finish_program(n: number): number;
  set_judges(mode: number): void;
  set_tracing(on: number): void;
  trace_count(): number;
}

export type EngineModule = EngineExports & Pick<ASUtil, '__getString'>;

/** dist/src/engine/ to the root of the package. */
const BUILD = new URL('../../../build/', import.meta.url);
export const WASM_URL = new URL('breakcow.wasm', BUILD);

/** A new instance with memory of its own. Throws Error if the module was not built. */
export function loadModule(url: URL = WASM_URL): EngineModule {
  let bytes: Buffer;
  try {
    bytes = readFileSync(url);
  } catch (cause) {
    throw new Error(`no WebAssembly module at ${fileURLToPath(url)}: run npm run build`, { cause });
  }
  return instantiateSync<EngineExports>(bytes).exports;
}
