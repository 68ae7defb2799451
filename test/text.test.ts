import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadEngine } from '../src/engine/engine.js';
import { canonical } from '../src/engine/optable.js';
import { ID_LENGTH, programId } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';
import { printProgram } from '../src/text/print.js';
import { ProgramSyntaxError } from '../src/text/scan.js';
import { anyProgram } from './programs.js';

const { ops } = loadEngine().catalogue;
const parse = (text: string) => parseProgram(text, ops);
const print = (words: Uint32Array) => printProgram(words, ops);

const program = anyProgram(ops);

describe('the program text', () => {
  it('round-trips every program in its canonical form', () => {
    fc.assert(
      fc.property(program, (words) => {
        assert.deepEqual(parse(print(words)), canonical(ops, words));
        assert.deepEqual(parse(printProgram(words, ops, '\n')), canonical(ops, words));
      }),
      { numRuns: 2000 },
    );
  });

  it('has one canonical form', () => {
    fc.assert(
      fc.property(program, (words) => {
        const once = canonical(ops, words);
        assert.deepEqual(canonical(ops, once), once);
        assert.equal(print(once), print(words));
      }),
    );
  });

  it('prints what people write', () => {
    const cases = [
      'mmap A p0 anon; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h',
      'mmap A p0..p3 anon thp; mprotect A p0 R; h=gup A p0 W GET FORCE',
      'mmap A p0..p7 dax; h1=gup C.2 p7 R PIN LONGTERM fast-only; hwrite h1; put h1; swapoff; clear_refs C; exit B',
      'uffd_reg A p4..p7 WP EVENT_FORK WP_UNPOPULATED; wp A p0; unwp A p0; wake A p0; uffd_unreg A p0; uffd_close A',
      'mmap A p0 anon; [write A p0 || write A.2 p0]@12122; [read A p1 || munmap A p0]; read A p0',
      'mmap A p0 anon; [write A p0 || write A.2 p0]@2; pageout A p0; numa_hint A p0; thp_split A p0..p3; dontneed A p0',
      'mmap A p0 anon; pageout A p0..p3 madv',
      'mremap A p0->p7; mremap B p4..p7->p0..p3',
    ];
    for (const text of cases) assert.equal(print(parse(text)), text);
  });

  it('takes the spellings of the corpus', () => {
    const same: [written: string, canonical: string][] = [
      ['mmap A p0 anon private', 'mmap A p0 anon'],
      ['mmap A p0', 'mmap A p0 anon'],
      ['mmap A thp', 'mmap A p0..p3 anon thp'],
      ['mmap A dax', 'mmap A p0..p7 dax'],
      ['write A p0 5', 'write A p0'],
      ['h=gup A p0 W PIN; hwrite h 7', 'h=gup A p0 W PIN; hwrite h'],
      ['gup A p0 R GET slow; put', 'h=gup A p0 R GET; put h'],
      ['h0 = gup A p0 FORCE W', 'h=gup A p0 W GET FORCE'],
      ['read A.1 p0 # the parent\n\n  ;;write A.2 p0\n', 'read A p0; write A.2 p0'],
      ['munmap A.2 p0', 'munmap A p0'],
      ['mremap A p0..p3 -> p4..p7', 'mremap A p0..p3->p4..p7'],
      ['[write A.1 p0 \u2225 dontneed A.2 p0]@111', '[write A p0 || dontneed A p0]'],
    ];
    for (const [written, expected] of same) assert.equal(print(parse(written)), expected);
  });

  it('says where a text is wrong, what it wanted and what was probably meant', () => {
    const cases: [text: string, line: number, column: number, complaint: RegExp][] = [
      ['', 1, 1, /expected an operation, found the end/],
      ['mmap A p0; wirte A p0', 1, 12, /expected an operation, found "wirte"; did you mean write\?\n/],
      ['mmap A p0\nwrite A p9', 2, 9, /one page for write, found "p9"; did you mean p\d\?.*\nvalid: p0, p1.*p7$/s],
      ['write A p0..p3', 1, 9, /one page for write/],
      ['mremap A p0', 1, 12, /expected "->", found the end/],
      ['mremap A p0->q1', 1, 14, /expected a page or a range for mremap, found "q1"; did you mean p1/],
      ['mremap A p0->p0', 1, 1, /mremap: p0 is there already/],
      ['mremap A p0->p4..p7', 1, 1, /mremap: p0 and p4\.\.p7 differ in size/],
      ['mremap A p0..p7->p0..p3', 1, 1, /mremap: nothing is left to move p0\.\.p7 to/],
      ['write D p0', 1, 7, /a process for write, found "D".*\nvalid: A, B, C$/s],
      ['write A.3 p0', 1, 7, /thread 1 or 2/],
      ['fork A B', 1, 8, /expected "->", found "B"/],
      ['fork A->', 1, 9, /a process for fork, found the end/],
      ['gup A p0 R GTE', 1, 12, /a flag of gup, found "GTE"; did you mean GET\?/],
      ['gup A p0 R W', 1, 12, /R and W exclude each other/],
      ['gup A p0 fast fast-only', 1, 15, /fast and fast-only exclude each other/],
      ['h7=gup A p0 R', 1, 1, /a handle.*\nvalid: h, h0, h1, h2, h3$/s],
      ['h=read A p0', 1, 1, /read gives no handle/],
      ['exit A p0', 1, 8, /";" or the end after exit/],
      ['mmap A', 1, 7, /a page or a range for mmap/],
      ['[write A p0 || write A p0', 1, 26, /expected "\]", found the end/],
      ['[write A p0 || write A p0]@13', 1, 28, /a schedule: up to 6 digits 1 or 2/],
      ['[write A p0; write A p0]', 1, 12, /expected "\|\|"/],
      ['read A p0 read A p0', 1, 11, /";" or the end after read/],
      ['write A p0 some', 1, 12, /a flag of write, found "some"; did you mean same/],
      ['fork A->A', 1, 1, /fork: A cannot become itself/],
      ['mmap A p0 dax', 1, 1, /dax maps the whole range/],
      ['mmap A p0..p7 dax thp', 1, 1, /dax and thp exclude each other/],
      ['[munmap A p0 || read A p0]', 1, 2, /the first of two concurrent operations must be one of read, write, gup/],
      ['read A p0; $', 1, 12, /no program has the sign "\$"/],
      ['read A p0;'.repeat(65), 1, 641, /at most 64 operations/],
    ];
    for (const [text, line, column, complaint] of cases) {
      assert.throws(
        () => parse(text),
        (error) => {
          assert.ok(error instanceof ProgramSyntaxError, `${text}: ${error}`);
          assert.match(error.message, complaint);
          assert.deepEqual([error.line, error.column], [line, column], text);
          const [, excerpt, caret] = error.message.split('\n');
          assert.ok(excerpt!.length <= 80 && caret!.trimEnd().endsWith('^'));
          return true;
        },
      );
    }
  });

  it('never throws anything else, whatever the text', () => {
    const piece = fc.constantFrom(
      ...ops.map(({ name }) => name),
      'A',
      'p0',
      'h',
      '=',
      '->',
      '[',
      ']',
      '||',
      '@',
      ';',
      '\n',
      'R',
      '12',
    );
    const noise = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.array(piece).map((parts) => parts.join(' ')),
    );
    fc.assert(
      fc.property(noise, (text) => {
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof ProgramSyntaxError, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the id of a program', () => {
  const seed = { kernel: 'seed', with: [], without: [] };

  it('depends on the program and the kernel, not on how they are written', () => {
    const words = parse('mmap A p0; write A p0');
    const id = programId(words, seed, ops);
    assert.match(id, new RegExp(`^[0-9a-z]{${ID_LENGTH}}$`));
    const dirty = words.map((w) => (w | (3 << 12)) >>> 0);
    assert.equal(programId(dirty, seed, ops), id);
    assert.notEqual(programId(parse('mmap A p0; read A p0'), seed, ops), id);
    assert.notEqual(programId(words, { ...seed, kernel: 'v5.7' }, ops), id);
    const two = { ...seed, with: ['a', 'b'] };
    assert.equal(programId(words, two, ops), programId(words, { ...seed, with: ['b', 'a'] }, ops));
  });
});
