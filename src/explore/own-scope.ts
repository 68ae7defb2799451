// The scope of one program: what it uses, and nothing else.
import { canonical, type OpInfo, wordError } from '../engine/optable.js';
import { decodeOp, encodeOp, NO_FIELDS, PAGE_COUNT, PAGE_NAMES, pagesOf } from '../engine/opword.js';
import { printOp } from '../text/print.js';
import { concurrentPairs } from './pairs.js';

/** Words that the search takes, of single operations and pairs together. */
export const MOST_WORDS = 0x2800;

/** Operations of the program's kinds on its processes, pages and handles, however combined. */
export interface OwnScope {
  readonly alphabet: Uint32Array;
  /** Two words each; empty for a program without concurrent steps. */
  readonly pairs: Uint32Array;
  readonly mms: number;
  /** Pages that can be touched, bit = page. */
  readonly pages: number;
  /** In words. */
  readonly text: string;
}

const PLURAL: Readonly<Record<string, string>> = { process: 'processes' };

function counted(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : (PLURAL[noun] ?? `${noun}s`)}`;
}

/** `gup R GET`: an operation without its arguments. */
function kindText(ops: readonly OpInfo[], word: number): string {
  const op = ops[word & 63]!;
  const text = printOp(word, ops).replace(/^h\d=/, '');
  const [name, ...args] = text.split(' ');
  const taken =
    (op.takesMm ? 1 : 0) + (op.takesY === 'handle' && !op.shape.startsWith('h=') ? 1 : 0) + (op.pages ? 1 : 0);
  return [name, ...args.slice(taken)].join(' ');
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** The operation without its arguments. */
function kindOf(word: number): number {
  const { code, flags } = decodeOp(word);
  return encodeOp({ ...NO_FIELDS, code, flags });
}

/** If the program has concurrent steps: those of a search, and its own by their schedules, whatever they are about. */
function concurrentSteps(ops: readonly OpInfo[], program: readonly number[], alphabet: readonly number[]): number[] {
  const own = program.flatMap((word, i) => (decodeOp(word).pair ? [[word, program[i + 1]!] as const] : []));
  if (own.length === 0) return [];
  const { pairs } = concurrentPairs(ops, alphabet);
  const steps = new Map<string, readonly [number, number]>();
  for (let i = 0; i < pairs.length; i += 2) steps.set(`${pairs[i]} ${pairs[i + 1]}`, [pairs[i]!, pairs[i + 1]!]);
  for (const [one, two] of own) {
    const { schedule } = decodeOp(one);
    const like = (kind: number) => alphabet.filter((word) => kindOf(word) === kindOf(kind));
    for (const a of like(one)) {
      const first = encodeOp({ ...decodeOp(a), pair: true, schedule });
      for (const second of like(two)) steps.set(`${first} ${second}`, [first, second]);
    }
  }
  return [...steps.values()].flat();
}

/**
 * The scope of a canonical program. It stays the same when its processes, handles, threads, or pages one by one, trade names.
 * Reads through handles are left out: they change nothing, and a search looks at every state whole.
 */
export function ownScope(ops: readonly OpInfo[], words: Uint32Array): OwnScope {
  const used = [...canonical(ops, words)].map((word) => ({ word, fields: decodeOp(word), op: ops[word & 63]! }));
  const most = (numbers: readonly number[]) => Math.max(-1, ...numbers) + 1;
  const mms = most(
    used.flatMap(({ fields, op }) => [...(op.takesMm ? [fields.mm] : []), ...(op.takesY === 'mm' ? [fields.y] : [])]),
  );
  const handles = most(used.flatMap(({ fields, op }) => (op.takesY === 'handle' ? [fields.y] : [])));
  const threads = most(used.map(({ fields }) => fields.cpu));
  const pageArgs = [...new Set(used.flatMap(({ fields, op }) => (op.pages ? [fields.page] : [])))].sort(
    (a, b) => a - b,
  );
  const kinds = new Map(used.map(({ word, op }) => [kindOf(word), op] as const));
  const alphabet = new Set<number>();
  for (const [kind, op] of kinds) {
    if (op.name === 'hread') continue;
    const ys = op.takesY === 'mm' ? upTo(mms) : op.takesY === 'handle' ? upTo(handles) : [0];
    const pages = op.pages === undefined ? [0] : pageArgs.filter((page) => op.pages === 'R' || page < PAGE_COUNT);
    for (const mm of op.takesMm ? upTo(mms) : [0]) {
      for (const page of pages) {
        for (const y of ys) {
          for (const cpu of op.takesThread ? upTo(threads) : [0]) {
            const word = encodeOp({ ...decodeOp(kind), mm, page, y, cpu });
            if (wordError(ops, word) === undefined) alphabet.add(word);
          }
        }
      }
    }
  }
  const list = [...alphabet].sort((a, b) => a - b);
  const touched = pageArgs.flatMap((page) => [...pagesOf(page)]);
  const pairs = concurrentSteps(
    ops,
    used.map(({ word }) => word),
    list,
  );
  const names = pageArgs.map((page) => PAGE_NAMES[page]!);
  const has = [
    counted(mms, 'process'),
    ...(threads > 1 ? [`${threads} threads each`] : []),
    names.join(' '),
    ...(handles > 0 ? [counted(handles, 'GUP handle')] : []),
    ...(pairs.length > 0 ? [`two at once by ${counted(pairs.length / 2, 'schedule')}`] : []),
  ];
  const does = [...new Set(used.filter(({ op }) => op.name !== 'hread').map(({ word }) => kindText(ops, word)))];
  return {
    alphabet: Uint32Array.from(list),
    pairs: Uint32Array.from(pairs),
    mms,
    pages: touched.reduce((mask, page) => mask | (1 << page), 0),
    text: `${has.join(', ')}; ${does.join(', ')}`,
  };
}
