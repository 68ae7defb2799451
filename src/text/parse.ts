// The one-line program text -> op words: `mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; hread h`.
//
// Operations are separated by ";" or a line end, "#" starts a comment. Flags stand after the arguments in any order.
// Two threads at once: `[write A.1 p0 || write A.2 p0]@121221`, the digits saying which of the two steps at each choice
// (missing ones are 1). Accepted and dropped, as people write them: `mmap ... private`, `gup ... slow`, the value of a
// store (`write A p0 5`; every store writes a value of its own anyway), a thread where the op does not care.
import { canonical, choiceOf, type FlagChoice, type FlagGroup, type OpInfo, wordError } from '../engine/optable.js';
import {
  encodeOp,
  HANDLE_COUNT,
  MAX_OPS,
  MM_NAMES,
  NO_FIELDS,
  type OpFields,
  PAGE_COUNT,
  PAGE_NAMES,
  SCHEDULE_BITS,
} from '../engine/opword.js';
import { nearest } from '../errors.js';
import { ProgramSyntaxError, scan, type Token } from './scan.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const IGNORED: Readonly<Record<string, RegExp>> = { mmap: /^private$/, gup: /^slow$/, write: /^\d+$/, hwrite: /^\d+$/ };
/** What an op over memory of a kind covers if it names no pages: the first PMD, the whole file. */
const DEFAULT_PAGES: Readonly<Record<string, string>> = { thp: 'p0..p3', dax: 'p0..p7' };

/** Parses a program into canonical words. Throws ProgramSyntaxError. */
export function parseProgram(text: string, ops: readonly OpInfo[]): Uint32Array {
  return new Parser(text, ops).program();
}

class Parser {
  readonly #text: string;
  readonly #ops: readonly OpInfo[];
  readonly #tokens: Token[];
  #next = 0;

  constructor(text: string, ops: readonly OpInfo[]) {
    this.#text = text;
    this.#ops = ops;
    this.#tokens = scan(text);
  }

  program(): Uint32Array {
    const words: number[] = [];
    while (true) {
      while (this.#isSeparator(this.#peek())) this.#next++;
      const first = this.#peek();
      if (first.kind === 'end') break;
      words.push(...(this.#take('[') ? this.#pair() : [encodeOp(this.#op())]));
      if (words.length > MAX_OPS) this.#fail(first, `a program has at most ${MAX_OPS} operations`);
      const after = this.#peek();
      if (after.kind !== 'end' && !this.#isSeparator(after)) this.#expected('";" or the end', after);
    }
    if (words.length === 0)
      this.#expected(
        'an operation',
        this.#peek(),
        this.#ops.map(({ name }) => name),
      );
    return canonical(this.#ops, Uint32Array.from(words));
  }

  #pair(): number[] {
    const start = this.#peek();
    const first = this.#op();
    if (!this.#ops[first.code]!.takesThread) {
      const threads = this.#ops.filter(({ takesThread }) => takesThread).map(({ name }) => name);
      this.#fail(start, `the first of two concurrent operations must be one of ${threads.join(', ')}`);
    }
    this.#need('||');
    const second = this.#op();
    this.#need(']');
    const schedule = this.#take('@') ? this.#schedule() : 0;
    return [encodeOp({ ...first, pair: true, schedule }), encodeOp(second)];
  }

  #schedule(): number {
    const token = this.#peek();
    const expected = `a schedule: up to ${SCHEDULE_BITS} digits 1 or 2`;
    if (token.kind !== 'word' || !/^[12]+$/.test(token.text) || token.text.length > SCHEDULE_BITS)
      this.#expected(expected, token);
    this.#next++;
    return [...token.text].reduce((bits, digit, k) => bits | (digit === '2' ? 1 << k : 0), 0);
  }

  #op(): OpFields {
    const start = this.#peek();
    const assigned = this.#tokens[this.#next + 1]?.text === '=' ? this.#handle() : undefined;
    if (assigned !== undefined) this.#need('=');
    const token = this.#peek();
    const op = this.#ops.find(({ name }) => token.kind === 'word' && name === token.text);
    if (!op)
      this.#expected(
        'an operation',
        token,
        this.#ops.map(({ name }) => name),
        true,
      );
    this.#next++;
    const grants = op.shape.startsWith('h=');
    if (assigned !== undefined && !grants) this.#fail(start, `${op.name} gives no handle`);

    const fields: Writable<OpFields> = { ...NO_FIELDS, code: op.code, y: assigned ?? 0 };
    if (op.takesMm) [fields.mm, fields.cpu] = this.#mm(op.name);
    if (op.takesY === 'mm') {
      this.#need('->');
      [fields.y] = this.#mm(op.name);
    } else if (op.takesY === 'handle' && !grants && !this.#atEnd()) {
      fields.y = this.#handle();
    }
    const page = op.pages ? this.#page(op) : undefined;
    const target = op.takesTarget ? this.#target(op) : 0;
    fields.flags = this.#flags(op) | target;
    fields.page = page ?? this.#pageOfFlags(op, fields.flags);
    const error = wordError(this.#ops, encodeOp(fields));
    if (error !== undefined) this.#fail(token, error);
    return fields;
  }

  /** X or X.T: process and thread. */
  #mm(op: string): [mm: number, cpu: number] {
    const token = this.#peek();
    const [name, thread, more] = token.text.split('.');
    const mm = MM_NAMES.indexOf(name!);
    if (token.kind !== 'word' || mm < 0 || more !== undefined)
      this.#expected(`a process for ${op}`, token, MM_NAMES, true);
    if (thread !== undefined && thread !== '1' && thread !== '2')
      this.#expected('thread 1 or 2', token, [`${name}.1`, `${name}.2`]);
    this.#next++;
    return [mm, thread === '2' ? 1 : 0];
  }

