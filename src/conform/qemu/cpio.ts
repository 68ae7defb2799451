// Writes the archive that a kernel unpacks as its first file system: cpio, "newc".

export type CpioEntry =
  | { readonly path: string; readonly kind: 'directory' }
  | { readonly path: string; readonly kind: 'file'; readonly data: Uint8Array; readonly executable?: boolean }
  | { readonly path: string; readonly kind: 'link'; readonly target: string };

const MODE = { directory: 0o040755, file: 0o100644, executable: 0o100755, link: 0o120777 } as const;

/**
 * One archive of all entries, in their order: a directory has to come before what is in it. Paths are relative.
 * Owner is root and no time is written, so that equal entries give equal bytes.
 */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const [i, entry] of entries.entries()) parts.push(...member(entry.path, modeOf(entry), dataOf(entry), i + 1));
  parts.push(...member('TRAILER!!!', 0, Buffer.alloc(0), 0));
  return Buffer.concat(parts);
}

function modeOf(entry: CpioEntry): number {
  return entry.kind === 'file' && entry.executable ? MODE.executable : MODE[entry.kind];
}

function dataOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.data;
  return Buffer.from(entry.kind === 'link' ? entry.target : '');
}

function member(path: string, mode: number, data: Uint8Array, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const links = 1;
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), Buffer.from(data), padding(data.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc(-length & 3);
}
