// Tables of at most 100 columns: what a terminal and a slide hold.

export const TABLE_COLUMNS = 100;

/** Breaks `text` at blanks into lines of at most `width` columns; a longer word has a line of its own. */
export function fold(text: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  const lead = text.slice(0, text.length - text.trimStart().length);
  let line = '';
  for (const word of text.trimStart().split(' ')) {
    const longer = line === '' ? lead + word : `${line} ${word}`;
    if (longer.length <= width || line === '') {
      line = longer;
    } else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line];
}

/** A program folded between its operations. */
export function foldProgram(program: string, width: number): string[] {
  // A blank that does not break stands for those within an operation.
  const glued = program.split('; ').map((item) => item.replaceAll(' ', '\u00a0'));
  return fold(glued.join('; '), width).map((line) => line.replaceAll('\u00a0', ' '));
}

/** Cells beside each other, each of any number of lines. The last column is not padded. */
export function beside(cells: readonly (readonly string[])[], widths: readonly number[]): string[] {
  const height = Math.max(...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? (cell[line] ?? '') : (cell[line] ?? '').padEnd(widths[i]!)))
      .join('')
      .trimEnd(),
  );
}
