import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

// The rules of the house that no linter checks; the linter does not read assembly/ at all.

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['assembly', 'src', 'test', 'bench'];
const MAX_LINES = 400;
const MAX_COLUMNS = 140;

// Written so that this file does not hold what it looks for.
const FORBIDDEN: { what: string; pattern: RegExp }[] = [
  { what: 'a tab', pattern: /\t/ },
  { what: 'a carriage return', pattern: /\r/ },
  { what: 'a trailing blank', pattern: / $/ },
  { what: 'a leftover marker', pattern: /\b(?:[T]ODO|[F]IXME|[X]XX)\b/ },
  { what: 'a test left out, or left alone', pattern: /\b(?:it|test|describe|suite|t)\.(?:skip|only|todo)\(/ },
  {
    what: 'a check switched off',
    pattern: /@ts-(?:ignore|nocheck|expect-error)|(?:biome|eslint|oxlint)-(?:ignore|disable)/,
  },
];

/** A text for people, in a table or in --help, is one string, however long. */
const TEXT = /^ +(?:case [\w.]+: |(?:[\w.]+\()?)(?:return )?(['"`]).*\1(?: \+)?[),;]*$/;
/** AssemblyScript's decorators on functions are no TypeScript: the editor is told so, and only that. */
const DECORATOR = `// @ts-${'ignore'}: decorator`;

/** Who may not import whom: data flows one way. */
const IMPORTS: { from: RegExp; not: RegExp; why: string }[] = [
  {
    from: /^assembly\/mm\//,
    not: /\/(?:oracle|fuzz|explore)\//,
    why: 'the model does not know its judges and drivers',
  },
  { from: /^assembly\/oracle\//, not: /\/(?:fuzz|explore)\//, why: 'a judge does not know who drives the model' },
  { from: /^src\/(?!engine\/)/, not: /@assemblyscript\/loader/, why: 'only src/engine knows the binary interface' },
  { from: /^src\/(?!cli\/)/, not: /\/cli\//, why: 'the command line is on top' },
  { from: /^src\/(?!threads\.ts$)/, not: /^piscina$/, why: 'src/threads.ts starts all threads' },
  { from: /^src\/(?!queue\/)/, not: /^(?:bullmq|ioredis)$/, why: 'only src/queue knows the queue' },
  { from: /^src\/page\//, not: /^node:|\/page-build\//, why: 'the page runs in a browser' },
];

/** Complaints about one file, each with its line where it has one. */
function complaints(path: string, text: string): string[] {
  const found: string[] = [];
  const lines = text.split('\n');
  if (lines.pop() !== '') found.push('the last line is not ended');
  if (lines.length > MAX_LINES) found.push(`${lines.length} lines, more than ${MAX_LINES}`);
  for (const [i, line] of lines.entries()) {
    if (line.length > MAX_COLUMNS && !TEXT.test(line))
      found.push(`line ${i + 1}: ${line.length} columns, more than ${MAX_COLUMNS}`);
    const checked = path.startsWith('assembly/') && line === DECORATOR ? '' : line;
    for (const { what, pattern } of FORBIDDEN) if (pattern.test(checked)) found.push(`line ${i + 1}: ${what}`);
  }
  for (const [, imported] of text.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    for (const { from, not, why } of IMPORTS) {
      if (from.test(path) && not.test(imported!)) found.push(`imports ${imported}: ${why}`);
    }
  }
  return found;
}

function sources(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:tsx?|c|h)$/.test(name))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  ).sort();
}

describe('tidy', () => {
  it('every source file keeps the rules of the house', () => {
    const files = sources();
    for (const folder of FOLDERS)
      assert.ok(
        files.some((path) => path.startsWith(`${folder}/`)),
        `no file in ${folder}/`,
      );
    const untidy = files.flatMap((path) =>
      complaints(path, readFileSync(join(ROOT, path), 'utf8')).map((complaint) => `${path}: ${complaint}`),
    );
    assert.deepEqual(untidy, []);
  });

  it('sees each rule broken', () => {
    const cases: [path: string, text: string, complaint: RegExp][] = [
      ['src/a.ts', 'x', /not ended/],
      ['src/a.ts', 'x\n'.repeat(MAX_LINES + 1), /401 lines/],
      ['src/a.ts', `${'x'.repeat(MAX_COLUMNS + 1)}\n`, /line 1: 141 columns/],
      ['src/a.ts', 'a\n\tb\n', /line 2: a tab/],
      ['src/a.ts', 'a\r\n', /carriage return/],
      ['src/a.ts', 'a \n', /trailing blank/],
      ['src/a.ts', `// ${'TO'}DO later\n`, /leftover/],
      ['test/a.test.ts', `it.${'only'}('x');\n`, /left alone/],
      ['src/a.ts', `// biome-${'ignore'} lint: x\n`, /switched off/],
      ['src/a.ts', `// @ts-${'ignore'}\n`, /switched off/],
      ['src/a.ts', `${DECORATOR}\n`, /switched off/],
      ['assembly/a.ts', `// @ts-${'ignore'}: any\n`, /switched off/],
      ['assembly/mm/memory.ts', "import { judge } from '../oracle/judge';\n", /does not know its judges/],
      ['assembly/oracle/judge.ts', "import {\n  next,\n} from '../fuzz/next';\n", /who drives/],
      ['src/report/text.ts', "import loader from '@assemblyscript/loader';\n", /only src\/engine/],
      ['src/score/index.ts', "import { Piscina } from 'piscina';\n", /starts all threads/],
      ['src/campaign/pool.ts', "import { Queue } from 'bullmq';\n", /only src\/queue/],
      ['src/page/app.tsx', "import { readFileSync } from 'node:fs';\n", /runs in a browser/],
      ['src/engine/engine.ts', "import { main } from '../cli/main.js';\n", /command line is on top/],
    ];
    for (const [path, text, complaint] of cases) {
      const found = complaints(path, text);
      assert.equal(found.length, 1, `${JSON.stringify(text)}: ${found.join('; ')}`);
      assert.match(found[0]!, complaint);
    }
  });

  it('has nothing against a tidy file', () => {
    assert.deepEqual(complaints('assembly/oracle/judge.ts', "import { pte } from '../mm/pgtable';\n"), []);
    assert.deepEqual(complaints('src/engine/load.ts', "import loader from '@assemblyscript/loader';\n"), []);
  });
});

describe('styles', () => {
  /** Classes that several sheets mean the same by. */
  const SHARED = ['bad', 'broken', 'copies', 'note', 'promise', 'quiet'];

  // A rule below a class of its sheet's own, such as `.watch .panel`, bends what another sheet means there alone.
  it('no two sheets mean different things by one class', () => {
    const folder = join(ROOT, 'src/page');
    const sheets = readdirSync(folder).filter((name) => name.endsWith('.css'));
    assert.ok(sheets.length > 1);
    const owners = new Map<string, string[]>();
    for (const name of sheets) {
      const text = readFileSync(join(folder, name), 'utf8').replace(/\{[^{}]*\}/g, '{}');
      const classes = new Set(Array.from(text.matchAll(/(?:^|[{},])\s*\.([a-z][\w-]*)/g), ([, found]) => found!));
      for (const found of classes) owners.set(found, [...(owners.get(found) ?? []), name]);
    }
    const clashes = [...owners].filter(([name, files]) => files.length > 1 && !SHARED.includes(name));
    assert.deepEqual(clashes, []);
  });
});
