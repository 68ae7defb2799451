// How every part of the program starts its threads: Piscina, with workers that can be ended at any moment.
import { Piscina } from 'piscina';

export type { Piscina };

/**
 * Piscina loads a worker by `require()` first. Ended in the middle of a `require()` of an ES module, a thread of
 * Node 20 and 22 takes the whole process with it (an assertion in ModuleWrap); an `import()` it survives, and that is
 * what Piscina falls back on where `require()` refuses.
 */
const NO_REQUIRE = '--no-experimental-require-module';

/** `count` threads that run the default export of `worker`. */
export function startThreads<T, R>(worker: URL, count: number, workerData?: unknown): Piscina<T, R> {
  return new Piscina<T, R>({
    filename: worker.href,
    minThreads: count,
    maxThreads: count,
    ...(workerData !== undefined && { workerData }),
    ...(process.allowedNodeEnvironmentFlags.has(NO_REQUIRE) && { execArgv: [NO_REQUIRE] }),
  });
}
