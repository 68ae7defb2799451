// The page as one file: style, data, module and code inside, nothing to load.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cSources } from '../conform/reproducer-sources.js';
import { WASM_URL } from '../engine/load.js';
import type { Boot, Choice } from '../page/boot.js';
import { CORPUS } from '../score/corpus.js';

const BUILD = new URL('../../../build/', import.meta.url);

function built(url: URL): Buffer {
  try {
    return readFileSync(url);
  } catch (cause) {
    throw new Error(`no ${url.pathname}: run npm run build`, { cause });
  }
}

/** The corpus's classics with the kernel that has the flaw. */
export function gallery(): Choice[] {
  return CORPUS.map(({ id, name, trigger, spec, note }) => ({ name: `${id} ${name}`, program: trigger, spec, note }));
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (char) => names[char]!);
}

/** JSON that no HTML parser takes for the end of its element. */
function escapeJson(data: unknown): string {
  return JSON.stringify(data).replace(
    /[<\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Code that no HTML parser takes for the end of its element. */
function code(name: string): string {
  return built(new URL(name, BUILD)).toString('utf8').replaceAll('</script', '<\\/script');
}

/** One HTML file that shows `boot`. It may run its own script, that script's workers and nothing else, and load nothing. */
export function pageHtml(boot: Boot): string {
  const script = code('page.js');
  const style = built(new URL('page.css', BUILD)).toString('utf8');
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)} 'wasm-unsafe-eval'`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(boot.title)}</title>
<style>${style}</style>
</head>
<body>
<div id="page"><noscript>This page steps through a program with JavaScript and WebAssembly.</noscript></div>
<script id="boot" type="application/json">${escapeJson(boot)}</script>
<script id="module" type="application/octet-stream">${built(WASM_URL).toString('base64')}</script>
<script id="worker" type="text/plain">${code('page-worker.js')}</script>
<script id="c-sources" type="application/json">${escapeJson(cSources())}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

export function playgroundHtml(): string {
  return pageHtml({ title: 'breakcow playground', findings: [], gallery: gallery() });
}
