import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MINUTE, needs } from './executor-needs.js';

// What is said about a kernel in C, each program on its own.

const CLAIMS = fileURLToPath(new URL('../../src/conform/claims/', import.meta.url));
const CONTROL = '/sys/class/zram-control';

/** A swap device in memory while `use` runs. */
function withSwapDevice<T>(use: (device: string) => T): T {
  if (!existsSync(CONTROL)) spawnSync('modprobe', ['zram']);
  const number = readFileSync(join(CONTROL, 'hot_add'), 'utf8').trim();
  const device = `/dev/zram${number}`;
  try {
    writeFileSync(`/sys/block/zram${number}/disksize`, '64M');
    execFileSync('mkswap', [device], { stdio: 'ignore' });
    return use(device);
  } finally {
    spawnSync('swapoff', [device]);
    writeFileSync(`/sys/block/zram${number}/reset`, '1');
    writeFileSync(join(CONTROL, 'hot_remove'), number);
  }
}

describe('claims about kernels', () => {
  it('swapoff waits for a userfaultfd monitor', { ...needs('swap', 'userfaultfd'), timeout: MINUTE }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'breakcow-'));
    try {
      const program = join(folder, 'claim');
      const source = join(CLAIMS, 'swapoff-waits-for-uffd.c');
      const compiler = process.env.CC || 'cc';
      execFileSync(compiler, ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', program, source]);
      const { status, stdout } = withSwapDevice((device) => spawnSync(program, [device], { encoding: 'utf8' }));
      assert.match(stdout, /swapoff has ended\n/);
      assert.match(stdout, status === 0 ? /^ok 1 /m : /^not ok 1 /m);
      // Where it was seen it stays; another kernel may do better.
      if (release().startsWith('6.18.')) assert.equal(status, 1, stdout);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
