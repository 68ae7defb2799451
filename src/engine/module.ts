// The only file that knows how the module is instantiated; it needs no Node.
import { type ASUtil, instantiate, instantiateSync } from '@assemblyscript/loader';

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

/** A new instance of the module, compiled or as its bytes. */
export function engineModule(module: Uint8Array | WebAssembly.Module): EngineModule {
  return instantiateSync<EngineExports>(module).exports;
}

/** As `engineModule`, for browsers, which refuse to compile much on the thread that draws. */
export async function engineModuleLater(bytes: Uint8Array): Promise<EngineModule> {
  return (await instantiate<EngineExports>(bytes)).exports;
}
