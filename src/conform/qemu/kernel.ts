// A guest's kernel: fetched once, kept in the cache folder with the modules and the busybox that go with it.
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AptSuite, debianSites, type Package } from './apt.js';
import { collectModules } from './modules.js';
import { GuestError } from './tools.js';
import { type GuestVersion, META_PACKAGE } from './versions.js';

/** The wire to the executor, swap, and files that hold a pin. */
const MODULES = ['virtio_pci', 'virtio_console', 'lzo', 'lzo_rle', 'zram', 'fuse'];
/** Where a kernel came without them, it does not need them. */
const MAY_LACK = new Set(['lzo_rle']);

const BUSYBOX = 'busybox-static';

/** Raised when what is kept, or how it is made, changes: older caches are made anew. */
const FORM = 1;

export interface GuestKernel {
  /** uname -r. */
  readonly release: string;
  readonly suite: string;
  readonly packages: readonly Package[];
  /** In the order in which they are loaded; files of `folder`. */
  readonly modules: readonly string[];
  readonly folder: string;
}

/** The kernel of a version, from the cache or else from Debian. Rejects with GuestError if it cannot be had. */
export async function fetchKernel(
  version: GuestVersion,
  cache: string,
  onProgress: (what: string) => void,
): Promise<GuestKernel> {
  const folder = join(cache, 'guests', version.version);
  const kept = await readKept(folder);
  if (kept) return kept;
  await mkdir(join(cache, 'guests'), { recursive: true });
  const work = await mkdtemp(join(cache, 'guests', `${version.version}-`));
  try {
    const made = join(work, 'made');
    await make(version, work, made, onProgress);
    await rm(folder, { recursive: true, force: true });
    // Another process may have been faster: what it made is as good.
    await rename(made, folder).catch(() => undefined);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const made = await readKept(folder);
  if (!made) throw new GuestError(`${folder}: the kernel of the guest could not be kept there`);
  return made;
}

type About = Omit<GuestKernel, 'folder'> & { readonly form: number };

async function readKept(folder: string): Promise<GuestKernel | undefined> {
  try {
    const { form, ...about } = JSON.parse(await readFile(join(folder, 'about.json'), 'utf8')) as About;
    return form === FORM ? { ...about, folder } : undefined;
  } catch {
    return undefined;
  }
}

async function make(
  { version, suites }: GuestVersion,
  work: string,
  made: string,
  onProgress: (what: string) => void,
): Promise<void> {
  const sites = await debianSites();
  const tried: string[] = [];
  for (const { archive, suite } of suites) {
    const site = sites[archive];
    if (!site) {
      tried.push(`apt has no source of Debian's ${archive} archive, where ${suite} is`);
      continue;
    }
    onProgress(`lists of ${suite}`);
    const apt = await AptSuite.open(join(work, suite), site, suite);
    const packages = await kernelPackages(apt, version);
    if (typeof packages === 'string') {
      tried.push(`${suite} has ${packages}`);
      continue;
    }
    // Backports hold only what is newer than in the suite that they are for.
    const base = suite.replace(/-backports$/, '');
    const tools = base === suite ? apt : await AptSuite.open(join(work, base), site, base);
    const busybox = await tools.show(BUSYBOX);
    if (!busybox) throw new GuestError(`no ${BUSYBOX} in ${base}`);
    onProgress([...packages, busybox].map((one) => `${one.name} ${one.version}`).join(', '));
    const tree = join(work, 'tree');
    await apt.unpack(packages, tree);
    await tools.unpack([busybox], tree);
    await keep(tree, made, suite, packages);
    return;
  }
  throw new GuestError(`no Linux ${version} for a guest: ${tried.join('; ')}`);
}

/** Of the images of one version, built for virtual machines, that with the highest number; backports keep them all. */
export function newestImage(names: readonly string[]): string | undefined {
  const patch = (name: string) => Number(/^linux-image-\d+\.\d+\.(\d+)\D/.exec(name)?.[1]);
  return names.filter((name) => name.endsWith('-cloud-amd64')).toSorted((a, b) => patch(b) - patch(a))[0];
}

/** The kernel's packages; or, if the suite's kernel is of another version, what it has instead. */
async function kernelPackages(apt: AptSuite, version: string): Promise<Package[] | string> {
  const meta = await apt.show(META_PACKAGE);
  const newest = meta?.depends.find((one) => one.startsWith('linux-image-'));
  if (!newest) return `no ${META_PACKAGE}`;
  const ofVersion = `linux-image-${version}.`;
  const name = newest.startsWith(ofVersion) ? newest : newestImage(await apt.names(ofVersion));
  const image = name && (await apt.show(name));
  if (!image) return newest.replace('linux-image-', '');
  const release = image.name.replace('linux-image-', '');
  // Newer releases split the image into several packages.
  const parts = new Set(['base', 'binary', 'modules'].map((part) => `linux-${part}-${release}`));
  const found: Package[] = [image];
  for (const one of image.depends.filter((one) => parts.has(one))) {
    // Of older releases an archive keeps the parts with files in them; what then is not there is missed below.
    const part = await apt.show(one);
    if (part) found.push(part);
  }
  return found.map((one) => ({ name: one.name, version: one.version }));
}

async function keep(tree: string, made: string, suite: string, packages: readonly Package[]): Promise<void> {
  const files = await readdir(tree, { recursive: true });
  const find = (pattern: RegExp, what: string): string => {
    const path = files.find((one) => pattern.test(one));
    if (path === undefined) throw new GuestError(`${packages[0]!.name} ${packages[0]!.version}: ${what} is not in it`);
    return join(tree, path);
  };
  await mkdir(made);
  await copyFile(find(/(?:^|\/)vmlinuz[^/]*$/, 'the kernel'), join(made, 'vmlinuz'));
  const busybox = join(made, 'busybox');
  await copyFile(find(/^(?:usr\/)?bin\/busybox$/, 'busybox'), busybox);
  const builtIn = find(/^(?:usr\/)?lib\/modules\/[^/]+\/modules\.builtin$/, 'the list of what is built in');
  const folder = builtIn.replace(/\/modules\.builtin$/, '');
  const modules = await collectModules(folder, MODULES, MAY_LACK, busybox);
  for (const { name, data } of modules) await writeFile(join(made, `${name}.ko`), data);
  const about: About = {
    form: FORM,
    release: folder.replace(/^.*\//, ''),
    suite,
    packages,
    modules: modules.map(({ name }) => `${name}.ko`),
  };
  await writeFile(join(made, 'about.json'), `${JSON.stringify(about, null, 2)}\n`);
}
