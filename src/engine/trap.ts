// A trap tells only byte offsets into the module; the source map that asc writes turns them into lines.

/** A WebAssembly trap: a fault of breakcow itself, never of the kernel on trial. */
export class EngineTrap extends Error {
  override readonly name = 'EngineTrap';
  /** AssemblyScript `file:line` of each frame, innermost first; byte offsets where the map is missing. */
  readonly frames: readonly string[];

  constructor(cause: Error) {
    const frames = trapFrames(cause.stack ?? '');
    super(`trap in the engine: ${cause.message}${frames.length > 0 ? ` at ${frames[0]}` : ''}`, { cause });
    this.frames = frames;
  }
}

/** `file:line` of a byte offset into the module; undefined where it is not known. */
type Locate = (offset: number) => string | undefined;

/** A browser has no source map at hand. */
let locate: Locate = () => undefined;

export function locateWith(found: Locate): void {
  locate = found;
}

/** The WebAssembly frames of a stack as `file:line`. */
export function trapFrames(stack: string): string[] {
  return [...stack.matchAll(/wasm-function\[\d+\]:0x([0-9a-f]+)/g)].map(
    ([frame, offset]) => locate(Number.parseInt(offset!, 16)) ?? frame,
  );
}

/** Runs `call`; a trap comes out as EngineTrap. */
export function trapped<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) throw new EngineTrap(error);
    throw error;
  }
}
