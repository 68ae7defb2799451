// npm run build:page: the browser code and its style, each as one file for each page, and the playground that holds them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
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

const PAGES: Readonly<Record<string, readonly string[]>> = {
  page: ['style', 'overview'],
  watch: ['style', 'overview', 'watch'],
};

async function bundle(name: string, styles: readonly string[]): Promise<void> {
  const { metafile } = await build({
    entryPoints: [root(`src/page/${name === 'page' ? 'main' : `${name}-main`}.tsx`)],
    outfile: root(`build/${name}.js`),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    metafile: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    plugins: [noNode],
    logLevel: 'warning',
  });
  const [output] = Object.values(metafile.outputs);
  const left = output!.imports.filter(({ external }) => external).map(({ path }) => path);
  if (left.length > 0) throw new Error(`the code of ${name} needs ${left.join(', ')}: no browser has that`);
  const paths = ['node_modules/uplot/dist/uPlot.min.css', ...styles.map((style) => `src/page/${style}.css`)];
  writeFileSync(root(`build/${name}.css`), paths.map((path) => readFileSync(root(path), 'utf8')).join('\n'));
}

for (const [name, styles] of Object.entries(PAGES)) await bundle(name, styles);
mkdirSync(root('dist/playground'), { recursive: true });
writeFileSync(root('dist/playground/index.html'), playgroundHtml());
