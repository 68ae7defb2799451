// The first and only file system of a guest: busybox, the modules, programs and a script that starts them.
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, writeCpio } from './cpio.js';
import type { GuestKernel } from './kernel.js';

/** Name of the wire out of the guest, as its kernel knows it. */
export const WIRE = 'breakcow';
/** What the guest's console says when the machine is ready. */
const READY = 'breakcow: ready';

/** What a guest is for. */
export interface Payload {
  /** Static programs by name; they lie in /bin. */
  readonly programs: ReadonlyMap<string, Uint8Array>;
  /** Shell: $wire is the device that leads out. The machine is switched off after the last line. */
  readonly script: string;
}

const KEEP_MS = 24 * 3600 * 1000;
const APPLETS = [
  'cat',
  'grep',
  'insmod',
  'mkdir',
  'mkswap',
  'modprobe',
  'mount',
  'poweroff',
  'sh',
  'sleep',
  'swapon',
  'usleep',
];

/** The executor speaks and listens on the wire. */
export function executorPayload(executor: Uint8Array): Payload {
  return {
    programs: new Map([['executor', executor]]),
    script: '/bin/executor <>$wire >&0 2>/dev/console\necho "executor ended with $?"',
  };
}

/**
 * The wire appears a moment after its driver is loaded. Real-time tasks must not be throttled: the executor has one
 * CPU for itself and is repeatable only as long as nobody else gets between.
 */
function initScript(modules: readonly string[], script: string): string {
  return `#!/bin/busybox sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
${modules.map((file) => `insmod /modules/${file} || echo "${file} cannot be loaded"`).join('\n')}
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
wire=
tries=0
while [ -z "$wire" ] && [ $tries -lt 500 ]; do
  for port in /sys/class/virtio-ports/*; do
    grep -qx ${WIRE} $port/name 2>/dev/null && [ -c /dev/\${port##*/} ] && wire=/dev/\${port##*/}
  done
  [ -n "$wire" ] || usleep 10000
  tries=$((tries + 1))
done
echo "${READY}"
cd /tmp
${script}
poweroff -f
`;
}

/**
 * File name of the packed file system for this kernel and executor; it is built if the cache does not have it.
 * Those of executors that nobody has used for a day go.
 */
export async function buildInitramfs(kernel: GuestKernel, executor: Uint8Array): Promise<string> {
  const payload = executorPayload(executor);
  const script = initScript(kernel.modules, payload.script);
  const hash = createHash('sha256').update(script).update('\0').update(executor).digest('hex').slice(0, 16);
  const name = `initrd-${hash}.gz`;
  const path = join(kernel.folder, name);
  const present = await readdir(kernel.folder);
  if (present.includes(name)) {
    const now = new Date();
    await utimes(path, now, now);
    return path;
  }
  const temporary = `${path}.${process.pid}`;
  await writeInitramfs(temporary, kernel, payload);
  await rename(temporary, path);
  for (const other of present.filter((one) => /^initrd-[0-9a-f]+\.gz$/.test(one))) {
    const old = join(kernel.folder, other);
    const { mtimeMs } = await stat(old);
    if (Date.now() - mtimeMs > KEEP_MS) await rm(old, { force: true });
  }
  return path;
}

/** Packs the file system into a file. */
export async function writeInitramfs(path: string, kernel: GuestKernel, payload: Payload): Promise<void> {
  const entries: CpioEntry[] = ['bin', 'dev', 'modules', 'proc', 'sys', 'tmp'].map((folder) => ({
    path: folder,
    kind: 'directory',
  }));
  const busybox = await readFile(join(kernel.folder, 'busybox'));
  entries.push({ path: 'bin/busybox', kind: 'file', data: busybox, executable: true });
  for (const applet of APPLETS) entries.push({ path: `bin/${applet}`, kind: 'link', target: 'busybox' });
  for (const file of kernel.modules)
    entries.push({ path: `modules/${file}`, kind: 'file', data: await readFile(join(kernel.folder, file)) });
  for (const [name, data] of payload.programs)
    entries.push({ path: `bin/${name}`, kind: 'file', data, executable: true });
  const script = initScript(kernel.modules, payload.script);
  entries.push({ path: 'init', kind: 'file', data: Buffer.from(script), executable: true });
  // Unpacking costs the guest more than reading: pack lightly.
  await writeFile(path, gzipSync(writeCpio(entries), { level: 1 }));
}
