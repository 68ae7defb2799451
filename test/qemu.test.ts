import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildExecutor } from '../src/conform/build.js';
import { Executor } from '../src/conform/executor.js';
import type { RawCell, Run } from '../src/conform/observed.js';
import { parseSites } from '../src/conform/qemu/apt.js';
import { writeCpio } from '../src/conform/qemu/cpio.js';
import { type Guest, lastWords, openGuest, prepareGuest } from '../src/conform/qemu/guest.js';
import { newestImage } from '../src/conform/qemu/kernel.js';
import { collectModules, moduleDepends } from '../src/conform/qemu/modules.js';
import { missing } from '../src/conform/qemu/tools.js';
import { GUEST_VERSIONS, guestVersion } from '../src/conform/qemu/versions.js';
import { loadEngine } from '../src/engine/engine.js';
import { parseProgram } from '../src/text/parse.js';
import { noGuest } from './guest-needs.js';

describe('the first file system', () => {
  /** Reads an archive by the rules of the format, on its own: eight hexadecimal digits a field, all padded to four. */
  function readCpio(archive: Buffer): { path: string; mode: number; data: string; inode: number }[] {
    const members = [];
    for (let at = 0; ; ) {
      const field = (i: number) => Number.parseInt(archive.toString('latin1', at + 6 + 8 * i, at + 14 + 8 * i), 16);
      assert.equal(archive.toString('latin1', at, at + 6), '070701');
      const [inode, mode, size, nameSize] = [field(0), field(1), field(6), field(11)];
      const path = archive.toString('utf8', at + 110, at + 110 + nameSize - 1);
      const from = Math.ceil((at + 110 + nameSize) / 4) * 4;
      const data = archive.toString('latin1', from, from + size);
      at = Math.ceil((from + size) / 4) * 4;
      if (path === 'TRAILER!!!') {
        assert.equal(at, archive.length);
        return members;
      }
      members.push({ path, mode, data, inode });
    }
  }

  it('holds directories, files and links, whatever their length', () => {
    const archive = writeCpio([
      { path: 'bin', kind: 'directory' },
      ...[0, 1, 2, 3, 4, 5].map((length) => ({
        path: `bin/${'x'.repeat(length + 1)}`,
        kind: 'file' as const,
        data: Buffer.alloc(length, 97 + length),
        executable: length % 2 === 1,
      })),
      { path: 'bin/sh', kind: 'link', target: 'busybox' },
    ]);
    const members = readCpio(archive);
    assert.deepEqual(
      members.map(({ path, mode, data }) => [path, mode.toString(8), data]),
      [
        ['bin', '40755', ''],
        ['bin/x', '100644', ''],
        ['bin/xx', '100755', 'b'],
        ['bin/xxx', '100644', 'cc'],
        ['bin/xxxx', '100755', 'ddd'],
        ['bin/xxxxx', '100644', 'eeee'],
        ['bin/xxxxxx', '100755', 'fffff'],
        ['bin/sh', '120777', 'busybox'],
      ],
    );
    assert.equal(new Set(members.map(({ inode }) => inode)).size, members.length);
  });
});

