// Nothing that comes out of Redis is trusted: small checks that name what is wrong.

/** What was read is not what breakcow writes. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** What others wrote, fit for a terminal. */
export function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}

/** A value fit for one line of a log. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : String(JSON.stringify(value));
  return plain(text).slice(0, 60);
}

export function wrong(what: string, value: unknown): never {
  throw new Malformed(`${what}: ${shown(value)}`);
}

export function whole(what: string, value: unknown, max: number, min = 0): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) wrong(what, value);
  return value;
}

/** A number of 64 bits, written as 1 to 16 hex digits. */
export function hex64(what: string, value: unknown): bigint {
  if (typeof value !== 'string' || !/^[0-9a-f]{1,16}$/.test(value)) wrong(what, value);
  return BigInt(`0x${value}`);
}

export function flag(what: string, value: unknown): boolean {
  if (typeof value !== 'boolean') wrong(what, value);
  return value;
}

export function text(what: string, value: unknown, pattern: RegExp): string {
  if (typeof value !== 'string' || !pattern.test(value)) wrong(what, value);
  return value;
}

export function list(what: string, value: unknown, max: number, min = 0): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max || value.length < min) wrong(what, value);
  return value;
}

export function record(what: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) wrong(what, value);
  return value as Readonly<Record<string, unknown>>;
}
