// A program as a syzkaller program text, as far as its calls can express the ops; each op that they cannot is said.
import type { Engine } from '../engine/engine.js';
import type { OpInfo } from '../engine/optable.js';
import { decodeOp, type OpFields, pagesOf, RESULT, TARGET_MASK } from '../engine/opword.js';
import { wrap } from '../report/layout.js';
import { handleNames, printItems, printOp } from '../text/print.js';
import { type Exported, keeperOf } from './exported.js';

export interface SyzText {
  readonly text: string;
  /** Ops that are performed, of `total`. */
  readonly expressed: number;
  readonly total: number;
}

/** Where syzkaller has its data pages; the program's lie at their start, scratch behind them. */
const BASE = 0x7f0000000000n;
const SCRATCH = BASE + 0xf00000n;

const CLONE = 'syz_clone(0x0, 0x0, 0x0, 0x0, 0x0, 0x0)';

const ADVICE = {
  madv_free: '0x8',
  madv_cold: '0x14',
  collapse: '0x19',
  guard_install: '0x66',
  guard_remove: '0x67',
} as const;

/** Calls of one op, or why there are none. */
type Calls = readonly string[] | string;

export function syzText(engine: Engine, program: Exported): SyzText {
  const { ops } = engine.catalogue;
  const { words } = program;
  const huge = printItems(words, ops).some(({ text }) => /\bmmap .* thp\b/.test(text));
  const writer = new SyzWriter(ops, huge ? 0x80000n : 0x1000n, sleepersOf(engine, program));
  const handle = handleNames(words, ops);
  const lines: string[] = [];
  let expressed = 0;
  for (const [k, word] of words.entries()) {
    const text = printOp(word, ops, handle);
    const calls = decodeOp(word).pair ? 'two ops at once: syzkaller has no such schedule' : writer.calls(word, k);
    if (typeof calls === 'string') lines.push(`# ${k + 1}. ${text}: left out: ${calls}`);
    else {
      lines.push(`# ${k + 1}. ${text}`, ...calls);
      expressed++;
    }
  }
  const left = expressed < words.length ? ', the others are left out, with the reason' : '';
  const about = [
    ...wrap(`A breakcow program: ${expressed} of ${words.length} operations${left}.`),
    ...wrap(
      'Best effort, and nothing is checked. Stores are made by the executor, which copies the argument of write() in before the call; where one may sleep, getrandom() makes it, in a thread of its own (threaded mode). Loads are MADV_POPULATE_READ, of Linux 5.14. A child runs no calls, and ends after a moment.',
    ),
  ];
  return { text: `${[...about.map((line) => `# ${line}`), ...lines].join('\n')}\n`, expressed, total: words.length };
}

/** Ops that would block the thread which runs the program. */
function sleepersOf(engine: Engine, program: Exported): ReadonlySet<number> {
  const { words } = program;
  engine.configureVector(keeperOf(engine, program, words) ?? engine.catalogue.vector(program.spec));
  engine.begin(words);
  const asleep = new Set<number>();
  for (let k = 0; k < words.length && engine.brokenSoFar() === 0; ) {
    const count = engine.step(k, words.length);
    for (let i = k; i < k + count; i++) if (engine.result(i) === RESULT.SLEEP) asleep.add(i);
    k += count;
  }
  return asleep;
}

class SyzWriter {
  readonly #ops: readonly OpInfo[];
  readonly #stride: bigint;
  readonly #sleeps: ReadonlySet<number>;
  #next = 0;
  #uffd: string | undefined;
  /** A fork then waits until its event has been read. */
  #tellsForks = false;
  #tellsMoves = false;
  /** Of each handle: the ends of its pipe, or the io_uring. */
  readonly #handles = new Map<
    number,
    { kind: 'pipe'; name: string; writer: string } | { kind: 'ring'; name: string }
  >();

  constructor(ops: readonly OpInfo[], stride: bigint, sleeps: ReadonlySet<number>) {
    this.#ops = ops;
    this.#stride = stride;
    this.#sleeps = sleeps;
  }

  calls(word: number, k: number): Calls {
    const fields = decodeOp(word);
    const info = this.#ops[fields.code]!;
    if (info.takesMm && fields.mm !== 0) return 'the child of syz_clone runs no calls of the program';
    const [at, size, range] = this.#place(fields);
    switch (info.name) {
      case 'mmap': {
        if (this.#has(fields, 'dax')) return 'needs a DAX device';
        const advice = this.#has(fields, 'thp') ? '0xe' : '0xf';
        return [`mmap(${range}, ${size}, 0x3, 0x32, 0xffffffffffffffff, 0x0)`, `madvise(${range}, ${size}, ${advice})`];
      }
      case 'munmap':
        return [`munmap(${range}, ${size})`];
      case 'read':
        return [`madvise(${range}, ${size}, 0x16)${this.#async(k)}`];
      case 'write':
        // The executor's own thread copies arguments in: it must not be the one that sleeps.
        if (this.#sleeps.has(k)) return [`getrandom(&(${at})=""/8, 0x8, 0x0) (async)`];
        return [`write(0xffffffffffffffff, &(${at})="${little(k + 1)}", 0x8)`];
      case 'mprotect':
        return [`mprotect(${range}, ${size}, ${this.#has(fields, 'RW') ? '0x3' : '0x1'})`];
      case 'dontneed':
        return [`madvise(${range}, ${size}, 0x4)`];
      case 'pageout':
        return [`madvise(${range}, ${size}, 0x15)`];
      case 'madv_free':
      case 'madv_cold':
      case 'collapse':
      case 'guard_install':
      case 'guard_remove':
        return [`madvise(${range}, ${size}, ${ADVICE[info.name]})`];
      case 'populate':
        return [`madvise(${range}, ${size}, ${this.#has(fields, 'W') ? '0x17' : '0x16'})${this.#async(k)}`];
      case 'thp_split':
        return this.#split(fields);
      case 'fork':
        if (this.#uffd === undefined || !this.#tellsForks) return [CLONE];
        return [`${CLONE} (async)`, `read(${this.#uffd}, &(${hex(SCRATCH + 0x10000n)})=""/32, 0x20)`];
      case 'mremap': {
        const [, , target] = this.#place({ ...fields, page: fields.flags & TARGET_MASK });
        const call = `mremap(${range}, ${size}, ${size}, 0x3, ${target})`;
        if (this.#uffd === undefined || !this.#tellsMoves) return [call];
        return [`${call} (async)`, `read(${this.#uffd}, &(${hex(SCRATCH + 0x10000n)})=""/32, 0x20)`];
      }
      case 'clear_refs': {
        const fd = this.#name();
        return [
          `${fd} = syz_open_procfs(0x0, &(${hex(SCRATCH)})='clear_refs\\x00')`,
          `write(${fd}, &(${hex(SCRATCH + 64n)})="34", 0x1)`,
        ];
      }
      case 'exit':
        return 'the program would end';
      case 'swapoff':
        return 'syzkaller knows no swap device of the machine';
      case 'numa_hint':
        return 'no call asks for it';
      case 'mergeable':
      case 'unmergeable':
      case 'ksm_merge':
        return 'ksmd serves the whole machine, at its own pace';
      case 'migrate':
      case 'migrate_begin':
      case 'migrate_end':
        return 'it takes a machine of several NUMA nodes, and no call stops midway';
      case 'gup':
        return this.#gup(fields, k);
      case 'hread':
      case 'hwrite':
      case 'put':
        return this.#handle(info.name, fields.y);
      default:
        return this.#userfault(info.name, fields, k);
    }
  }

  #name(): string {
    return `r${this.#next++}`;
  }
  #async(k: number): string {
    return this.#sleeps.has(k) ? ' (async)' : '';
  }
  #has(fields: OpFields, text: string): boolean {
    const choice = this.#ops[fields.code]!.groups.flatMap(({ choices }) => choices).find((one) => one.text === text);
    return choice !== undefined && choice.value !== 0 && (fields.flags & choice.value) === choice.value;
  }
  /** Address, length, and the range as a VMA argument. */
  #place({ page }: OpFields): readonly [at: string, size: string, range: string] {
    const pages = pagesOf(page);
    const at = hex(BASE + BigInt(pages[0]!) * this.#stride);
    const size = hex(BigInt(pages.length) * this.#stride);
    return [at, size, `&(${at}/${size})=nil`];
  }

  /** A boundary of VMAs inside each huge page makes the kernel map it by PTEs. */
  #split({ page }: OpFields): string[] {
    const halves = [0, 4].filter((half) => pagesOf(page).some((one) => one >= half && one < half + 4));
    return halves.flatMap((half) => {
      const size = hex(2n * this.#stride);
      const range = `&(${hex(BASE + BigInt(half + 2) * this.#stride)}/${size})=nil`;
      return [`madvise(${range}, ${size}, 0x10)`, `madvise(${range}, ${size}, 0x11)`];
    });
  }

  #userfault(name: string, fields: OpFields, k: number): Calls {
    const [, size, range] = this.#place(fields);
    const pointer = `&(${hex(SCRATCH)})`;
    if (name === 'uffd_reg') {
      const open: string[] = [];
      if (this.#uffd === undefined) {
        this.#uffd = this.#name();
        this.#tellsForks = this.#has(fields, 'EVENT_FORK');
        this.#tellsMoves = this.#has(fields, 'EVENT_REMAP');
        // PAGEFAULT_FLAG_WP, EVENT_FORK, EVENT_REMAP, WP_UNPOPULATED.
        const told = (this.#tellsForks ? 0x2 : 0) | (this.#tellsMoves ? 0x4 : 0);
        const more = (this.#has(fields, 'WP_ASYNC') ? 0x8000 : 0) | (this.#has(fields, 'WP_UNPOPULATED') ? 0x2000 : 0);
        if (this.#has(fields, 'EVENT_REMOVE') || this.#has(fields, 'EVENT_UNMAP'))
          return 'its events would have to be read meanwhile';
        const features = 0x1 | told | more;
        open.push(
          `${this.#uffd} = userfaultfd(0x80800)`,
          `ioctl$UFFDIO_API(${this.#uffd}, 0xc018aa3f, ${pointer}={0xaa, 0x${features.toString(16)}, 0x0})`,
        );
      }
      const mode = this.#has(fields, 'MISSING') ? '0x1' : this.#has(fields, 'BOTH') ? '0x3' : '0x2';
      return [
        ...open,
        `ioctl$UFFDIO_REGISTER(${this.#uffd}, 0xc020aa00, ${pointer}={{${range}, ${size}}, ${mode}, 0x0})`,
      ];
    }
    const fd = this.#uffd;
    if (fd === undefined) return 'no userfaultfd is open';
    switch (name) {
      case 'wp':
      case 'unwp':
        return [
          `ioctl$UFFDIO_WRITEPROTECT(${fd}, 0xc018aa06, ${pointer}={{${range}, ${size}}, ${name === 'wp' ? '0x1' : '0x0'}})`,
        ];
      case 'wake':
        return [`ioctl$UFFDIO_WAKE(${fd}, 0x8010aa02, ${pointer}={${range}, ${size}})`];
      case 'uffd_unreg':
        return [`ioctl$UFFDIO_UNREGISTER(${fd}, 0x8010aa01, ${pointer}={${range}, ${size}})`];
      case 'uffd_close':
        this.#uffd = undefined;
        return [`close(${fd})`];
    }
    return `no call for op ${k + 1}`;
  }

  #gup(fields: OpFields, k: number): Calls {
    const has = (flag: string) => this.#has(fields, flag);
    for (const flag of ['BREAK_COW', 'DONT_COW', 'fast-only']) if (has(flag)) return `no call asks for ${flag}`;
    const [at, size] = this.#place(fields);
    const write = has('W');
    const sleep = this.#async(k);
    if (has('FORCE')) return 'syzkaller does not open /proc/self/mem, nor know where its memory lies';
    if (write) {
      const fd = this.#name();
      this.#handles.set(fields.y, { kind: 'ring', name: fd });
      const vector = `&(${hex(SCRATCH + 0x1000n)})=[{&(${at}), ${size}}]`;
      return [
        `${fd} = io_uring_setup(0x1, &(${hex(SCRATCH)}))`,
        `io_uring_register$IORING_REGISTER_BUFFERS(${fd}, 0x0, ${vector}, 0x1)${sleep}`,
      ];
    }
    if (has('PIN')) {
      return has('LONGTERM')
        ? 'no call takes a read-only long-term pin'
        : 'process_vm_readv would hold it for the length of one call only';
    }
    const [reader, writer] = [this.#name(), this.#name()];
    this.#handles.set(fields.y, { kind: 'pipe', name: reader, writer });
    return [
      `pipe2(&(${hex(SCRATCH)})={<${reader}=>0xffffffffffffffff, <${writer}=>0xffffffffffffffff}, 0x800)`,
      `vmsplice(${writer}, &(${hex(SCRATCH + 0x1000n)})=[{&(${at}), ${size}}], 0x1, 0x0)${sleep}`,
    ];
  }

  #handle(name: string, handle: number): Calls {
    const held = this.#handles.get(handle);
    if (held === undefined) return 'nothing is held';
    if (held.kind === 'ring')
      return name === 'put'
        ? [`io_uring_register$IORING_UNREGISTER_BUFFERS(${held.name}, 0x1, 0x0, 0x0)`]
        : 'a fixed-buffer transfer needs the rings of io_uring mapped';
    if (name === 'hwrite') return 'a pipe is not written through';
    if (name === 'put') return [`close(${held.name})`, `close(${held.writer})`];
    return [`read(${held.name}, &(${hex(SCRATCH + 0x10000n)})=""/8, 0x8)`];
  }
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
/** Eight bytes, little-endian. */
function little(value: number): string {
  return value.toString(16).padStart(2, '0').padEnd(16, '0');
}