describe('guest versions', () => {
  it('each has a suite, in the archive that its name says', () => {
    assert.ok(GUEST_VERSIONS.length >= 4);
    for (const { version, suites } of GUEST_VERSIONS) {
      assert.match(version, /^\d+\.\d+$/);
      assert.ok(suites.length > 0, version);
      for (const { archive, suite } of suites) assert.equal(archive === 'security', suite.endsWith('-security'));
    }
  });

  it('of several images of one version the newest is taken', () => {
    const names = ['6.18.9+deb13', '6.18.15+deb13', '6.18.5+deb13'].map(
      (release) => `linux-image-${release}-cloud-amd64`,
    );
    assert.equal(newestImage([...names, `${names[1]}-dbg`, 'linux-image-6.18.20+deb13-amd64']), names[1]);
    assert.equal(newestImage([]), undefined);
  });

  it('an unknown one is refused with those that there are', () => {
    assert.equal(guestVersion('6.1').version, '6.1');
    assert.throws(() => guestVersion('5.4'), { name: 'UsageError', message: /no guest of Linux 5\.4.*5\.10, 6\.1/ });
  });

  it('sites of the archives are those of the machine, proxies and all', () => {
    const output = [
      "'http://mirror/cloud/dists/stable-tools/InRelease' x 0 ",
      "'http://mirror/debian-security/dists/trixie-security/InRelease' x 0 ",
      "'http://mirror:3142/debian/dists/trixie/InRelease' x 0 ",
      "'http://mirror/other/dists/trixie/InRelease' x 0 ",
      "'http://mirror/debian/dists/trixie/main/binary-amd64/Packages.xz' x 0 ",
    ].join('\n');
    assert.deepEqual(parseSites(output), {
      main: 'http://mirror:3142/debian',
      security: 'http://mirror/debian-security',
    });
    assert.deepEqual(parseSites("'http://mirror/ubuntu/dists/noble/InRelease' x 0 "), {});
  });

  it('a missing program is named with its cure', () => {
    assert.equal(missing('qemu-system-x86_64'), 'qemu-system-x86_64 is not installed: apt-get install qemu-system-x86');
  });
});

describe('last words', () => {
  it('are the last lines, or what a dying kernel says first', () => {
    const numbers = Array.from({ length: 40 }, (_, i) => `line ${i}`);
    assert.deepEqual(lastWords(numbers.join('\r\n')).split('\n'), numbers.slice(-12));
    const died = [...numbers, '[ 1.2] BUG: unable to handle page fault', '', ...numbers, 'Kernel panic - not syncing'];
    assert.deepEqual(lastWords(died.join('\n')).split('\n').slice(0, 2), [died[40], 'line 0']);
    assert.equal(lastWords('\x1bc\n'), 'c');
  });
});

describe('kernel modules', () => {
  const module = (depends: string) => Buffer.from(`\x7fELF\0license=GPL\0depends=${depends}\0retpoline=Y\0`);
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'breakcow-modules-'));
    mkdirSync(join(folder, 'kernel/mm'), { recursive: true });
    writeFileSync(join(folder, 'kernel/zram.ko'), module('zsmalloc,lz-four'));
    writeFileSync(join(folder, 'kernel/mm/zsmalloc.ko'), module(''));
    writeFileSync(join(folder, 'kernel/lz_four.ko'), module('zsmalloc,base'));
    writeFileSync(join(folder, 'modules.builtin'), 'kernel/fs/fuse/fuse.ko\nkernel/base.ko\n');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('say what they depend on', () => {
    assert.deepEqual(moduleDepends(module('a,b-c')), ['a', 'b_c']);
    assert.deepEqual(moduleDepends(module('')), []);
  });

  it('come after what they depend on, once, and not if built in', async () => {
    const found = await collectModules(folder, ['fuse', 'zram', 'zsmalloc', 'lzo-rle'], new Set(['lzo_rle']), 'none');
    assert.deepEqual(
      found.map(({ name }) => name),
      ['zsmalloc', 'lz_four', 'zram'],
    );
  });

  it('are missed if the kernel has them in no way', async () => {
    await assert.rejects(collectModules(folder, ['virtio_console'], new Set(), 'none'), {
      name: 'GuestError',
      message: /no virtio_console, neither as a module nor built in/,
    });
  });
});

const BOOT_MS = 60_000;

