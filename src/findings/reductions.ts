// What "smaller" means for a program, and every program one step smaller than a given one.
import { canonical, type OpInfo, wordError } from '../engine/optable.js';
import { decodeOp, encodeOp, HANDLE_COUNT, MM_NAMES, type OpFields, PAGE_COUNT, PAGE_NAMES } from '../engine/opword.js';

type Program = readonly OpFields[];

/** Beyond this length only single ops and pairs of ops are dropped, not triples. */
const TRIPLES_UP_TO = 16;
const LENGTH_WEIGHT = 1 << 20;

/** A plain access is easier to read than a GUP that only touches the page. */
const GRANT_WEIGHT = 32;

function grants(op: OpInfo): boolean {
  return op.takesThread && op.takesY === 'handle';
}

/** Number of the choice that holds in each flag group, summed: 0 = all defaults. */
function flagWeight(op: OpInfo, flags: number): number {
  return op.groups.reduce(
    (sum, { choices, mask }) => sum + choices.findIndex(({ value }) => value === (flags & mask)),
    0,
  );
}

/** A number that every reduction lowers: length first, then the arguments. */
export function weight(ops: readonly OpInfo[], words: Uint32Array): number {
  let sum = words.length * LENGTH_WEIGHT;
  for (const word of words) {
    const fields = decodeOp(word);
    const { mm, page, y, cpu, flags, pair, schedule } = fields;
    const op = ops[fields.code]!;
    const said = op.takesTarget ? flags : flagWeight(op, flags);
    sum += mm + page + y + cpu + said + schedule + (pair ? 1 : 0) + (grants(op) ? GRANT_WEIGHT : 0);
  }
  return sum;
}

function* drops(program: Program): Generator<Program> {
  const n = program.length;
  const without = (...gone: number[]) => program.filter((_, i) => !gone.includes(i));
  for (let i = 0; i < n; i++) yield without(i);
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) yield without(i, j);
  if (n > TRIPLES_UP_TO) return;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) for (let k = j + 1; k < n; k++) yield without(i, j, k);
  }
}

/** A GUP becomes the access that it resembles. */
function* plainAccess(ops: readonly OpInfo[], { code, mm, page, cpu, pair, schedule }: OpFields): Generator<OpFields> {
  if (!grants(ops[code]!)) return;
  for (const name of ['read', 'write']) {
    yield { code: ops.findIndex((op) => op.name === name), mm, page, y: 0, cpu, flags: 0, pair, schedule };
  }
}

function* smallerArguments(op: OpInfo, fields: OpFields): Generator<OpFields> {
  if (fields.pair) yield { ...fields, pair: false, schedule: 0 };
  for (const { choices, mask } of op.groups) {
    const chosen = choices.findIndex(({ value }) => value === (fields.flags & mask));
    for (const { value } of choices.slice(0, chosen)) yield { ...fields, flags: (fields.flags & ~mask) | value };
  }
  for (let page = 0; page < fields.page; page++) yield { ...fields, page };
  if (op.takesTarget) for (let flags = 0; flags < fields.flags; flags++) yield { ...fields, flags };
  for (let mm = 0; mm < fields.mm; mm++) yield { ...fields, mm };
  for (let y = 0; y < fields.y; y++) yield { ...fields, y };
  if (fields.cpu > 0) yield { ...fields, cpu: 0 };
  for (let schedule = 0; schedule < fields.schedule; schedule++) yield { ...fields, schedule };
}

type Kind = 'mm' | 'handle' | 'page';

const NAMES: readonly (readonly [Kind, count: number])[] = [
  ['mm', MM_NAMES.length],
  ['handle', HANDLE_COUNT],
  ['page', PAGE_COUNT],
];

/** Every process, handle or page argument of the program through `to`. */
function renamed(ops: readonly OpInfo[], program: Program, kind: Kind, to: (name: number) => number): Program {
  return program.map((fields) => {
    const { takesY, takesTarget } = ops[fields.code]!;
    return {
      ...fields,
      mm: kind === 'mm' ? to(fields.mm) : fields.mm,
      page: kind === 'page' ? to(fields.page) : fields.page,
      y: kind === takesY ? to(fields.y) : fields.y,
      flags: kind === 'page' && takesTarget ? to(fields.flags) : fields.flags,
    };
  });
}

/**
 * Two processes, handles or pages become one (a fork between the two goes), or are exchanged: a program that uses few
 * names then uses the first ones.
 */
function* renamings(ops: readonly OpInfo[], program: Program): Generator<Program> {
  const pairs = NAMES.flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, b) => Array.from({ length: b }, (_, a) => ({ kind, a, b }))).flat(),
  );
  for (const { kind, a, b } of pairs) {
    const merged = renamed(ops, program, kind, (name) => (name === b ? a : name));
    yield merged.filter((fields) => ops[fields.code]!.takesY !== 'mm' || fields.mm !== fields.y);
  }
  for (const { kind, a, b } of pairs) {
    yield renamed(ops, program, kind, (name) => (name === a ? b : name === b ? a : name));
  }
  const [first, second] = [PAGE_NAMES.indexOf('p0..p3'), PAGE_NAMES.indexOf('p4..p7')];
  yield renamed(ops, program, 'page', (page) => {
    if (page < PAGE_COUNT) return page ^ (PAGE_COUNT / 2);
    return page === first ? second : page === second ? first : page;
  });
}

/** The two ops of a pair in the other order, one after the other. */
function* serialized(program: Program): Generator<Program> {
  for (const [i, fields] of program.entries()) {
    const second = program[i + 1];
    if (!fields.pair || !second) continue;
    const first = { ...fields, pair: false, schedule: 0 };
    yield [...program.slice(0, i), second, first, ...program.slice(i + 2)];
  }
}

/** Every canonical program that is one reduction smaller than the canonical program `words`; the boldest first. */
export function* reductions(ops: readonly OpInfo[], words: Uint32Array): Generator<Uint32Array> {
  const program: Program = [...words].map(decodeOp);
  const bound = weight(ops, words);
  const candidates = function* (): Generator<Program> {
    yield* drops(program);
    yield* serialized(program);
    for (const [i, fields] of program.entries()) {
      for (const simpler of plainAccess(ops, fields)) yield program.with(i, simpler);
      for (const smaller of smallerArguments(ops[fields.code]!, fields)) yield program.with(i, smaller);
    }
    yield* renamings(ops, program);
  };
  for (const candidate of candidates()) {
    if (candidate.some((fields) => wordError(ops, encodeOp(fields)) !== undefined)) continue;
    const smaller = canonical(ops, Uint32Array.from(candidate, encodeOp));
    if (smaller.length > 0 && weight(ops, smaller) < bound) yield smaller;
  }
}
