import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { buildExecutor, MissingError, missingCompiler } from '../src/conform/build.js';
import { Executor, ExecutorError } from '../src/conform/executor.js';
import { CAPABILITIES, Decoder, encodeRequest, OBSERVE_LEVELS, ProtocolError } from '../src/conform/protocol.js';

// The wire: executor/protocol.h in TypeScript, and what becomes of an executor that dies, hangs or talks nonsense.

const HEADER = readFileSync(fileURLToPath(new URL('../../src/conform/executor/protocol.h', import.meta.url)), 'utf8');

/** Little-endian bytes of numbers, each with its width. */
function bytes(...fields: readonly (readonly [width: 1 | 2 | 4 | 8, value: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([width, value]) => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64LE(BigInt(value));
      return buffer.subarray(0, width);
    }),
  );
}
function hello(capabilities: number, text = '', version = 1): Buffer {
  const names = Buffer.alloc(128);
  names.write('6.18.44-test');
  names.write('#1 SMP', 64);
  return Buffer.concat([
    bytes([4, 0x31484342], [4, version], [4, capabilities], [4, Buffer.byteLength(text)]),
    names,
    Buffer.from(text),
  ]);
}
function response(tag: number, status: number, reached: number, body: Buffer): Buffer {
  return Buffer.concat([bytes([4, 0x31524342], [4, tag], [1, status], [1, reached], [2, 0], [4, body.length]), body]);
}
interface Record {
  readonly result?: number;
  readonly alive?: number;
  readonly asleep?: number;
  readonly events?: readonly Buffer[];
  readonly outcomes?: readonly Buffer[];
  readonly cells?: ReadonlyMap<number, Buffer>;
  readonly raw?: ReadonlyMap<number, Buffer>;
}
function record({ result = 0, alive = 1, asleep = 0, events = [], outcomes = [], cells, raw }: Record): Buffer {
  const mask = (map: ReadonlyMap<number, Buffer> | undefined) => [...(map ?? [])].reduce((m, [i]) => m | (1 << i), 0);
  return Buffer.concat([
    bytes([1, result], [1, events.length], [1, outcomes.length], [1, alive], [8, asleep]),
    bytes([4, mask(cells)], [4, mask(raw)]),
    ...events,
    ...outcomes,
    ...(cells?.values() ?? []),
    ...(raw?.values() ?? []),
  ]);
}
const outcome = (op: number, result: number, error: number, faults: number, value: number) =>
  bytes([1, op], [1, result], [2, error], [2, faults], [2, 0], [4, value]);
const cell = (value: number, frame: number, flags: number, mapcount: number) =>
  bytes([4, value], [4, frame], [2, flags], [2, mapcount]);

/** Bits of `enum cell_flag` by name. */
function flags(...names: string[]): number {
  return names.reduce((bits, name) => {
    const shift = new RegExp(`CELL_${name} = 1 << (\\d+)`).exec(HEADER)?.[1];
    assert.ok(shift, `protocol.h has no CELL_${name}`);
    return bits | (1 << Number(shift));
  }, 0);
}

const EVERYTHING = (1 << CAPABILITIES.length) - 1;
const ALL_KNOWN = ['KNOWS_PAGE', 'KNOWS_SCAN', 'KNOWS_VALUE'];
const FIRST = record({
  outcomes: [outcome(0, 0, 0, 1, 0)],
  cells: new Map([
    [0, cell(3, 0x1234, flags('PRESENT', 'UFFD_WP', 'ANON', 'HUGE', 'THP', ...ALL_KNOWN), 2)],
    [1, cell(0, 0x40, flags('SWAP', 'SOFT_DIRTY'), 0)],
    [2, cell(0, 31, flags('SWAP', 'MARKER', 'UFFD_WP'), 0)],
    [3, cell(0, 7, flags('PRESENT'), 0)],
  ]),
  raw: new Map([[0, bytes([8, 0x42], [1, 2], [1, 1], [2, 1], [4, 1030], [4, 2])]]),
});
const SECOND = record({
  result: 1,
  alive: 3,
  asleep: 2,
  events: [bytes([1, 0], [1, 5], [1, 3], [1, 1])],
  outcomes: [outcome(0, 3, -14, 0, 0)],
  cells: new Map([[1, cell(0, 0, 0, 0)]]),
});
const WIRE = Buffer.concat([hello(EVERYTHING, 'kpage: no\n'), response(9, 0, 2, Buffer.concat([FIRST, SECOND]))]);

