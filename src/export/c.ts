// A program as a test in C: plain processes perform it, and KTAP says at every step whether the kernel keeps its promise.
import { ModelBackend } from '../conform/model.js';
import type { PageLayout } from '../conform/observed.js';
import { blockComment, Inexpressible, reproducer } from '../conform/reproducer.js';
import type { CSources } from '../conform/reproducer-sources.js';
import type { KnobVector } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { decodeOp } from '../engine/opword.js';
import { wrap } from '../report/layout.js';
import { brokenPromise } from '../report/promise.js';
import { printSpec } from '../text/id.js';
import { handleNames, printItems, printOp } from '../text/print.js';
import { type Exported, keeperOf } from './exported.js';
import { predict, visible } from './predict.js';
import { finalLook, type Promised, promisesOf } from './promises.js';
import { type Translation, translate } from './translate.js';

export interface CTest {
  readonly source: string;
  /** It needs a swap device. */
  readonly swaps: boolean;
  /** Why it can only say that it is skipped. */
  readonly skips?: string;
  /** Why it does not show what the program breaks, although it can be performed. */
  readonly blind?: string;
}

/**
 * One file, libc and kernel headers only, clean under -std=gnu11 -Wall -Wextra -Werror. It exits with 0 if the kernel
 * keeps its promises, with 1 if it breaks one, with 4 where it cannot be tried. `name`: of the file, for the comment.
 */
export function cTest(engine: Engine, program: Exported, sources: CSources, name = 'test.c'): CTest {
  try {
    const made = plan(engine, program);
    const blind = blindness(program, made);
    const source = test(engine, program, made, blind, sources, name);
    return { source, swaps: swaps(engine, made), ...(blind !== undefined && { blind }) };
  } catch (error) {
    if (!(error instanceof Inexpressible)) throw error;
    return { source: skipping(engine, program, error.message), swaps: false, skips: error.message };
  }
}

/** What the C test performs and checks. `own`: ops from there on are the final look. */
export interface Plan extends Translation, Promised {
  readonly own: number;
  /** Of a program that breaks a promise: does its kernel, as modelled, fail the test? */
  readonly shows: boolean;
  readonly layout: PageLayout;
}

/** Of the ways to perform it the first that shows the flaw, or else the first. Throws Inexpressible. */
export function plan(engine: Engine, program: Exported): Plan {
  const { ops } = engine.catalogue;
  const first = planOf(engine, program, translate(program.words, ops, 'buffer'));
  if (!program.diagnosis || shows(engine, program, first)) return { ...first, shows: program.diagnosis !== undefined };
  const other = translate(program.words, ops, 'pipe');
  if (other.words.join() === first.words.subarray(0, first.own).join()) return { ...first, shows: false };
  try {
    const second = planOf(engine, program, other);
    if (shows(engine, program, second)) return { ...second, shows: true };
  } catch (error) {
    if (!(error instanceof Inexpressible)) throw error;
  }
  return { ...first, shows: false };
}

function shows(engine: Engine, { spec }: Exported, made: Steps): boolean {
  // The model as a backend has no judges; whose engine it is wants them back.
  try {
    return predict(made, new ModelBackend(spec, engine), visible(engine.catalogue, spec.kernel)).verdict === 'broken';
  } finally {
    engine.setJudges('touched');
  }
}

type Steps = Omit<Plan, 'shows'>;

function planOf(engine: Engine, program: Exported, { words: own, notes }: Translation): Steps {
  const { ops } = engine.catalogue;
  const words = finalLook(engine, keeper(engine, program, own), own);
  const promised = promisesOf(engine, keeper(engine, program, words), words);
  const huge = Array.from(own, (word) => printOp(word, ops)).some((text) => /^mmap .* thp\b/.test(text));
  return { ...promised, words, notes, own: own.length, layout: huge ? 'pmd' : 'pte' };
}

function blindness({ spec, diagnosis }: Exported, { shows }: Plan): string | undefined {
  if (!diagnosis || shows) return undefined;
  return `what user space performs instead keeps every promise on ${printSpec(spec)} too, by its model`;
}

function swaps({ catalogue: { ops } }: Engine, { words }: Plan): boolean {
  return words.some((word) => ['pageout', 'swapoff'].includes(ops[decodeOp(word).code]!.name));
}

function test(
  engine: Engine,
  program: Exported,
  made: Plan,
  blind: string | undefined,
  sources: CSources,
  name: string,
): string {
  const { words, facts, settled, may, notes, own, layout } = made;
  const about = [
    ...head(engine, program),
    '',
    layout === 'pmd'
      ? 'A page of the program is 512 KiB: p0..p3 are one huge page, and so are p4..p7.'
      : 'A page of the program is 4 KiB.',
    ...performed(engine, program, { words: words.subarray(0, own), notes }),
    ...(blind === undefined ? [] : wrap(`This test does not show the flaw: ${blind}.`)),
    ...wrap(
      'Content is named by who wrote it: step n stores n. main() has one block a step, with what is promised behind it; it ends with a look at every page and handle.',
    ),
    '',
    `  cc -std=gnu11 -O2 -Wall -o ${name.replace(/(\.c)?$/, '')} ${name} -pthread && ./${name.replace(/(\.c)?$/, '')}`,
    '',
    'Run it as root. Exit code: 0 promises kept, 1 one is broken, 4 it cannot be tried here (the reason is printed).',
  ];
  const ktap = { settled, may, notes: calls({ words, notes, own }, engine), own };
  return reproducer({ words, layout, facts, about, ktap }, engine.catalogue.ops, sources);
}

