// Kernel modules: which of a package's a guest needs, in the order in which they can be loaded.
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GuestError, runToolForBytes } from './tools.js';

export interface KernelModule {
  /** Without suffix. */
  readonly name: string;
  readonly data: Buffer;
}

/** The kernel takes '-' for '_' in names of modules. */
function canonical(name: string): string {
  return name.replaceAll('-', '_');
}

function moduleName(path: string): string {
  return canonical(basename(path).replace(/\.ko(\.\w+)?$/, ''));
}

/** Names of modules that `data`, an ELF object, has to come after. */
export function moduleDepends(data: Buffer): string[] {
  const tag = data.indexOf('\0depends=');
  if (tag < 0) return [];
  const from = tag + '\0depends='.length;
  const names = data.toString('latin1', from, data.indexOf(0, from));
  return names === '' ? [] : names.split(',').map(canonical);
}

/**
 * The wanted modules and all that they depend on, each after what it needs. What is built into the kernel is left out.
 * `folder` is lib/modules/RELEASE of a package; `busybox` unpacks xz.
 * Rejects with GuestError for one that is nowhere and may not be lacking.
 */
export async function collectModules(
  folder: string,
  wanted: readonly string[],
  mayLack: ReadonlySet<string>,
  busybox: string,
): Promise<KernelModule[]> {
  const files = await readdir(folder, { recursive: true });
  const paths = new Map(files.filter((path) => /\.ko(\.\w+)?$/.test(path)).map((path) => [moduleName(path), path]));
  const list = await readFile(join(folder, 'modules.builtin'), 'utf8').catch(() => '');
  const builtIn = new Set(list.split('\n').filter(Boolean).map(moduleName));
  const found: KernelModule[] = [];
  const done = new Set<string>();

  const visit = async (name: string): Promise<void> => {
    if (done.has(name)) return;
    done.add(name);
    const path = paths.get(name);
    if (path === undefined) {
      if (builtIn.has(name) || mayLack.has(name)) return;
      throw new GuestError(`the kernel of this guest has no ${name}, neither as a module nor built in`);
    }
    const data = await readModule(join(folder, path), busybox);
    for (const other of moduleDepends(data)) await visit(other);
    found.push({ name, data });
  };
  for (const name of wanted) await visit(canonical(name));
  return found;
}

async function readModule(path: string, busybox: string): Promise<Buffer> {
  if (path.endsWith('.ko')) return readFile(path);
  if (path.endsWith('.xz')) return runToolForBytes(busybox, ['xzcat', path]);
  throw new GuestError(`${basename(path)}: a module packed in a way that is not known here`);
}
