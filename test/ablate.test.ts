import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import type { KernelSpec } from '../src/engine/types.js';
import { ablate, dropped, ownKnobs, placeOf } from '../src/explore/ablate.js';
import { ablateData, ablateHeader, ablateRow, ablateTail } from '../src/explore/ablate-text.js';
import { parseScope } from '../src/explore/scope.js';
import { TABLE_COLUMNS } from '../src/report/columns.js';
import { parseProgram } from '../src/text/parse.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const engine = loadEngine();
const { catalogue } = engine;

function kernel(name: string, plus: readonly string[] = []): KernelSpec {
  return { kernel: name, with: plus, without: [] };
}

function options(depth: number, scope?: string) {
  return {
    workers: 2,
    memory: 2 ** 30,
    symmetry: 'full',
    visited: { kind: 'exact' },
    depth,
    ...(scope !== undefined && { scope: parseScope(scope) }),
  } as const;
}

/** Slugs of what a program breaks. */
function broken(spec: KernelSpec, program: string): string[] {
  engine.configure(spec);
  const mask = engine.mask(parseProgram(program, catalogue.ops));
  return catalogue.invariants.filter(({ id }) => (mask >>> id) & 1).map(({ slug }) => slug);
}

describe('ablate', () => {
  it('tells what the copy hunk of the mail is needed for, though the patch is broken without and with it', async () => {
    const spec = kernel('seed');
    const ablation = await ablate(engine, spec, options(7, 'gup=R.GET,zap=0'));
    assert.equal(ablation.base, 'break-cow-v2');
    const names = ablation.rows.map(({ knob, finding }) => [knob.name, finding?.slug]);
    assert.deepEqual(names.sort(), [
      ['copy.keeps_uffd_wp', 'wp-lost'],
      ['fault.bc_pmd', undefined],
      ['fault.bc_pud', undefined],
      ['wp_pmd.event_needs_write', undefined],
      ['wp_pmd_reuse.keeps_wp', undefined],
    ]);
    const row = ablation.rows.find(({ finding }) => finding)!;
    assert.equal(row.finding!.length, 7);
    const { program } = row.finding!;
    assert.deepEqual(broken(dropped(spec, row.knob, true), program), ['wp-lost']);
    assert.deepEqual(broken(spec, program), []);
    // wp-lost is a promise that the whole patch breaks as well, and earlier.
    const left = ablation.left.flatMap(({ check }) => check.findings);
    assert.equal(left.find(({ slug }) => slug === 'wp-lost')?.length, 6);
    assert.ok(left.some(({ slug, diagnosis: { cures } }) => slug === 'cow-leak' && cures.length > 0));
  });

  it('finds the PMD hunks needed once the lookup honours the flag', async () => {
    const spec = kernel('seed', ['follow_pte.checks_bc', 'follow_pmd.checks_bc']);
    const needed = new Map<string, string | undefined>();
    const scope = 'mms=1,pmds=1,gup=R.GET,swap=0,zap=0';
    const { rows } = await ablate(engine, spec, options(6, scope));
    for (const { knob, finding } of rows) needed.set(knob.name, finding?.slug);
    assert.equal(needed.get('wp_pmd.event_needs_write'), 'wp-event-on-read');
    assert.equal(needed.get('wp_pmd_reuse.keeps_wp'), 'wp-writable');
    assert.equal(needed.get('fault.bc_pud'), undefined);
    // With the hunk the same call never ends: the lookup wants a write bit that uffd-wp forbids.
    assert.deepEqual(rows.find(({ knob }) => knob.name === 'wp_pmd_reuse.keeps_wp')?.instead, ['no-progress']);
  });

  it('knows both directions in which a kernel differs, and where nothing differs', () => {
    const { base, knobs } = ownKnobs(engine, kernel('v5.8'));
    assert.equal(base, 'v5.7');
    const vector = catalogue.kernel('v5.7').vector;
    for (const knob of knobs) {
      const on = knob.name !== 'follow.cow_needs_force';
      assert.notDeepEqual(catalogue.vector(dropped(kernel('v5.8'), knob, on)), catalogue.kernel('v5.8').vector);
    }
    const all = knobs.reduce(
      (spec, knob) => dropped(spec, knob, knob.name !== 'follow.cow_needs_force'),
      kernel('v5.8'),
    );
    assert.deepEqual(catalogue.vector(all), vector);
    assert.throws(() => ownKnobs(engine, kernel('v5.7')), /first of the catalogue/);
    assert.throws(() => ownKnobs(engine, kernel('v5.9', ['x.y'])), /unknown knob/);
  });

  it('searches each knob where it can matter', () => {
    const scope = (name: string) => placeOf(catalogue.knob(name)).scope;
    assert.equal(scope('fault.bc_pud').dax, true);
    assert.equal(scope('wp_pmd_reuse.keeps_wp').pmds, 1);
    assert.equal(scope('copy.keeps_uffd_wp').pmds, 0);
  });

  it('is a table of 100 columns', async () => {
    const spec = kernel('break-cow-v1');
    const ablation = await ablate(engine, spec, options(6, 'swap=0,uffd=none'));
    const text = [ablateHeader(spec, ablation.base), ...ablation.rows.map(ablateRow), ablateTail(catalogue, ablation)];
    for (const line of text.join('\n').split('\n')) assert.ok(line.length <= TABLE_COLUMNS, line);
    assert.match(text.join('\n'), /^break-cow-v1 against v5\.8/);
    // Without the flag of faultin_page (v2) the flag of GUP changes nothing at all.
    assert.match(
      text.join('\n'),
      /^-gup\.break_cow +not needed up to depth 6: the same \d[\d,]* states as with it \(/m,
    );
    const data = ablateData(catalogue, ablation);
    assert.equal(data.rows.length, ablation.rows.length);
    assert.ok(data.left.every(({ label, length }) => label === `shortest (exhaustive to length ${length})`));
  });

  it('is a command', () => {
    const run = (...args: string[]) => spawnSync(process.execPath, [BIN, 'ablate', ...args], { encoding: 'utf8' });
    const { status, stdout } = run('v5.8', '--scope', 'mms=1,swap=0', '--depth', '5', '--json');
    assert.equal(status, 0);
    const data: { rows: { dropped: string; needed: boolean }[]; left: { slug: string }[] } = JSON.parse(stdout);
    assert.deepEqual(data.rows.map(({ dropped: name }) => name).sort(), [
      '+follow.cow_needs_force',
      '-gup.as_write',
      '-gupfast.read_needs_write',
    ]);
    assert.ok(data.left.some(({ slug }) => slug === 'wp-event-on-read'));
    const wrong = run('v5.7');
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /differs from nothing/);
  });
});
