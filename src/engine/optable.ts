// The table of operations as data, read from the module's rows (assembly/ops/table.ts).
import { decodeOp, encodeOp, MM_NAMES, type OpFields, PAGE_COUNT, PAGE_NAMES, pagesOf, TARGET_MASK } from './opword.js';

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
  /** Shape of the arguments as in the table: "X R", "X P", "X R->Q", "X->Y", "X", "h=X P", "h" or "". */
  readonly shape: string;
  readonly takesMm: boolean;
  /** 'P' one page, 'R' a page or a range. */
  readonly pages: 'P' | 'R' | undefined;
  /** Moves its pages to as many others, named by the low bits of the flags. */
  readonly takesTarget: boolean;
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
    takesTarget: shape.includes('->Q'),
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

/** The text of the choice that holds in `group`; undefined if the table allows no such value. */
export function choiceOf(group: FlagGroup, flags: number): string | undefined {
  return group.choices.find(({ value }) => value === (flags & group.mask))?.text;
}

/** Why `word` is no operation, or undefined if it is one. Says the same as op_valid of assembly/ops/valid.ts. */
export function wordError(ops: readonly OpInfo[], word: number): string | undefined {
  const fields = decodeOp(word);
  const op = ops[fields.code];
  if (!op) return `no operation has code ${fields.code}`;
  if (fields.mm >= MM_NAMES.length) return `${op.name}: no process ${fields.mm}`;
  if (fields.page >= (op.pages === 'P' ? PAGE_COUNT : PAGE_NAMES.length))
    return `${op.name}: no page argument ${fields.page}`;
  if (op.takesY === 'mm') {
    if (fields.y >= MM_NAMES.length) return `${op.name}: no process ${fields.y}`;
    if (fields.y === fields.mm) return `${op.name}: ${MM_NAMES[fields.mm]} cannot become itself`;
  }
  if (op.takesTarget) return targetError(op.name, fields);
  const rest = op.groups.reduce((flags, { mask }) => flags & ~mask, fields.flags);
  if (rest !== 0) return `${op.name}: no flags ${rest}`;
  const chosen = op.groups.map((group) => choiceOf(group, fields.flags));
  if (chosen.includes(undefined)) return `${op.name}: flags ${fields.flags} exclude each other`;
  if (chosen.includes('dax')) {
    if (PAGE_NAMES[fields.page] !== 'p0..p7') return `${op.name}: dax maps the whole range p0..p7`;
    if (chosen.includes('thp')) return `${op.name}: dax and thp exclude each other`;
  }
  return undefined;
}

function targetError(name: string, { page, flags }: OpFields): string | undefined {
  if (flags > TARGET_MASK) return `${name}: no flags ${flags & ~TARGET_MASK}`;
  const sizes = [page, flags].map((argument) => (argument < PAGE_NAMES.length ? pagesOf(argument).length : 0));
  if (sizes[1] === 0) return `${name}: no page argument ${flags}`;
  if (sizes.includes(PAGE_COUNT)) return `${name}: nothing is left to move p0..p7 to`;
  if (sizes[0] !== sizes[1]) return `${name}: ${PAGE_NAMES[page]} and ${PAGE_NAMES[flags]} differ in size`;
  return page === flags ? `${name}: ${PAGE_NAMES[page]} is there already` : undefined;
}

/** The op with every field that it does not use set to zero; `second` = it is the other half of a pair. */
function canonicalOp(op: OpInfo, fields: OpFields, last: boolean, second: boolean): OpFields {
  const pair = fields.pair && op.takesThread && !last && !second;
  return {
    code: fields.code,
    mm: op.takesMm ? fields.mm : 0,
    page: op.pages ? fields.page : 0,
    y: op.takesY ? fields.y : 0,
    cpu: op.takesThread ? fields.cpu : 0,
    flags: fields.flags,
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
