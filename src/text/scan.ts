// Words and signs of a program text, each with its place.
import { UsageError } from '../errors.js';

export interface Token {
  readonly kind: 'word' | 'sign' | 'end';
  readonly text: string;
  /** Offset into the text. */
  readonly at: number;
}

/** A program text that does not parse. The message says line, column, what was expected and what is valid there. */
export class ProgramSyntaxError extends UsageError {
  override readonly name = 'ProgramSyntaxError';
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;

  constructor(text: string, at: number, complaint: string, valid: readonly string[] = []) {
    const lineStart = text.lastIndexOf('\n', at - 1) + 1;
    const lineEnd = text.indexOf('\n', at);
    const line = text.slice(0, lineStart).split('\n').length;
    const column = at - lineStart + 1;
    const source = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd);
    const [excerpt, caret] = clip(source, column - 1);
    const list = valid.length === 0 ? '' : `\nvalid: ${valid.join(', ')}`;
    super(`line ${line}, column ${column}: ${complaint}\n  ${excerpt}\n  ${' '.repeat(caret)}^${list}`);
    this.line = line;
    this.column = column;
  }
}

/** A long line is cut so that the caret stays on a terminal. */
function clip(source: string, column: number): [string, number] {
  const clean = source.replaceAll(/[^\x20-\x7e]/gu, '?');
  if (clean.length <= 76) return [clean, column];
  const start = Math.max(0, column - 50);
  const lead = start > 0 ? '...' : '';
  return [`${lead}${clean.slice(start, start + 70)}`, column - start + lead.length];
}

const BLANK = /[ \t\r]+|#[^\n]*/y;
const WORD = /[A-Za-z0-9_.]+(?:-[A-Za-z0-9_.]+)*/y;
// The bar of the papers stands for || too.
const SIGN = /->|\|\||\u2225|[=;\n[\]@]/y;

/** All tokens, the last one of kind 'end'. */
export function scan(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  while (at < text.length) {
    const blank = match(BLANK);
    const word = blank === undefined ? match(WORD) : undefined;
    const sign = blank ?? word ?? match(SIGN);
    if (sign === undefined) throw new ProgramSyntaxError(text, at, `no program has the sign "${text[at]}"`);
    if (blank === undefined) {
      tokens.push({ kind: word === undefined ? 'sign' : 'word', text: sign === '\u2225' ? '||' : sign, at });
    }
    at += sign.length;
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}
