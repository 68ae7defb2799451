import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { canonical, type OpInfo } from '../engine/optable.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';

/** Base 32 without i, l, o, u: nothing to misread, nothing rude. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
export const ID_LENGTH = 10;

/** `kernel +knob -knob`, knobs in order: the one way to write a kernel. */
export function printSpec({ kernel, with: plus, without: minus }: KernelSpec): string {
  return [kernel, ...[...plus].sort().map((name) => `+${name}`), ...[...minus].sort().map((name) => `-${name}`)].join(
    ' ',
  );
}

/** Reads what `printSpec` writes, in any order of knobs. Names are not checked: `catalogue.vector` does that. */
export function parseSpec(text: string): KernelSpec {
  const [kernel = '', ...knobs] = text.trim().split(/\s+/);
  const named = (sign: string) => knobs.filter((knob) => knob.startsWith(sign)).map((knob) => knob.slice(1));
  const plain = knobs.find((knob) => !/^[+-]./.test(knob));
  if (kernel === '' || plain !== undefined)
    throw new UsageError(`kernel "${text}": expected a name, then +knob or -knob, such as "seed -copy.keeps_uffd_wp"`);
  return { kernel, with: named('+'), without: named('-') };
}

/** A short name (50 bits) of a program on a kernel; the same on every machine, in a browser too, and for every spelling of both. */
export function programId(words: Uint32Array, spec: KernelSpec, ops: readonly OpInfo[]): string {
  const program = canonical(ops, words);
  const bytes = new DataView(new ArrayBuffer(program.length * 4));
  for (const [i, word] of program.entries()) bytes.setUint32(i * 4, word, true);
  const kernel = utf8ToBytes(`${printSpec(spec)}\0`);
  const hash = sha256.create().update(kernel).update(new Uint8Array(bytes.buffer)).digest();
  let bits = new DataView(hash.buffer, hash.byteOffset).getBigUint64(0);
  let id = '';
  for (let i = 0; i < ID_LENGTH; i++) {
    id += DIGITS[Number(bits & 31n)];
    bits >>= 5n;
  }
  return id;
}
