// A swap device in memory for as long as somebody needs it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CONTROL = '/sys/class/zram-control';

/** Can this machine have one? */
export function canSwap(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  if (!existsSync(CONTROL)) spawnSync('modprobe', ['zram']);
  return existsSync(CONTROL);
}

/** The device is made, not turned on. Needs root. */
export function withSwapDevice<T>(use: (device: string) => T): T {
  const swap = new SwapDevice();
  try {
    return use(swap.device);
  } finally {
    swap.remove();
  }
}

/** A device that is there until it is removed. */
export class SwapDevice {
  readonly #number: string;
  readonly device: string;

  constructor() {
    canSwap();
    this.#number = readFileSync(join(CONTROL, 'hot_add'), 'utf8').trim();
    this.device = `/dev/zram${this.#number}`;
    try {
      writeFileSync(`/sys/block/zram${this.#number}/disksize`, '64M');
      execFileSync('mkswap', [this.device], { stdio: 'ignore' });
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  turnOn(): void {
    execFileSync('swapon', ['-p', '100', this.device]);
  }

  remove(): void {
    spawnSync('swapoff', [this.device], { stdio: 'ignore' });
    writeFileSync(`/sys/block/zram${this.#number}/reset`, '1');
    writeFileSync(join(CONTROL, 'hot_remove'), this.#number);
  }
}
