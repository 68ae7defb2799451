// Text that fits a mail: 78 columns.

export const COLUMNS = 78;

let width = COLUMNS;

/** Columns that a text may have just now. */
export function columns(): number {
  return width;
}

/** What `make` writes in another width: 75 columns are what mailing lists like. */
export function inColumns<T>(count: number, make: () => T): T {
  const before = width;
  width = count;
  try {
    return make();
  } finally {
    width = before;
  }
}

/** Breaks `text` at blanks into lines of at most 78 columns (see `inColumns`), the first after `lead`, the others after `indent`. */
export function wrap(text: string, lead = '', indent = ' '.repeat(lead.length)): string[] {
  const lines: string[] = [];
  let line = lead;
  let empty = true;
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines;
}

/** A program over several lines, broken only between its operations. */
export function wrapProgram(items: readonly string[], indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const [i, item] of items.entries()) {
    const piece = i === items.length - 1 ? item : `${item};`;
    if (line !== indent && line.length + 1 + piece.length > width) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? piece : ` ${piece}`;
  }
  lines.push(line);
  return lines;
}
