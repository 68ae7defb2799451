import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import type { KernelSpec } from '../src/engine/types.js';
import { UsageError } from '../src/errors.js';
import { type Caused, compareFindings, extendBaseline, readBaseline, writeBaseline } from '../src/findings/baseline.js';
import { diagnose } from '../src/findings/finding.js';
import { programId } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';

const directory = mkdtempSync(join(tmpdir(), 'breakcow-baseline-'));
after(() => rmSync(directory, { recursive: true }));
const path = join(directory, 'known.json');

const engine = loadEngine();
const { catalogue } = engine;
const V57: KernelSpec = { kernel: 'v5.7', with: [], without: [] };
const V58: KernelSpec = { kernel: 'v5.8', with: [], without: [] };

// One flaw in two shapes, and another that breaks the same promise.
const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
const WRONG_SIDE_TOO = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; write B p0; write A p0; hread h';
const PINNED = 'mmap A p0; h=gup A p0 W PIN; fork A->B; hwrite h; read B p0';
const EVENT = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET';

function caused(program: string, spec = V57): Caused {
  const words = parseProgram(program, catalogue.ops);
  const diagnosis = diagnose(engine, spec, words);
  assert.ok(diagnosis, `${program} breaks nothing on ${spec.kernel}`);
  return { id: programId(words, spec, catalogue.ops), diagnosis };
}

/** Writes it and reads it back. */
function kept(...findings: Caused[]) {
  writeBaseline(path, extendBaseline(engine, [], findings));
  return readBaseline(path, catalogue, false);
}

