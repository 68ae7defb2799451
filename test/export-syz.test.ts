import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { exported } from '../src/export/exported.js';
import { type SyzText, syzText } from '../src/export/syz.js';
import { CORPUS } from '../src/score/corpus.js';
import { parseProgram } from '../src/text/parse.js';

const engine = loadEngine();

function syz(program: string, kernel = 'v6.18'): SyzText {
  const words = parseProgram(program, engine.catalogue.ops);
  return syzText(engine, exported(engine, { kernel, with: [], without: [] }, words));
}

/**
 * Arguments of the calls, as syzkaller's descriptions of Linux have them: # a number, r a resource, v a range of memory,
 * s bytes, & a pointer, R a resource that the call makes.
 */
const SHAPES: Readonly<Record<string, RegExp>> = {
  mmap: /^v,#,#,#,#,#$/,
  munmap: /^v,#$/,
  mprotect: /^v,#,#$/,
  mremap: /^v,#,#,#,v$/,
  madvise: /^v,#,#$/,
  write: /^[#r],&s,#$/,
  read: /^r,&s,#$/,
  getrandom: /^&s,#,#$/,
  close: /^r$/,
  pipe2: /^&\{R,R\},#$/,
  vmsplice: /^r,&\[\{&,#\}\],#,#$/,
  syz_clone: /^#,#,#,#,#,#$/,
  syz_open_procfs: /^#,&s$/,
  userfaultfd: /^#$/,
  ioctl$UFFDIO_API: /^r,#,&\{#,#,#\}$/,
  ioctl$UFFDIO_REGISTER: /^r,#,&\{\{v,#\},#,#\}$/,
  ioctl$UFFDIO_UNREGISTER: /^r,#,&\{v,#\}$/,
  ioctl$UFFDIO_WAKE: /^r,#,&\{v,#\}$/,
  ioctl$UFFDIO_WRITEPROTECT: /^r,#,&\{\{v,#\},#\}$/,
  io_uring_setup: /^#,&$/,
  io_uring_register$IORING_REGISTER_BUFFERS: /^r,#,&\[\{&,#\}\],#$/,
  io_uring_register$IORING_UNREGISTER_BUFFERS: /^r,#,#,#$/,
};

/** Reads a program by the grammar of syzkaller's documentation; resources have to be made before they are used. */
function check(text: string): string[] {
  const made = new Set<string>();
  const names: string[] = [];
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const [, result, name, rest] = /^(?:(r\d+) = )?([\w$]+)\((.*)$/.exec(line) ?? [];
    assert.ok(name !== undefined && SHAPES[name], line);
    let at = 0;
    const eat = (pattern: RegExp): string => {
      const [found] = new RegExp(pattern.source, 'y').exec(rest!.slice(at)) ?? [];
      assert.ok(found !== undefined, `${line}: no ${pattern} at "${rest!.slice(at)}"`);
      at += found.length;
      return found;
    };
    const list = (end: string): string => {
      const shapes = [];
      while (rest![at] !== end) {
        if (shapes.length > 0) eat(/, /);
        shapes.push(argument());
      }
      at++;
      return shapes.join();
    };
    const argument = (): string => {
      switch (rest![at]) {
        case '0':
          eat(/0x[0-9a-f]+/);
          return '#';
        case 'r':
          assert.ok(made.has(eat(/r\d+/)), line);
          return 'r';
        case '<':
          made.add(
            eat(/<r\d+=>0xffffffffffffffff/)
              .slice(1)
              .split('=')[0]!,
          );
          return 'R';
        case '{':
          at++;
          return `{${list('}')}}`;
        case '[':
          at++;
          return `[${list(']')}]`;
        case '&':
          if (/^&\(0x7f[0-9a-f]{10}\/0x[0-9a-f]+\)=nil/.test(rest!.slice(at))) {
            eat(/&\(\w+\/\w+\)=nil/);
            return 'v';
          }
          eat(/&\(0x7f0000[0-9a-f]{6}\)/);
          if (rest![at] !== '=') return '&';
          at++;
          return `&${argument()}`;
        default:
          eat(/"(?:[0-9a-f]{2})*"(?:\/\d+)?|'(?:[a-z_]|\\x00)*'/);
          return 's';
      }
    };
    assert.match(list(')'), SHAPES[name], line);
    assert.match(rest!.slice(at), /^(?: \(async\))?$/, line);
    if (result !== undefined) made.add(result);
    names.push(name);
  }
  return names;
}

describe('export for syzkaller', () => {
  it('is a program by its grammar, with calls that its descriptions have', () => {
    const more = [
      'mmap A p0; write A p0; h=gup A p0 R GET; put h; clear_refs A; h1=gup A p0 W PIN LONGTERM; put h1; munmap A p0',
      'mmap A p0..p7 thp; write A p0; thp_split A p0..p7; dontneed A p0; mprotect A p0 R; mprotect A p0 RW; pageout A p0',
      'mmap A p0; uffd_reg A p0 WP EVENT_FORK; wp A p0; fork A->B; unwp A p0; wake A p0; uffd_unreg A p0; uffd_close A',
    ];
    const called = new Set([...CORPUS.map(({ trigger }) => trigger), ...more].flatMap((one) => check(syz(one).text)));
    assert.deepEqual([...called].sort(), Object.keys(SHAPES).sort());
  });

  it('says what is left out', () => {
    const { text, expressed, total } = syz(
      'mmap A p0; write A p0; fork A->B; write B p0; h=gup A p0 R GET; hread h; swapoff; gup A p0 W GET FORCE',
    );
    assert.deepEqual([expressed, total], [5, 8]);
    assert.match(text, /^# A breakcow program: 5 of 8 operations, the others are left out, with the\n# reason\.$/m);
    assert.match(text, /^# 4\. write B p0: left out: the child/m);
    assert.match(text, /^# 7\. swapoff: left out: /m);
    assert.match(text, /^# 8\. h=gup A p0 W GET FORCE: left out: /m);
    assert.match(syz('mmap A p0; write A p0').text, /^# A breakcow program: 2 of 2 operations\.$/m);
  });

  it('lets a thread of its own sleep, never the one that runs the program', () => {
    const { text } = syz('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; unwp A p0');
    assert.match(text, /^# 5\. write A p0\ngetrandom\(&\(0x7f0000000000\)=""\/8, 0x8, 0x0\) \(async\)$/m);
    const forks = syz('mmap A p0; write A p0; uffd_reg A p0 WP EVENT_FORK; fork A->B').text;
    assert.match(forks, /^syz_clone\(.*\) \(async\)\nread\(r0, .*, 0x20\)$/m);
    assert.doesNotMatch(syz('mmap A p0; write A p0; uffd_reg A p0 WP; fork A->B').text, /syz_clone.*async/);
  });

  it('splits huge pages in their middle, and closes both ends of a pipe', () => {
    const { text } = syz('mmap A p0..p3 thp; write A p0; h=gup A p0 R GET; thp_split A p0..p3; put h');
    assert.match(text, /^madvise\(&\(0x7f0000100000\/0x100000\)=nil, 0x100000, 0x10\)$/m);
    assert.match(text, /^close\(r0\)\nclose\(r1\)$/m);
  });
});
