// A command that works with a kernel: opened with a status line, closed whatever happens.
import { MissingError } from '../conform/build.js';
import { ExecutorError } from '../conform/executor.js';
import type { ObserveLevel } from '../conform/protocol.js';
import { GuestError } from '../conform/qemu/tools.js';
import { openTarget, type Target } from '../conform/target.js';
import { complain, EXIT } from './output.js';
import { statusLine } from './progress.js';

/** Opens `kernel` for `work`. What the machine lacks is told in one line, exit code 3; anything else is thrown on. */
export async function withTarget(
  kernel: string,
  observe: ObserveLevel,
  work: (target: Target) => Promise<void>,
): Promise<void> {
  let target: Target | undefined;
  try {
    try {
      target = await openTarget(kernel, observe, statusLine);
    } finally {
      statusLine('');
    }
    await work(target);
  } catch (error) {
    const missing = error instanceof MissingError || error instanceof GuestError || error instanceof ExecutorError;
    if (!missing) throw error;
    complain(`breakcow: ${error.message}`);
    process.exitCode = EXIT.INTERNAL;
  } finally {
    await target?.backend.close();
  }
}