describe('a baseline', () => {
  it('knows a cause by another program, and tells another cause from it', () => {
    const [known, other, pinned] = [WRONG_SIDE, WRONG_SIDE_TOO, PINNED].map((program) => caused(program));
    const { slug } = catalogue.invariant(known!.diagnosis.violation.invariant);
    assert.equal(slug, 'cow-leak');
    assert.notEqual(known!.id, other!.id);
    const entries = kept(known!);
    const compared = compareFindings(engine, V57, entries, [other!, pinned!]);
    assert.deepEqual(compared.fresh, [pinned]);
    assert.deepEqual(compared.known, [{ finding: other, entry: entries[0] }]);
    assert.deepEqual(compared.unseen, []);
    assert.deepEqual(compareFindings(engine, V57, kept(pinned!), [other!]).fresh, [other]);
  });

  it('is about one kernel', () => {
    const entries = kept(caused(WRONG_SIDE));
    const knobs = { ...V57, with: ['copy.keeps_uffd_wp'] };
    const elsewhere = compareFindings(engine, knobs, entries, [caused(WRONG_SIDE, knobs)]);
    assert.equal(elsewhere.fresh.length, 1);
    assert.deepEqual(elsewhere.unseen, []);
  });

  it('tells what was not seen any more, and whether its program still shows it', () => {
    const entries = kept(caused(WRONG_SIDE), caused(PINNED));
    const stale = { ...entries[0]!, program: 'mmap A p0 anon', id: 'x' };
    const { unseen } = compareFindings(engine, V57, [...entries, stale], [caused(PINNED)]);
    assert.deepEqual(
      unseen.map(({ entry, fixed }) => [entry.program, fixed]),
      [
        [entries.find(({ program }) => program.includes('munmap'))!.program, false],
        ['mmap A p0 anon', true],
      ],
    );
  });

  it('is a file in one order, each finding once, whoever wrote it and when', () => {
    const all = [caused(WRONG_SIDE), caused(PINNED), caused(EVENT, V58)];
    kept(...all);
    const text = readFileSync(path, 'utf8');
    kept(...all.toReversed());
    assert.equal(readFileSync(path, 'utf8'), text);
    const entries = readBaseline(path, catalogue, false);
    writeBaseline(path, extendBaseline(engine, [...entries, ...entries], all));
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.ok(text.endsWith('}\n'));
    const { version, findings } = JSON.parse(text);
    assert.equal(version, 1);
    const pinned = findings.find(({ program }: { program: string }) => program.includes('hwrite'));
    assert.deepEqual(Object.keys(pinned), ['slug', 'kernel', 'with', 'without', 'program', 'id', 'cause', 'origin']);
    assert.equal(pinned.cause, 'cow-leak; copy_present_pte; +fork.early_copy_pinned');
    assert.equal(pinned.origin, 'v5.7 or earlier');
    assert.equal(pinned.id, caused(PINNED).id);
  });

  it('may be written by hand, with a note that stays', () => {
    const note = 'BUG-12: "won\'t fix" <\u{1f42e}>';
    writeFileSync(
      path,
      JSON.stringify({ version: 1, findings: [{ slug: 'cow-leak', kernel: 'v5.7', program: PINNED, note }] }),
    );
    const [entry] = readBaseline(path, catalogue, false);
    assert.equal(entry!.id, caused(PINNED).id);
    assert.deepEqual(compareFindings(engine, V57, [entry!], [caused(PINNED)]).fresh, []);
    writeBaseline(path, extendBaseline(engine, [entry!], [caused(WRONG_SIDE)]));
    const again = readBaseline(path, catalogue, false);
    assert.deepEqual(
      again.map((one) => one.note),
      [note, undefined],
    );
  });

  it('names the entry that makes no sense', () => {
    const good = { slug: 'cow-leak', kernel: 'v5.7', with: [], without: [], program: PINNED, id: 'b4pscbbp3s' };
    const entry = (changes: object) => JSON.stringify({ version: 1, findings: [good, { ...good, ...changes }] });
    const cases: [text: string, complaint: RegExp][] = [
      ['', /known\.json is no baseline: .*JSON/s],
      ['<<<<<<< HEAD\n{}', /known\.json is no baseline: .*JSON/s],
      ['null', /is no baseline: expected \{ "version": 1, "findings": \[\.\.\.\] \}/],
      ['[]', /is no baseline: expected/],
      ['{ "version": 2, "findings": [] }', /is no baseline: expected/],
      ['{ "version": 1, "findings": {} }', /is no baseline: expected/],
      ['{ "version": 1, "findings": [7] }', /known\.json: finding 1: expected an object/],
      [entry({ kernel: 'v5.77' }), /finding 2 \(cow-leak, b4pscbbp3s\): unknown kernel "v5\.77"; did you mean v5\.7\?/],
      [entry({ with: ['gup.unshar'] }), /finding 2 .*: unknown knob "gup\.unshar"; did you mean gup\.unshare\?/],
      [entry({ without: 'gup.unshare' }), /finding 2 .*: "without" must be a list of knobs/],
      [entry({ with: ['gup.unshare'], without: ['gup.unshare'] }), /finding 2 .* both with and without/],
      [
        entry({ slug: 'cow-leek' }),
        /finding 2 \(cow-leek, b4pscbbp3s\): unknown promise "cow-leek"; did you mean cow-leak\?/,
      ],
      [entry({ slug: 3 }), /finding 2 \(b4pscbbp3s\): "slug" must be a text/],
      [entry({ program: 'mmap A p0; wirte A p0' }), /finding 2 .*: line 1, column 12: .*did you mean write\?/],
      [entry({ program: undefined }), /finding 2 .*: "program" must be a text/],
      [entry({ program: '' }), /finding 2 .*: line 1, column 1/],
      [entry({ id: 5 }), /finding 2 \(cow-leak\): "id" must be a text/],
      [entry({ note: ['a'] }), /finding 2 .*: "note" must be a text/],
      [entry({ nte: 'a' }), /finding 2 .*: unknown field "nte"; did you mean note\?/],
    ];
    for (const [text, complaint] of cases) {
      writeFileSync(path, text);
      assert.throws(
        () => readBaseline(path, catalogue, true),
        (error) => error instanceof UsageError && complaint.test(error.message),
        `${text}: ${complaint}`,
      );
    }
    writeFileSync(path, JSON.stringify({ version: 1, findings: [good] }));
    assert.equal(readBaseline(path, catalogue, false).length, 1);
  });

  it('may be absent only where it is to be written', () => {
    const missing = join(directory, 'missing.json');
    assert.deepEqual(readBaseline(missing, catalogue, true), []);
    assert.throws(
      () => readBaseline(missing, catalogue, false),
      /missing\.json is no baseline: .*\n--update-baseline writes one/,
    );
    assert.throws(() => writeBaseline(join(missing, 'x'), []), UsageError);
  });
});
