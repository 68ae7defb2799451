// Static programs in a guest, one after the other: what each of them prints, and how it ends.
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FetchOptions, prepareWith, startGuest } from './guest.js';
import { writeInitramfs } from './initramfs.js';
import { GuestError } from './tools.js';

export interface Ended {
  /** As a shell tells it: above 128 is a signal. */
  readonly status: number;
  readonly stdout: string;
}

export interface GuestRun {
  /** uname -r. */
  readonly release: string;
  /** The package of the kernel, and the emulator. */
  readonly describe: string;
  /** In the order of the programs. */
  readonly ended: readonly Ended[];
}

const SILENCE_MS = 120_000;

/** A swap device, and memory cgroups; then the programs, each followed by a mark with its number and exit code. */
function script(count: number, mark: string): string {
  const runs = Array.from(
    { length: count },
    (_, i) => `/bin/program-${i} 2>/dev/console; printf '\\n${mark} ${i} %d\\n' $?`,
  );
  return [
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    'echo 64M >/sys/block/zram0/disksize',
    'mkswap /dev/zram0 >/dev/null && swapon /dev/zram0',
    'exec >$wire',
    ...runs,
  ].join('\n');
}

/** What the guest wrote, cut at the marks. Undefined where it did not get that far. */
function cut(said: string, count: number, mark: string): (Ended | undefined)[] {
  const ends = Array.from({ length: count }, (_, i) => new RegExp(`\n${mark} ${i} (\\d+)\n`).exec(said));
  return ends.map((end, i) => {
    const before = i === 0 ? 0 : ends[i - 1] ? ends[i - 1]!.index + ends[i - 1]![0].length : undefined;
    if (!end || before === undefined) return undefined;
    return { status: Number(end[1]), stdout: said.slice(before, end.index) };
  });
}

/**
 * Boots a guest of that version, runs static programs (paths) in it and switches it off: a few seconds.
 * Rejects with UsageError for an unknown version, with GuestError for what the machine lacks, or if the guest dies.
 */
export async function runInGuest(
  version: string,
  programs: readonly string[],
  options: FetchOptions = {},
): Promise<GuestRun> {
  const folder = await mkdtemp(join(tmpdir(), 'breakcow-guest-'));
  try {
    const mark = `@${randomBytes(8).toString('hex')}`;
    const prepared = await prepareWith(version, options, async (kernel) => {
      const path = join(folder, 'initrd.gz');
      const data = await Promise.all(programs.map((program) => readFile(program)));
      const named = new Map(data.map((bytes, i) => [`program-${i}`, bytes]));
      await writeInitramfs(path, kernel, { programs: named, script: script(programs.length, mark) });
      return path;
    });
    options.onProgress?.(`booting ${prepared.release}`);
    const guest = startGuest(prepared);
    const said = await output(guest.child);
    const ended = cut(said, programs.length, mark);
    const whole = ended.filter((one) => one !== undefined);
    if (whole.length < programs.length)
      throw new GuestError(
        `the guest of Linux ${version} ended after ${whole.length} of ${programs.length} programs:\n${guest.lastWords()}`,
      );
    return { release: prepared.release, describe: prepared.describe, ended: whole };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** All that the guest writes until it ends; one that says nothing for long is ended. */
function output(child: ReturnType<typeof startGuest>['child']): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const kill = () => child.kill('SIGKILL');
    let silence = setTimeout(kill, SILENCE_MS);
    child.stdout!.on('data', (piece: Buffer) => {
      said += piece.toString('latin1');
      clearTimeout(silence);
      silence = setTimeout(kill, SILENCE_MS);
    });
    process.once('SIGINT', kill);
    child.once('close', () => {
      clearTimeout(silence);
      process.removeListener('SIGINT', kill);
      resolve(said);
    });
  });
}