  #handle(): number {
    const token = this.#peek();
    const handle = token.text === 'h' ? 0 : /^h\d$/.test(token.text) ? Number(token.text[1]) : -1;
    const names = Array.from({ length: HANDLE_COUNT }, (_, i) => `h${i}`);
    if (token.kind !== 'word' || handle < 0 || handle >= HANDLE_COUNT)
      this.#expected('a handle', token, ['h', ...names], true);
    this.#next++;
    return handle;
  }

  /** The page argument, or undefined where a flag stands in its place (`mmap A thp`). */
  #page(op: OpInfo): number | undefined {
    const token = this.#peek();
    const page = PAGE_NAMES.indexOf(token.text);
    const flagged = op.groups.some(({ choices }) => choices.some(({ text }) => text !== '' && text === token.text));
    if (flagged && op.pages === 'R') return undefined;
    if (token.kind !== 'word' || page < 0 || (op.pages === 'P' && page >= PAGE_COUNT)) {
      const names = op.pages === 'P' ? PAGE_NAMES.slice(0, PAGE_COUNT) : PAGE_NAMES;
      const what = op.pages === 'P' ? 'one page' : 'a page or a range';
      this.#expected(`${what} for ${op.name}`, token, names, true);
    }
    this.#next++;
    return page;
  }

  #target(op: OpInfo): number {
    this.#need('->');
    const token = this.#peek();
    const page = this.#page(op);
    if (page === undefined) this.#expected(`a page or a range for ${op.name}`, token, PAGE_NAMES);
    return page;
  }

  #pageOfFlags(op: OpInfo, flags: number): number {
    if (op.pages === undefined) return 0;
    for (const group of op.groups) {
      const pages = DEFAULT_PAGES[choiceOf(group, flags) ?? ''];
      if (pages !== undefined) return PAGE_NAMES.indexOf(pages);
    }
    this.#expected(`a page or a range for ${op.name}`, this.#peek(), PAGE_NAMES);
  }

  #flags(op: OpInfo): number {
    let flags = 0;
    const said = new Map<FlagGroup, FlagChoice>();
    while (this.#peek().kind === 'word') {
      const token = this.#peek();
      if (!IGNORED[op.name]?.test(token.text)) {
        const [group, choice] = this.#flag(op, token);
        const before = said.get(group);
        if (before && before !== choice)
          this.#fail(token, `${op.name}: ${before.text} and ${choice.text} exclude each other`);
        said.set(group, choice);
        flags |= choice.value;
      }
      this.#next++;
    }
    return flags;
  }

  #flag(op: OpInfo, token: Token): [FlagGroup, FlagChoice] {
    for (const group of op.groups) {
      for (const choice of group.choices) {
        if (choice.text !== '' && choice.text === token.text) return [group, choice];
      }
    }
    const texts = op.groups.flatMap(({ choices }) => choices.map(({ text }) => text)).filter((text) => text !== '');
    if (texts.length === 0) this.#expected(`";" or the end after ${op.name}`, token);
    this.#expected(`a flag of ${op.name}`, token, texts, true);
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #isSeparator(token: Token): boolean {
    return token.kind === 'sign' && (token.text === ';' || token.text === '\n');
  }

  #atEnd(): boolean {
    return this.#peek().kind !== 'word';
  }

  #take(sign: string): boolean {
    const taken = this.#peek().kind === 'sign' && this.#peek().text === sign;
    if (taken) this.#next++;
    return taken;
  }

  #need(sign: string): void {
    if (!this.#take(sign)) this.#expected(`"${sign}"`, this.#peek());
  }

  #expected(what: string, found: Token, valid: readonly string[] = [], guess = false): never {
    const meant = guess && found.kind === 'word' ? nearest(found.text, valid) : undefined;
    const got = found.kind === 'end' ? 'the end' : found.text === '\n' ? 'the end of the line' : `"${found.text}"`;
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    this.#fail(found, `expected ${what}, found ${got}${hint}`, valid);
  }

  #fail(token: Token, complaint: string, valid: readonly string[] = []): never {
    throw new ProgramSyntaxError(this.#text, token.at, complaint, valid);
  }
}
