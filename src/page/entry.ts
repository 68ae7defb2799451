// A raw 64-bit entry, field by field: the x86-64 layout of present leaves, and that of swap entries and markers.
import type { Leaf } from '../engine/world.js';

export interface Field {
  /** `1`, `12..51`. */
  readonly bits: string;
  /** As in the grid; none for what has no letter there. */
  readonly letters: readonly string[];
  readonly text: string;
}

type Named = Readonly<Record<number, readonly [letter: string, text: string]>>;

const PRESENT: Named = {
  0: ['P', 'present'],
  1: ['W', 'writable'],
  2: ['', 'user may access'],
  5: ['A', 'accessed'],
  6: ['D', 'dirty'],
  7: ['PSE', 'maps a huge page'],
  8: ['N', 'protnone: no access'],
  9: ['Z', 'special: not counted (zero page, DAX)'],
  10: ['U', 'userfaultfd write-protected'],
  11: ['SD', 'soft-dirty'],
  63: ['', 'no execution'],
};
const SWAP: Named = {
  1: ['SD', 'soft-dirty'],
  2: ['U', 'userfaultfd write-protected'],
  3: ['E', 'exclusive'],
};
const PFN_BITS = [12, 51] as const;
const OFFSET_BITS = [14, 58] as const;
const TYPE_BITS = [59, 63] as const;

/** What the letters in the grid mean. */
export const LETTERS: Readonly<Record<string, string>> = {
  ...Object.fromEntries([...Object.values(PRESENT), ...Object.values(SWAP)].filter(([letter]) => letter !== '')),
  RX: 'migration entry of an exclusive page',
  R: 'migration entry, read-only',
  UFFD_WP: 'a page to come is userfaultfd write-protected',
};

function isIn(bit: number, [from, to]: readonly [number, number]): boolean {
  return bit >= from && bit <= to;
}

function setBits(raw: bigint): number[] {
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => ((raw >> BigInt(bit)) & 1n) !== 0n);
}

function single(bit: number, names: Named): Field {
  const [letter, text] = names[bit] ?? ['', 'means nothing here'];
  return { bits: String(bit), letters: letter === '' ? [] : [letter], text };
}

export function rawText(raw: bigint): string {
  return `0x${raw.toString(16).padStart(16, '0')}`;
}

type Told = Omit<Field, 'bits'>;

/** Offset and type of an entry that is not present. */
function nonPresent({ kind, bits, frame, slot }: Leaf): [offset: Told, type: Told] {
  const plain = (text: string): Told => ({ letters: [], text });
  if (kind === 'swap') return [plain(`swap slot ${slot}, inverted`), plain('type: swap device')];
  const marks = bits.includes('GUARD') ? 'guard' : 'uffd-wp';
  if (kind !== 'migration') return [plain(`${marks}, inverted`), plain('type: marker')];
  const those = (letters: readonly string[]) => bits.filter((letter) => letters.includes(letter));
  return [
    { letters: those(['A', 'D']), text: `page frame ${frame}, accessed and dirty, inverted` },
    { letters: those(['R', 'RX', 'W']), text: 'type: migration' },
  ];
}

/** Every set bit of the entry, lowest first: none is left out. */
export function fieldsOf(leaf: Leaf): Field[] {
  const { kind, raw, frame } = leaf;
  const bits = setBits(raw);
  if (kind === 'none') return bits.map((bit) => single(bit, {}));
  if (kind === 'present') {
    const flags = bits.filter((bit) => !isIn(bit, PFN_BITS));
    const named = flags.map((bit) => single(bit, PRESENT));
    const low = flags.filter((bit) => bit < PFN_BITS[0]).length;
    return named.toSpliced(low, 0, { bits: PFN_BITS.join('..'), letters: [], text: `page frame ${frame}` });
  }
  const flags = bits.filter((bit) => !isIn(bit, OFFSET_BITS) && !isIn(bit, TYPE_BITS));
  const [offset, type] = nonPresent(leaf);
  return [
    ...flags.map((bit) => single(bit, kind === 'marker' ? {} : SWAP)),
    { bits: OFFSET_BITS.join('..'), ...offset },
    { bits: TYPE_BITS.join('..'), ...type },
  ];
}