function keeper(engine: Engine, program: Exported, words: Uint32Array): KnobVector {
  const found = keeperOf(engine, program, words);
  if (found === undefined) throw new Inexpressible('no kernel of the catalogue keeps the promises of this program');
  return found;
}

function head(engine: Engine, { words, spec, diagnosis }: Exported): string[] {
  const { catalogue } = engine;
  const items = printItems(words, catalogue.ops);
  const lines = diagnosis
    ? [
        ...wrap(`${catalogue.invariant(diagnosis.violation.invariant).slug} on ${printSpec(spec)}, the model:`),
        ...wrap(brokenPromise(diagnosis.violation, words, catalogue), '  '),
      ]
    : wrap(`The model of ${printSpec(spec)} keeps every promise of this program.`);
  return [...lines, '', ...items.map(({ text, first }) => `${String(first + 1).padStart(4)}. ${text}`)];
}

/** What is performed where that is not the program itself, word for word. */
function performed(
  { catalogue: { ops } }: Engine,
  { words: asked }: Exported,
  { words, notes }: Translation,
): string[] {
  const text = (list: Uint32Array) => Array.from(list, (word) => printOp(word, ops, handleNames(list, ops)));
  const [before, after] = [text(asked), text(words)];
  if (before.join() === after.join()) return [];
  const changed = after.flatMap((line, k) => {
    const note = notes.get(k);
    if (line === before[k] && note === undefined) return [];
    return [`${String(k + 1).padStart(4)}. ${line}${note === undefined ? '' : ` (${note})`}`];
  });
  return ['What user space performs instead:', ...changed];
}

/** How user space performs each op: comments of main(). */
function calls(
  { words, notes, own }: Pick<Plan, 'words' | 'notes' | 'own'>,
  { catalogue: { ops } }: Engine,
): Map<number, string> {
  const flags = ops.find(({ name }) => name === 'gup')!.groups.flatMap(({ choices }) => choices);
  const value = (text: string) => flags.find((choice) => choice.text === text)?.value ?? 0;
  return new Map(
    Array.from(words, (word, k): [number, string] => {
      const { code, flags: set } = decodeOp(word);
      const { name } = ops[code]!;
      const probe = k >= own && name === 'mprotect' ? STALE : undefined;
      const way = name === 'gup' ? gupCall(set, value) : CALLS[name];
      return [k, [way, notes.get(k), probe].filter((part) => part !== undefined).join('; ')];
    }),
  );
}

function gupCall(set: number, value: (text: string) => number): string {
  const write = (set & value('W')) !== 0;
  if (set & value('FORCE')) return `${write ? 'pwrite' : 'pread'} of /proc/self/mem`;
  if (write && set & value('LONGTERM')) return 'io_uring registers the page as a buffer and so pins it';
  if (set & value('PIN')) return `process_vm_${write ? 'writev' : 'readv'} of the process itself`;
  return 'vmsplice puts the page into a pipe, which holds it';
}

const STALE = 'an entry that is still marked as uffd-wp would now raise an event at a store';
const CALLS: Readonly<Record<string, string>> = {
  mmap: 'private anonymous memory at a fixed address',
  munmap: 'munmap',
  read: 'a load, on a thread of its own: it might sleep',
  write: 'a store, on a thread of its own: it might sleep',
  fork: 'the process forks',
  exit: 'the process exits',
  mprotect: 'mprotect',
  dontneed: 'MADV_DONTNEED',
  madv_free: 'MADV_FREE',
  madv_cold: 'MADV_COLD',
  populate: 'MADV_POPULATE_READ or _WRITE, on a thread of its own: it might sleep',
  collapse: 'MADV_COLLAPSE',
  guard_install: 'MADV_GUARD_INSTALL',
  guard_remove: 'MADV_GUARD_REMOVE',
  pageout: 'MADV_PAGEOUT, and where processes share the page, reclaim of its memory cgroup; it may stay all the same',
  swapoff: 'swapoff and swapon of the first device of /proc/swaps, or of the one given as argument',
  clear_refs: '4 into /proc/self/clear_refs',
  thp_split: 'a boundary of VMAs inside the huge page, made and taken away again',
  uffd_reg: 'UFFDIO_REGISTER in write-protect mode, unless another one is named',
  uffd_copy: 'UFFDIO_COPY, which wakes',
  uffd_move: 'UFFDIO_MOVE by the process itself, which wakes',
  uffd_zeropage: 'UFFDIO_ZEROPAGE, which wakes',
  uffd_unreg: 'UFFDIO_UNREGISTER',
  uffd_close: 'the userfaultfd is closed',
  wp: 'UFFDIO_WRITEPROTECT',
  unwp: 'UFFDIO_WRITEPROTECT without its mode bit, which wakes',
  wake: 'UFFDIO_WAKE',
  hread: 'what the pipe or the buffer holds is read, and left there',
  hwrite: 'a device, here io_uring, writes into the page',
  put: 'the page is let go',
  mremap: 'mremap with MREMAP_MAYMOVE | MREMAP_FIXED',
};

/** For what user space cannot perform: a test that says so. */
function skipping(engine: Engine, program: Exported, reason: string): string {
  const about = [
    ...head(engine, program),
    '',
    ...wrap(`User space cannot perform this: ${reason}.`),
    'Exit code: 4, skipped.',
  ];
  const lines = [
    '#include <stdio.h>',
    '',
    'int main(void) {',
    '  puts("KTAP version 1");',
    `  puts(${JSON.stringify(`1..0 # SKIP ${reason}`)});`,
    '  return 4;',
    '}',
  ];
  return `${[blockComment(about), ...lines].join('\n')}\n`;
}