describe('the protocol', () => {
  it('names capabilities and levels as the header does', () => {
    const names = [...HEADER.matchAll(/CAN_(\w+) = 1 << (\d+)/g)].map(([, name, bit]) => [name, Number(bit)]);
    assert.deepEqual(
      names,
      CAPABILITIES.map((name, bit) => [name, bit]),
    );
    const levels = [...HEADER.matchAll(/OBSERVE_(\w+) = (\d)/g)].map(([, name, value]) => [name, Number(value)]);
    assert.deepEqual(
      levels,
      OBSERVE_LEVELS.map((name, value) => [name.toUpperCase(), value]),
    );
  });

  it('writes a request', () => {
    const words = Uint32Array.of(0x01020304, 0xfffffffe);
    const expected = bytes([4, 0x31514342], [4, 77], [1, 1], [1, 3], [1, 2], [1, 0], [4, 0x01020304], [4, 0xfffffffe]);
    assert.deepEqual(Buffer.from(encodeRequest(77, words, 'pmd', 'pages')), expected);
    assert.throws(() => encodeRequest(1, new Uint32Array(), 'pte', 'raw'), RangeError);
    assert.throws(() => encodeRequest(1, new Uint32Array(65), 'pte', 'raw'), RangeError);
  });

  it('reads hello and responses', () => {
    const decoder = new Decoder();
    const [answer, ...more] = decoder.push(WIRE);
    assert.deepEqual(more, []);
    const { release, machine, missing, can } = decoder.hello!;
    assert.deepEqual(
      [release, machine, missing, can.size],
      ['6.18.44-test', '#1 SMP', ['kpage: no'], CAPABILITIES.length],
    );
    assert.equal(answer!.tag, 9);
    const [first, second] = answer!.run.ops;
    const row = first!.cells[0]!;
    const { frame, uffdWp, huge, large, mapcount, value, zero, raw } = row[0]!;
    assert.deepEqual([frame, uffdWp, huge, large, mapcount, value, zero], [0x1234, true, true, true, 2, 3, false]);
    assert.deepEqual(raw, { write: true, dirty: true, exclusive: true, pinned: true, extraRefs: undefined });
    assert.deepEqual([row[1]!.kind, row[1]!.softDirty, row[1]!.frame], ['swap', true, 0x40]);
    assert.deepEqual([row[2]!.kind, row[2]!.uffdWp, row[2]!.frame], ['marker', true, undefined]);
    assert.deepEqual(
      [row[3]!.kind, row[3]!.mapcount, row[3]!.value, row[3]!.zero],
      ['present', undefined, undefined, undefined],
    );
    assert.equal(row[7]!.kind, 'none');
    assert.equal(first!.cells[1], undefined);
    assert.deepEqual(second!.events, [{ mm: 0, page: 5, op: 1, write: true, wp: true }]);
    assert.deepEqual([second!.asleep, second!.result], [[1], 1]);
    assert.deepEqual(second!.outcomes, [{ op: 0, result: 3, error: 14, faults: 0, value: 0 }]);
    assert.equal(second!.cells[0]![0], row[0], 'what did not change is the same object');
    assert.equal(second!.cells[0]![1]!.kind, 'none');
    assert.equal(second!.cells[1]!.length, 8);
  });

  it('explains references: a pin is 1024, what tables and swap cache hold is none', () => {
    const look = (refs: number, pins: number, ...more: string[]) => {
      const seen = cell(0, 5, flags('PRESENT', 'ANON', ...ALL_KNOWN, ...more), 1);
      const raw = bytes([8, 0x25], [1, 1], [1, 0], [2, pins], [4, refs], [4, 1]);
      const one = record({ cells: new Map([[0, seen]]), raw: new Map([[0, raw]]) });
      const [answer] = new Decoder().push(Buffer.concat([hello(EVERYTHING), response(1, 0, 1, one)]));
      const { pinned, extraRefs } = answer!.run.ops[0]!.cells[0]![0]!.raw!;
      return [pinned, extraRefs];
    };
    assert.deepEqual(look(1, 0), [false, false]);
    assert.deepEqual(look(2, 0), [false, true]);
    assert.deepEqual(look(2, 0, 'SWAPCACHE'), [false, false]);
    assert.deepEqual(look(1025, 1), [true, true]);
    assert.deepEqual(look(1, 0, 'ZERO'), [undefined, undefined]);
  });

  it('claims no more than the kernel shows', () => {
    const bare = record({ cells: new Map([[0, cell(0, 9, flags('PRESENT', 'UFFD_WP', 'SOFT_DIRTY'), 0)]]) });
    const [answer] = new Decoder().push(Buffer.concat([hello(0), response(1, 0, 1, bare)]));
    const { uffdWp, softDirty, frame } = answer!.run.ops[0]!.cells[0]![0]!;
    assert.deepEqual([uffdWp, softDirty, frame], [undefined, undefined, undefined]);
    const silent = record({});
    const [results] = new Decoder().push(Buffer.concat([hello(0), response(1, 0, 1, silent)]));
    assert.deepEqual(results!.run.ops[0]!.cells, []);
  });

  it('does not care where the pieces end', () => {
    const whole = [...new Decoder().push(WIRE)];
    fc.assert(
      fc.property(fc.array(fc.nat(WIRE.length), { maxLength: 20 }), (cuts) => {
        const decoder = new Decoder();
        const at = [0, ...cuts.sort((a, b) => a - b), WIRE.length];
        const answers = at.slice(1).flatMap((to, i) => [...decoder.push(WIRE.subarray(at[i], to))]);
        assert.deepEqual(answers, whole);
        assert.equal(decoder.pending, 0);
      }),
    );
  });

  it('says what the executor had trouble with', () => {
    const runs = [
      ...new Decoder().push(
        Buffer.concat([
          hello(EVERYTHING),
          response(1, 1, 1, FIRST),
          response(2, 2, 0, Buffer.alloc(0)),
          response(3, 3, 0, Buffer.from('no memory')),
        ]),
      ),
    ].map(({ run }) => [run.ops.length, run.trouble]);
    assert.deepEqual(runs, [
      [1, 'op 2: an op did not end'],
      [0, 'op 1: a process died'],
      [0, 'the executor could not go on: no memory'],
    ]);
  });

  it('takes nothing that it does not understand', () => {
    const bad = (wire: Buffer, complaint: RegExp) =>
      assert.throws(
        () => [...new Decoder().push(wire)],
        (error: unknown) => error instanceof ProtocolError && complaint.test(error.message),
      );
    const after = (wire: Buffer) => Buffer.concat([hello(EVERYTHING), wire]);
    bad(Buffer.from('Linux version 6.1'), /does not begin with a hello/);
    bad(hello(0, '', 2), /version 2/);
    bad(after(Buffer.alloc(16)), /no response/);
    bad(after(response(1, 9, 0, Buffer.alloc(0))), /status 9/);
    bad(after(response(1, 0, 2, FIRST)), /end too soon/);
    bad(after(response(1, 0, 1, Buffer.concat([FIRST, FIRST]))), /too many/);
    bad(after(response(1, 0, 1, record({ result: 77 }))), /result 77/);
    bad(after(response(1, 0, 1, record({ events: [bytes([1, 3], [1, 0], [1, 0], [1, 0])] }))), /event of process 3/);
    fc.assert(
      fc.property(fc.nat(WIRE.length - 1), fc.nat(255), (at, value) => {
        const wire = Buffer.from(WIRE);
        wire[at] = value;
        try {
          for (const _ of new Decoder().push(wire));
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
    );
  });
});

/** An executor in a few lines: answers every request with one record, but does as it is told for some tags. */
const FAKE = `
const hello = Buffer.from(process.env.FAKE_HELLO, 'base64');
const record = Buffer.from(process.env.FAKE_RECORD, 'base64');
const plan = JSON.parse(process.env.FAKE_PLAN);
process.stdout.write(hello);
let input = Buffer.alloc(0);
process.stdin.on('data', (piece) => {
  input = Buffer.concat([input, piece]);
  while (input.length >= 12 && input.length >= 12 + 4 * input[10]) {
    const tag = input.readUInt32LE(4);
    const first = input.readUInt32LE(12);
    input = input.subarray(12 + 4 * input[10]);
    const what = plan[first];
    if (what === 'die') { console.error('out of luck'); process.exit(7); }
    if (what === 'hang') { process.stdin.pause(); setInterval(() => {}, 1000); return; }
    const head = Buffer.alloc(16);
    head.writeUInt32LE(what === 'babble' ? 1 : 0x31524342, 0);
    head.writeUInt32LE(what === 'mix up' ? tag + 1 : tag, 4);
    head[9] = 1;
    head.writeUInt32LE(record.length, 12);
    process.stdout.write(Buffer.concat([head, record]));
  }
});
`;

describe('an executor', () => {
  const children: ChildProcess[] = [];
  after(async () => {
    await Promise.all(executors.map((executor) => executor.close()));
    for (const child of children) child.kill('SIGKILL');
  });
  /** `plan`: what to do at a program that begins with that word. */
  const fake = (plan: { readonly [word: number]: string }, greeting = hello(EVERYTHING)) => {
    const child = spawn(process.execPath, ['-e', FAKE], {
      env: {
        ...process.env,
        FAKE_HELLO: greeting.toString('base64'),
        FAKE_RECORD: FIRST.toString('base64'),
        FAKE_PLAN: JSON.stringify(plan),
      },
    });
    children.push(child);
    return child;
  };
  const executors: Executor[] = [];
  const open = async (plan: { readonly [word: number]: string }) => {
    const options = { observe: 'raw', silenceMs: 700, helloMs: 20_000, respawn: async () => fake(plan) } as const;
    const executor = await Executor.open(fake(plan), options);
    executors.push(executor);
    return executor;
  };
  const programs = Array.from({ length: 300 }, (_, i) => Uint32Array.of(i));

  it('answers in order, however many programs are queued', async () => {
    const executor = await open({});
    const runs = await executor.run(programs, 'pte');
    assert.equal(runs.length, 300);
    assert.ok(runs.every(({ ops, trouble }) => ops.length === 1 && trouble === undefined));
    assert.equal(executor.release, '6.18.44-test');
    await executor.close();
  });

  for (const [what, complaint] of [
    ['die', /ended with code 7 \(out of luck\)/],
    ['hang', /no answer for 0\.7 s/],
    ['babble', /no response where one should begin/],
    ['mix up', /out of order/],
  ] as const) {
    it(`is replaced when it does this: ${what}; only the program in flight is lost`, async () => {
      const executor = await open({ 40: what, 200: what });
      const runs = await executor.run(programs, 'pte');
      const lost = runs.flatMap(({ trouble }, i) => (trouble === undefined ? [] : [i]));
      assert.deepEqual(lost, [40, 200]);
      assert.match(runs[40]!.trouble!, complaint);
    });
  }

  it('is given up when it does nothing but die', async () => {
    const executor = await open(Object.fromEntries(programs.map((_, i) => [i, 'die'])));
    await assert.rejects(executor.run(programs, 'pte'), ExecutorError);
    await assert.rejects(executor.run(programs, 'pte'), ExecutorError);
    await executor.close();
  });

  it('is not taken for one if it does not say hello, or cannot be started', async () => {
    const options = { observe: 'raw', silenceMs: 500, helloMs: 5000 } as const;
    await assert.rejects(Executor.open(fake({}, Buffer.from('hi')), options), /no answer|does not begin/);
    const nothing = spawn('/nonexistent/executor', { stdio: 'pipe' });
    await assert.rejects(Executor.open(nothing, options), /cannot be started/);
  });
});

describe('building the executor', () => {
  const without = missingCompiler();
  const needed = process.env.CI ? undefined : without;
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-build-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const withCompiler = <T>(name: string | undefined, run: () => T): T => {
    const before = process.env.CC;
    if (name === undefined) delete process.env.CC;
    else process.env.CC = name;
    try {
      return run();
    } finally {
      if (before === undefined) delete process.env.CC;
      else process.env.CC = before;
    }
  };

  it('says in one line that there is no compiler', () => {
    withCompiler('/nonexistent/cc', () => {
      assert.throws(
        () => buildExecutor(directory),
        (error: unknown) => {
          assert.ok(error instanceof MissingError);
          assert.match(error.message, /^no C compiler "\/nonexistent\/cc" .*$/);
          return true;
        },
      );
      assert.match(missingCompiler()!, /no C compiler/);
    });
  });

  it('happens once, and again when the sources or the compiler change', { skip: needed ?? false }, () => {
    const sources = join(directory, 'sources');
    const cache = join(directory, 'cache');
    const write = (code: string) => writeFileSync(join(sources, 'main.c'), code);
    rmSync(sources, { recursive: true, force: true });
    const { mkdirSync } = process.getBuiltinModule('node:fs');
    mkdirSync(sources);
    write('int main(void) { return 3; }\n');
    const first = buildExecutor(cache, sources);
    assert.ok(existsSync(first));
    assert.equal(buildExecutor(cache, sources), first);
    write('int main(void) { return 4; }\n');
    assert.notEqual(buildExecutor(cache, sources), first);
    const wrapper = join(directory, 'mycc');
    writeFileSync(wrapper, '#!/bin/sh\nexec cc "$@"\n');
    chmodSync(wrapper, 0o755);
    withCompiler(wrapper, () => assert.notEqual(buildExecutor(cache, sources), first));
    write('int main(void) { return x; }\n');
    assert.throws(() => buildExecutor(cache, sources), /does not compile.*undeclared/);
    assert.ok(
      readdirSync(cache).every((name) => /^executor-[0-9a-f]{16}$/.test(name)),
      'no drafts left',
    );
  });

  it('works for the sources as they are', { skip: needed ?? false }, () => {
    assert.ok(existsSync(buildExecutor(join(directory, 'real'))));
  });
});
