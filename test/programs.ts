// Programs for properties: valid words with a bias towards programs in which something happens.
import fc from 'fast-check';
import { type OpInfo, wordError } from '../src/engine/optable.js';
import { encodeOp, MAX_OPS, NO_FIELDS, PAGE_NAMES, TARGET_MASK } from '../src/engine/opword.js';

/** Any valid word, with rubbish in the fields that its op does not use. */
export function anyWord(ops: readonly OpInfo[]): fc.Arbitrary<number> {
  const bits = fc.array(fc.nat(8), { maxLength: 4 });
  return (
    fc
      .record({
        code: fc.nat(ops.length - 1),
        mm: fc.nat(3),
        page: fc.nat(10),
        y: fc.nat(3),
        cpu: fc.nat(1),
        flags: bits.map((set) => set.reduce((flags, bit) => flags | (1 << bit), 0)),
        pair: fc.boolean(),
        schedule: fc.nat(63),
      })
      // Most random flags are none of the op's.
      .map((fields) => {
        const { groups, takesTarget } = ops[fields.code]!;
        const mask = groups.reduce((all, group) => all | group.mask, takesTarget ? TARGET_MASK : 0);
        return encodeOp({ ...fields, flags: fields.flags & mask });
      })
      .filter((candidate) => wordError(ops, candidate) === undefined)
  );
}

export function anyProgram(ops: readonly OpInfo[]): fc.Arbitrary<Uint32Array> {
  return fc.array(anyWord(ops), { minLength: 1, maxLength: MAX_OPS }).map((words) => Uint32Array.from(words));
}

/** Everything is mapped in A first, and most ops meet on p0 of A and B. */
export function busyProgram(ops: readonly OpInfo[]): fc.Arbitrary<Uint32Array> {
  const code = (name: string) => ops.findIndex((op) => op.name === name);
  const mmap = (flags: number) =>
    encodeOp({ ...NO_FIELDS, code: code('mmap'), page: PAGE_NAMES.indexOf('p0..p7'), flags });
  const narrow = anyWord(ops).map((word) => {
    const close = (word & ~((3 << 6) | (15 << 8) | (3 << 12))) | (((word >> 6) & 1) << 6) | (((word >> 12) & 1) << 12);
    return wordError(ops, close) === undefined ? close >>> 0 : word;
  });
  return fc
    .tuple(
      fc.nat(1),
      fc.array(fc.oneof({ weight: 4, arbitrary: narrow }, anyWord(ops)), { minLength: 8, maxLength: 40 }),
    )
    .map(([thp, words]) => Uint32Array.of(mmap(thp), ...words));
}
