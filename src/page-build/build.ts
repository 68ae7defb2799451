// npm run build:page: the browser code of each page, its workers and its style, and the playground that holds them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { playgroundHtml } from './html.js';

/** dist/src/page-build/ to the root of the package. */
const root = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** Whatever of src needs Node must fall out of the bundle: a name of Node's that is left over stops the build. */
const noNode: Plugin = {
  name: 'no-node',
  setup(on) {
    on.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
    on.onResolve({ filter: /^\.\/load\.js$/ }, () => ({ path: 'load', namespace: 'disk', sideEffects: false }));
    on.onLoad({ filter: /.*/, namespace: 'disk' }, () => ({ contents: 'export function loadModule() {}' }));
  },
};

async function bundle(
  entry: string,
  outfile: string,
  options: Pick<BuildOptions, 'format' | 'jsx' | 'jsxImportSource'>,
): Promise<void> {
  const { metafile } = await build({
    entryPoints: [root(entry)],
    outfile: root(outfile),
    bundle: true,
    target: 'es2022',
    minify: true,
    metafile: true,
    plugins: [noNode],
    logLevel: 'warning',
    ...options,
  });
  const [output] = Object.values(metafile.outputs);
  const left = output!.imports.filter(({ external }) => external).map(({ path }) => path);
  if (left.length > 0) throw new Error(`${entry} needs ${left.join(', ')}: no browser has that`);
}

const JSX = { format: 'esm', jsx: 'automatic', jsxImportSource: 'preact' } as const;
await bundle('src/page/main.tsx', 'build/page.js', JSX);
await bundle('src/page/watch-main.tsx', 'build/watch.js', JSX);
await bundle('src/page/hunt-worker.ts', 'build/page-worker.js', { format: 'iife' });

const STYLES: Readonly<Record<string, readonly string[]>> = {
  page: ['style', 'fuzz-here', 'overview'],
  watch: ['style', 'overview', 'watch'],
};
for (const [name, styles] of Object.entries(STYLES)) {
  const paths = ['node_modules/uplot/dist/uPlot.min.css', ...styles.map((style) => `src/page/${style}.css`)];
  writeFileSync(root(`build/${name}.css`), paths.map((path) => readFileSync(root(path), 'utf8')).join('\n'));
}
mkdirSync(root('dist/playground'), { recursive: true });
writeFileSync(root('dist/playground/index.html'), playgroundHtml());
