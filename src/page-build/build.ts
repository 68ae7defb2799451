// npm run build:page: the browser code and its style, each as one file, and the playground that holds them.
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

const { metafile } = await build({
  entryPoints: [root('src/page/main.tsx')],
  outfile: root('build/page.js'),
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
if (left.length > 0) throw new Error(`the page's code needs ${left.join(', ')}: no browser has that`);
const STYLES = ['node_modules/uplot/dist/uPlot.min.css', 'src/page/style.css', 'src/page/overview.css'];
writeFileSync(root('build/page.css'), STYLES.map((path) => readFileSync(root(path), 'utf8')).join('\n'));
mkdirSync(root('dist/playground'), { recursive: true });
writeFileSync(root('dist/playground/index.html'), playgroundHtml());
