// What a test of guests needs of the machine.
import { spawnSync } from 'node:child_process';
import { missingCompiler } from '../src/conform/build.js';
import { debianSites } from '../src/conform/qemu/apt.js';
import { GuestError, missing } from '../src/conform/qemu/tools.js';

/** Why this machine cannot run a guest, or false. A machine of continuous integration can. */
async function unavailable(): Promise<string | false> {
  if (process.env.CI) return false;
  const compiler = missingCompiler();
  if (compiler) return compiler;
  if (spawnSync('qemu-system-x86_64', ['--version']).status !== 0) return missing('qemu-system-x86_64');
  try {
    await debianSites();
    return false;
  } catch (error) {
    if (error instanceof GuestError) return error.message;
    throw error;
  }
}
export const noGuest = await unavailable();
