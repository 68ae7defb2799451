// The table of operations as data, read from the module's rows (assembly/ops/table.ts).
import { decodeOp, encodeOp, MM_NAMES, type OpFields, PAGE_COUNT, PAGE_NAMES } from './opword.js';

export interface FlagChoice {
  readonly value: number;
  /** '' = nothing is written for it. */
  readonly text: string;
}

/** Alternatives of which exactly one holds; the first is the default. */
export interface FlagGroup {
  readonly choices: readonly FlagChoice[];
  readonly mask: number;
}

export interface OpInfo {
  readonly code: number;
  readonly name: string;
  /** Shape of the arguments as in the table: "X R", "X P", "X->Y", "X", "h=X P", "h" or "". */
  readonly shape: string;
  readonly takesMm: boolean;
  /** 'P' one page, 'R' a page or a range. */
  readonly pages: 'P' | 'R' | undefined;
  readonly takesY: 'mm' | 'handle' | undefined;
  /** Accesses run on a thread of X; other ops do not care. */
  readonly takesThread: boolean;
  readonly groups: readonly FlagGroup[];
  readonly doc: string;
}

/** Parses "name \t arguments \t flags \t doc". Throws on a row of another form: the module and this file differ. */
export function parseOpRow(code: number, row: string): OpInfo {
  const [name, shape, flags, doc] = row.split('\t');
  if (!name || shape === undefined || flags === undefined || !doc) throw new Error(`op ${code}: odd row "${row}"`);
  const groups = flags === '' ? [] : flags.split(';').map(parseGroup);
  const pages = /\bP\b/.test(shape) ? 'P' : /\bR\b/.test(shape) ? 'R' : undefined;
  return {
    code,
    name,
    shape,
    takesMm: shape.includes('X'),
    pages,
    takesY: shape.includes('Y') ? 'mm' : shape.includes('h') ? 'handle' : undefined,
    takesThread: pages === 'P',
    groups,
    doc,
  };
}

function parseGroup(text: string): FlagGroup {
  const choices = text.split(',').map((choice) => {
    const at = choice.indexOf('=');
    return { value: Number(choice.slice(0, at)), text: choice.slice(at + 1) };
  });
  return { choices, mask: choices.reduce((mask, { value }) => mask | value, 0) };
}

/** Why `word` is no operation, or undefined if it is one. */
export function wordError(ops: readonly OpInfo[], word: number): string | undefined {
  const fields = decodeOp(word);
  const op = ops[fields.code];
  if (!op) return `no operation has code ${fields.code}`;
  if (op.takesMm && fields.mm >= MM_NAMES.length) return `${op.name}: no process ${fields.mm}`;
  if (op.takesY === 'mm' && fields.y >= MM_NAMES.length) return `${op.name}: no process ${fields.y}`;
  if (op.pages && fields.page >= (op.pages === 'P' ? PAGE_COUNT : PAGE_NAMES.length))
    return `${op.name}: no page argument ${fields.page}`;
  for (const { choices, mask } of op.groups) {
    if (!choices.some(({ value }) => value === (fields.flags & mask)))
      return `${op.name}: no flags ${fields.flags & mask}`;
  }
  return undefined;
}

/** The op with every field that it does not use set to zero; `second` = it is the other half of a pair. */
function canonicalOp(op: OpInfo, fields: OpFields, last: boolean, second: boolean): OpFields {
  const flagMask = op.groups.reduce((mask, group) => mask | group.mask, 0);
  const pair = fields.pair && !last && !second;
  return {
    code: fields.code,
    mm: op.takesMm ? fields.mm : 0,
    page: op.pages ? fields.page : 0,
    y: op.takesY ? fields.y : 0,
    cpu: op.takesThread ? fields.cpu : 0,
    flags: fields.flags & flagMask,
    pair,
    schedule: pair ? fields.schedule : 0,
  };
}

/** The one form of a program: same behaviour, unused fields zero. Words must be valid (`wordError`). */
export function canonical(ops: readonly OpInfo[], words: Uint32Array): Uint32Array {
  const result = new Uint32Array(words.length);
  let second = false;
  for (const [i, word] of words.entries()) {
    const fields = decodeOp(word);
    const op = canonicalOp(ops[fields.code]!, fields, i === words.length - 1, second);
    result[i] = encodeOp(op);
    second = op.pair;
  }
  return result;
}
