// What goes to stdout and how: data there, progress and complaints on stderr.
export { counted, short } from '../text/numbers.js';

/** Exit codes of every command; SKIPPED is of `export --run`. */
export const EXIT = { CLEAN: 0, BROKEN: 1, USAGE: 2, INTERNAL: 3, SKIPPED: 4 } as const;

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(data: unknown): void {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value);
  print(JSON.stringify(data, plain, 2));
}

export function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** May the stream show colours? NO_COLOR (no-color.org) wins. */
function colours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

function paint(open: number, close: number): (text: string) => string {
  return (text) => (colours(process.stdout) ? `\x1b[${open}m${text}\x1b[${close}m` : text);
}

export const bold = paint(1, 22);
export const red = paint(31, 39);
export const green = paint(32, 39);
