// A promise that a kernel broke: the program made to show it, and the claim that a C program can check.

import type { OpInfo } from '../engine/optable.js';
import { decodeOp, encodeOp, MAX_OPS, NO_FIELDS, RESULT } from '../engine/opword.js';
import { programId } from '../text/id.js';
import { printProgram } from '../text/print.js';
import type { Fact } from './facts.js';
import type { PageLayout, Run } from './observed.js';
import type { Broken } from './oracle-witness.js';

export interface OracleFinding {
  readonly id: string;
  readonly slug: string;
  readonly layout: PageLayout;
  /** Minimized; its last ops show what is wrong. */
  readonly words: Uint32Array;
  readonly program: string;
  readonly broken: Broken;
  readonly run: Run;
  /** What would hold on a kernel that keeps the promise. */
  readonly facts: readonly Fact[];
  /** Programs run before it was found. */
  readonly firstAt: number;
}

const NO_HANDLE = 0xff;
const ACCESSES: readonly string[] = ['read', 'write', 'gup', 'populate'];

/** What the promise demands, stated of ops of the program; none if no op shows it. */
export function demands(broken: Broken, words: Uint32Array, run: Run, ops: readonly OpInfo[]): Fact[] {
  const { slug, violation } = broken;
  const { op, mm, page, expected } = violation;
  const name = ops[decodeOp(words[op]!).code]!.name;
  switch (slug) {
    case 'wp-silent-write':
      return [{ kind: 'sleeps', op: storeBefore(words, run, op, ops) }];
    case 'wp-event-on-read':
      return [{ kind: 'silent', op: run.ops[op]!.events[0]?.op ?? op }];
    case 'permission-gained':
      return [{ kind: 'ends', op: storeBefore(words, run, op, ops), result: RESULT.FAULT }];
    case 'guard-lost':
      return ACCESSES.includes(name) ? [{ kind: 'ends', op, result: RESULT.FAULT }] : [];
    case 'wp-lost':
    case 'softdirty-lost': {
      if (mm === undefined || page === undefined) return [];
      const bit = slug === 'wp-lost' ? 'uffd-wp' : 'soft-dirty';
      return [{ kind: 'bit', bit, op, mm, page, set: true }];
    }
    default: {
      const shows = name === 'hread' || (name === 'read' && decodeOp(words[op]!).page === page);
      return shows ? [{ kind: 'shows', op, value: expected }] : [];
    }
  }
}

/** The op whose store went through: `op` itself, or the sleeper that it woke. */
function storeBefore(words: Uint32Array, run: Run, op: number, ops: readonly OpInfo[]): number {
  const stores = (index: number) => ['write', 'gup'].includes(ops[decodeOp(words[index]!).code]!.name);
  if (stores(op)) return op;
  return run.ops[op]!.outcomes.find((outcome) => stores(outcome.op))?.op ?? op;
}

/** The program with an op that looks at what is wrong, where so far only pagemap or the kernel's eyes saw it. */
export function withLook(words: Uint32Array, { violation }: Broken, ops: readonly OpInfo[]): Uint32Array | undefined {
  const { mm, page, handle, op } = violation;
  const code = (name: string) => ops.findIndex((one) => one.name === name);
  if (op + 1 >= MAX_OPS || page === undefined || mm === undefined) return undefined;
  const look =
    handle !== undefined && handle !== NO_HANDLE
      ? encodeOp({ ...NO_FIELDS, code: code('hread'), y: handle })
      : encodeOp({ ...NO_FIELDS, code: code('read'), mm, page });
  return Uint32Array.from([...words.subarray(0, op + 1), look]);
}

export function finding(
  layout: PageLayout,
  words: Uint32Array,
  broken: Broken,
  run: Run,
  ops: readonly OpInfo[],
  firstAt: number,
): OracleFinding {
  const spec = { kernel: layout, with: [], without: [] };
  return {
    id: programId(words, spec, ops),
    slug: broken.slug,
    layout,
    words,
    program: printProgram(words, ops),
    broken,
    run,
    facts: demands(broken, words, run, ops),
    firstAt,
  };
}