describe('a guest of Linux 6.1', () => {
  const needs = { skip: noGuest };
  const { ops } = loadEngine().catalogue;
  let guest: Guest;
  let executor: Executor;

  before(async () => {
    if (noGuest) return;
    guest = await openGuest('6.1', { executor: buildExecutor() });
    executor = await Executor.open(guest.child, { observe: 'raw', silenceMs: BOOT_MS, helloMs: BOOT_MS });
  });
  after(async () => {
    await executor?.close();
    guest?.child.kill('SIGKILL');
  });

  async function run(program: string): Promise<Run> {
    const [result] = await executor.run([parseProgram(program, ops)], 'pte');
    assert.equal(result!.trouble, undefined, guest.lastWords());
    return result!;
  }

  /** What is seen of p0 of a process after each op. */
  const raws = ({ ops: seen }: Run, mm: number): (RawCell | undefined)[] =>
    seen.map(({ cells }) => cells[mm]?.[0]?.raw);

  /** The facts that are known for sure, each as expected. */
  function same(seen: RawCell | undefined, expected: RawCell): void {
    assert.deepEqual({ ...seen, ...expected }, seen);
  }

  it('is the kernel that was asked for, and shows its page tables', needs, () => {
    assert.match(executor.release, /^6\.1\./);
    assert.equal(executor.release, guest.release);
    assert.match(guest.describe, /linux-image-6\.1\.\S+ 6\.1\.\S+ of Debian bookworm, QEMU/);
    for (const capability of ['RAW', 'PFN', 'KPAGE', 'SWAP', 'UFFD_WP', 'IO_URING', 'SOFT_DIRTY', 'FIFO'] as const)
      assert.ok(executor.can.has(capability), `${capability} is missing: ${executor.missing.join('; ')}`);
  });

  it('write, fork, write: the entry may be written, then may not, then may', needs, async () => {
    const seen = await run('mmap A p0; write A p0; fork A->B; write A p0');
    const [none, written, forked, again] = raws(seen, 0);
    assert.equal(none, undefined);
    same(written, { write: true, dirty: true, exclusive: true, pinned: false });
    same(forked, { write: false, exclusive: false });
    same(again, { write: true, dirty: true, exclusive: true });
    same(raws(seen, 1)[3], { write: false, exclusive: false });
  });

  it('write-protecting takes the right to write, not the page', needs, async () => {
    const seen = await run('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; read A p0');
    const [, , registered, protect, read] = seen.ops.map(({ cells }) => cells[0]![0]!);
    assert.equal(registered!.uffdWp, false);
    assert.equal(registered!.raw!.write, true);
    for (const cell of [protect!, read!]) {
      assert.equal(cell.uffdWp, true);
      same(cell.raw, { write: false, exclusive: true });
      assert.equal(cell.frame, registered!.frame);
    }
  });

  it('a pin is seen as long as it is held', needs, async () => {
    const seen = await run('mmap A p0; write A p0; h=gup A p0 W PIN LONGTERM; fork A->B; put h');
    const pinned = raws(seen, 0).map((cell) => cell?.pinned);
    assert.deepEqual(pinned, [undefined, false, true, true, false]);
    // A pinned page is copied for the child at once: the parent keeps its own.
    same(raws(seen, 0)[3], { write: true, exclusive: true });
  });

  it('swap is in use: a page goes out and comes back with its value', needs, async () => {
    const seen = await run('mmap A p0; write A p0; pageout A p0; read A p0');
    const kinds = seen.ops.map(({ cells }) => cells[0]![0]!.kind);
    assert.deepEqual(kinds, ['none', 'present', 'swap', 'present']);
    assert.equal(seen.ops[3]!.outcomes[0]!.value, 2);
  });

  it('its emulator goes with the process that started it, even if that is killed', needs, async () => {
    const { vmlinuz } = await prepareGuest('6.1', { executor: buildExecutor() });
    const module = new URL('../src/conform/qemu/guest.js', import.meta.url).href;
    const script = `
      const { openGuest } = await import(${JSON.stringify(module)});
      const { child } = await openGuest('6.1', { executor: ${JSON.stringify(buildExecutor())} });
      child.stdout.once('data', () => process.kill(process.pid, 'SIGKILL'));
      console.log(child.pid);`;
    const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.equal(signal, 'SIGKILL');
    const pid = stdout.trim();
    assert.match(pid, /^\d+$/);
    const processes = execFileSync('ps', ['-eo', 'pid,stat,args'], { encoding: 'utf8' });
    const alive = processes.split('\n').filter((line) => line.trim().startsWith(`${pid} `) && line.includes(vmlinuz));
    assert.deepEqual(alive, []);
  });
});
