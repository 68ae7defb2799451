// Builds a transformed module on demand, and keeps it in build/ until a source of it changes: `npm run build` stays as fast
// as it was.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { UsageError } from '../errors.js';
import type { Transform } from './ast.js';

/** dist/src/transform/ to the root of the package. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILD = join(ROOT, 'build');

/** A transformed module and what its transform tells of it. */
export interface Built<T> {
  readonly wasm: URL;
  readonly table: T;
}

export interface Target<T> {
  /** `build/<name>.wasm`. */
  readonly name: string;
  /** Made only if the module has to be built. `table` is asked for after the build, and kept as JSON. */
  make(): Promise<{ readonly transform: Transform; table(): T }>;
  /** Told before a build, which takes some seconds. */
  readonly onBuild?: (() => void) | undefined;
}

function filesOf(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Of everything that the module depends on: the engine's sources, how it is compiled, and the transforms. */
function sourcesHash(): string {
  const hash = createHash('sha256');
  const files = [
    ...filesOf(join(ROOT, 'assembly'), /\.ts$/),
    ...filesOf(dirname(fileURLToPath(import.meta.url)), /\.js$/),
    join(ROOT, 'asconfig.json'),
    join(ROOT, 'package.json'),
  ];
  for (const path of files)
    hash
      .update(`${path.slice(ROOT.length)}\0`)
      .update(readFileSync(path))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
}

/** Two processes may build at once: each writes a file of its own and puts it in place. */
function put(path: string, contents: string | Uint8Array): void {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, contents);
  renameSync(own, path);
}

/** Throws UsageError where there are no sources, Error with the compiler's words if it fails. */
export async function transformed<T>({ name, make, onBuild }: Target<T>): Promise<Built<T>> {
  const [wasm, json] = [join(BUILD, `${name}.wasm`), join(BUILD, `${name}.json`)];
  if (!existsSync(join(ROOT, 'assembly/index.ts')))
    throw new UsageError(`this needs the sources of the engine (assembly/) and its compiler: run it in a checkout`);
  const hash = sourcesHash();
  if (existsSync(wasm) && existsSync(json)) {
    const kept = JSON.parse(readFileSync(json, 'utf8')) as { readonly hash: string; readonly table: T };
    if (kept.hash === hash) return { wasm: pathToFileURL(wasm), table: kept.table };
  }
  onBuild?.();
  const { transform, table } = await make();
  put(wasm, await compile(join(ROOT, 'assembly/index.ts'), transform));
  const built = table();
  put(json, JSON.stringify({ hash, table: built }));
  return { wasm: pathToFileURL(wasm), table: built };
}

/** The module of `entry`, as the release of this package is compiled. Throws Error with the compiler's words. */
export async function compile(entry: string, transform: Transform): Promise<Uint8Array> {
  const asc = await compiler();
  let binary: Uint8Array | undefined;
  const said: string[] = [];
  const words = { write: (text: string | Uint8Array) => said.push(String(text)) > 0 };
  mkdirSync(BUILD, { recursive: true });
  const args = [entry.slice(ROOT.length), '--target', 'release', '--outFile', 'module.wasm', '--sourceMap', 'false'];
  const { error } = await asc.main([...args, '--baseDir', ROOT, '--config', join(ROOT, 'asconfig.json')], {
    stdout: words,
    stderr: words,
    writeFile: (file, contents) => {
      if (file.endsWith('.wasm') && typeof contents !== 'string') binary = contents;
    },
    transforms: [
      transform as Parameters<typeof asc.main>[1] extends { transforms?: (infer T)[] } | undefined ? T : never,
    ],
  });
  if (error || !binary) throw new Error(`asc: ${said.join('').trim() || error?.message}`);
  return binary;
}

async function compiler(): Promise<typeof import('assemblyscript/asc')> {
  try {
    return await import('assemblyscript/asc');
  } catch (cause) {
    throw new UsageError('this needs the compiler of AssemblyScript: npm install', { cause });
  }
}
