// The annotated listing: every file of the model with what was never taken marked, as one HTML file without a script.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { printSpec } from '../text/id.js';
import { short } from '../text/numbers.js';
import { ROOT } from '../transform/compile.js';
import type { Branch } from '../transform/cover.js';
import type { FileShare } from './summary.js';
import { percent, type Told } from './text.js';

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (char) => names[char]!);
}

/** A piece of text and the branches that are never taken there. */
interface Piece {
  readonly text: string;
  readonly never: readonly Branch[];
}

/** Pieces of a line, which begins at offset `from` of its file. */
function pieces(line: string, from: number, never: readonly Branch[]): Piece[] {
  const cuts = new Set([0, line.length]);
  const here = never.filter((branch) => branch.from < from + line.length && branch.to > from);
  for (const branch of here) for (const at of [branch.from - from, branch.to - from]) cuts.add(clamp(at, line.length));
  const sorted = [...cuts].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((start, i) => {
    const end = sorted[i + 1]!;
    const of = here.filter((branch) => branch.from <= from + start && branch.to >= from + end);
    return { text: line.slice(start, end), never: of };
  });
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}

function pieceHtml({ text, never }: Piece, oneSided: (branch: Branch) => boolean): string {
  if (never.length === 0 || text.trim() === '') return escapeHtml(text);
  const title = escapeHtml([...new Set(never.map((branch) => branch.never))].join('\n'));
  const kinds = [
    never.some((branch) => !oneSided(branch)) ? 'untaken' : 'one-sided',
    ...(never.every(({ knob }) => knob) ? ['by-knob'] : []),
  ];
  return `<span class="${kinds.join(' ')}" title="${title}">${escapeHtml(text)}</span>`;
}

function fileHtml(file: FileShare, all: readonly Branch[], taken: readonly boolean[]): string {
  const path = `assembly/${file.name}`;
  const text = readFileSync(join(ROOT, path), 'utf8');
  const own = all.filter((branch) => branch.file === path);
  const implicit = new Set(
    own.filter((branch) => branch.kind === 'left' || isImplicit(branch, own)).map(({ id }) => id),
  );
  const oneSided = ({ id }: Branch) => implicit.has(id);
  const reached = own.filter(({ id, kind }) => kind === 'entry' && taken[id]);
  let at = 0;
  const lines = text.split('\n').slice(0, -1);
  const rows = lines.map((line, i) => {
    const parts = pieces(line, at, file.never);
    const never = parts.some((part) => part.never.length > 0 && part.text.trim() !== '');
    const runs = reached.some(({ from, to }) => from <= at && at <= to);
    at += line.length + 1;
    const state = never ? 'gap' : runs ? 'ran' : 'idle';
    const code = parts.map((part) => pieceHtml(part, oneSided)).join('');
    return `<span class="source-line ${state}" id="${escapeHtml(file.name)}-${i + 1}">${code || ' '}</span>`;
  });
  const list = file.functions
    .filter((one) => one.taken < one.branches)
    .map(
      (one) =>
        `<a href="#${escapeHtml(file.name)}-${one.line}">${escapeHtml(one.name)}</a> ${one.taken}/${one.branches}`,
    );
  return `<details class="listing"${file.never.length > 0 ? ' open' : ''}>
<summary>${escapeHtml(file.name)} <span class="share">${file.taken} of ${file.branches}, ${percent(file)}</span></summary>
${list.length > 0 ? `<p class="partly">In part: ${list.join(', ')}</p>` : ''}
<pre class="source">${rows.join('')}</pre>
</details>`;
}

/** An `else` that is not written has the place of its condition. */
function isImplicit(branch: Branch, own: readonly Branch[]): boolean {
  if (branch.kind !== 'else') return false;
  const then = own.find(
    ({ kind, line, column }) => kind === 'then' && line === branch.line && column === branch.column,
  );
  return then !== undefined && branch.to <= then.from;
}

export function coverageHtml({ spec, seed, result, summary }: Told): string {
  const style = ['style', 'coverage']
    .map((name) => readFileSync(join(ROOT, `src/page/${name}.css`), 'utf8'))
    .join('\n');
  const title = `Branches of ${printSpec(spec)}`;
  const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
  const rows = summary.files.map(({ name, ...share }) => {
    const link = `<a href="#${escapeHtml(name)}-1">${escapeHtml(name)}</a>`;
    const cells = [share.taken, share.branches, percent(share)].map((cell) => `<td>${cell}</td>`);
    return `<tr><th scope="row">${link}</th>${cells.join('')}</tr>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main id="page">
<header><h1>${escapeHtml(title)}</h1></header>
<p>Seed ${seed}: ${summary.taken} of ${summary.branches} branches of the model (${percent(summary)})
in ${short(result.programs)} programs.
<span class="untaken">Never run</span>, <span class="one-sided">asked, but always with the same answer</span>;
<span class="untaken by-knob">pale</span> where a knob of the kernel decides. Point at a mark for what never happened.</p>
<table class="shares">
<thead><tr><th scope="col">file</th><th scope="col">taken</th><th scope="col">branches</th><th scope="col">share</th></tr></thead>
<tbody>${rows.join('')}</tbody></table>
${summary.files.map((file) => fileHtml(file, result.branches, result.taken)).join('\n')}
</main>
</body>
</html>
`;
}
