// Guests: another kernel with the executor on it, in an emulator, so that no right and no hardware is needed.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../build.js';
import { buildInitramfs, WIRE } from './initramfs.js';
import { fetchKernel, type GuestKernel } from './kernel.js';
import { GuestError, missing, runTool } from './tools.js';
import { guestVersion } from './versions.js';

export interface FetchOptions {
  /** Where kernels are kept; otherwise cacheDirectory(). */
  readonly cacheDir?: string;
  /** Told in words what is being done, as it may take a while the first time. */
  readonly onProgress?: (what: string) => void;
}

export interface GuestOptions extends FetchOptions {
  /** Path of the executor, a static program. */
  readonly executor: string;
}

export interface PreparedGuest {
  readonly kernel: GuestKernel;
  /** Paths. */
  readonly vmlinuz: string;
  readonly initrd: string;
  /** uname -r. */
  readonly release: string;
  /** For people and golden traces: packages with their versions, and the emulator. */
  readonly describe: string;
}

export interface Guest {
  /**
   * The emulator. Its standard input and output are those of the executor, its standard error has the guest's console.
   * It ends when its input does.
   */
  readonly child: ChildProcess;
  readonly release: string;
  readonly describe: string;
  /** What standard error says of the end of a guest that died, a few lines. */
  lastWords(): string;
}

const QEMU = 'qemu-system-x86_64';
/** Below 512 MiB Linux switches huge pages off. Only what is touched is taken of the machine. */
const MEMORY = '768';
/** cx16: QEMU 7.2 gets cmpxchg16b wrong, and 6.12 dies of it at random. la57: as most machines have it. */
const CPU = 'max,la57=off,cx16=off';
const BOOT =
  'console=ttyS0 quiet panic=-1 nokaslr mitigations=off transparent_hugepage=madvise random.trust_cpu=on ' +
  'proc_mem.force_override=always';
const LAST_LINES = 12;
const MAX_SAID = 16384;

/**
 * Makes everything that the guest needs: the first time over the network, through apt.
 * Rejects with UsageError for an unknown version and with GuestError, one line, if the machine lacks something.
 */
export async function prepareGuest(version: string, options: GuestOptions): Promise<PreparedGuest> {
  return prepareWith(version, options, async (kernel) => buildInitramfs(kernel, await readFile(options.executor)));
}

/** As prepareGuest, with a first file system of the caller's own; `initrd` gives its path. */
export async function prepareWith(
  version: string,
  options: FetchOptions,
  initrd: (kernel: GuestKernel) => Promise<string>,
): Promise<PreparedGuest> {
  const wanted = guestVersion(version);
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new GuestError(`guests need Linux on x86-64, for which their programs are built: this is ${process.arch}`);
  const emulator = (await runTool(QEMU, ['--version'])).split('\n', 1)[0]!.replace(/^QEMU emulator version /, 'QEMU ');
  await runTool('setpriv', ['--version']);
  const kernel = await fetchKernel(wanted, options.cacheDir ?? cacheDirectory(), options.onProgress ?? (() => {}));
  const [image] = kernel.packages;
  return {
    kernel,
    vmlinuz: join(kernel.folder, 'vmlinuz'),
    initrd: await initrd(kernel),
    release: kernel.release,
    describe: `${image!.name} ${image!.version} of Debian ${kernel.suite}, ${emulator}`,
  };
}

/** Starts a guest. It is up when its executor says hello: 2 to 6 s. */
export function startGuest(prepared: PreparedGuest): Guest {
  const args = [
    ...['-M', 'pc', '-accel', 'tcg,thread=single', '-cpu', CPU, '-m', MEMORY],
    ...['-no-user-config', '-nodefaults', '-no-reboot', '-display', 'none'],
    ...['-chardev', 'stdio,id=wire,signal=off', '-device', 'virtio-serial-pci'],
    ...['-device', `virtserialport,chardev=wire,name=${WIRE}`],
    // Node's pipes are sockets: the console goes where the emulator's own complaints go.
    ...['-chardev', 'socket,id=console,fd=2', '-serial', 'chardev:console'],
    ...['-kernel', prepared.vmlinuz, '-initrd', prepared.initrd, '-append', BOOT],
  ];
  // Whatever kills this process takes the emulator along, even if the guest hangs. A group of its own: Ctrl-C is for us.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', QEMU, ...args], { stdio: 'pipe', detached: true });
  let said = '';
  child.stderr.on('data', (piece: Buffer) => {
    said = (said + piece.toString('latin1')).slice(-MAX_SAID);
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.removeListener('exit', kill));
  child.once('error', (error: Error & { code?: unknown }) => {
    process.removeListener('exit', kill);
    said = error.code === 'ENOENT' ? missing('setpriv') : error.message;
  });
  return { child, release: prepared.release, describe: prepared.describe, lastWords: () => lastWords(said) };
}

/** Prepares and starts a guest of that version. */
export async function openGuest(version: string, options: GuestOptions): Promise<Guest> {
  return startGuest(await prepareGuest(version, options));
}

/** What a kernel says when it is at its end; what follows explains it. */
const END = /Kernel panic|BUG: |Oops: |general protection fault/;

/** The lines from a kernel's complaint on, else the last ones; without control characters of the firmware. */
export function lastWords(text: string): string {
  const printable = text.replace(/[^\n\x20-\x7e]/g, '');
  const lines = printable
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const end = lines.findIndex((line) => END.test(line));
  return (end < 0 ? lines.slice(-LAST_LINES) : lines.slice(end, end + LAST_LINES)).join('\n');
}
