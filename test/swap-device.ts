// A swap device in memory for as long as a test needs it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CONTROL = '/sys/class/zram-control';

/** The device is made, not turned on. Needs root. */
export function withSwapDevice<T>(use: (device: string) => T): T {
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
