// The page that watches: one HTML file for all addresses, its code and its style, which nothing else may be mixed into.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const BUILD = new URL('../../../build/', import.meta.url);

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

export interface Assets {
  readonly shell: Asset;
  readonly icon: Asset;
  readonly files: ReadonlyMap<string, Asset>;
  /** Names this version of the page. */
  readonly version: string;
}

const SHELL = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>breakcow</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/watch.css">
<script type="module" src="/assets/watch.js"></script>
</head>
<body>
<div id="page"><noscript>This page watches campaigns with JavaScript. Without: "breakcow campaign status".</noscript></div>
</body>
</html>
`;

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1f5fbf"/>
<path d="M3 11l3-4 2 2 4-6" fill="none" stroke="#fff" stroke-width="1.8"/></svg>
`;

export function loadAssets(): Assets {
  const built = (name: string): Buffer => {
    try {
      return readFileSync(new URL(name, BUILD));
    } catch (cause) {
      throw new Error(`no build/${name}: run npm run build`, { cause });
    }
  };
  const code = built('watch.js');
  const style = built('watch.css');
  const icon = { type: 'image/svg+xml', body: Buffer.from(ICON) };
  return {
    icon,
    shell: { type: 'text/html; charset=utf-8', body: Buffer.from(SHELL) },
    files: new Map([
      ['watch.js', { type: 'text/javascript; charset=utf-8', body: code }],
      ['watch.css', { type: 'text/css; charset=utf-8', body: style }],
      ['icon.svg', icon],
    ]),
    version: createHash('sha256').update(code).update(style).digest('hex').slice(0, 12),
  };
}
