// Where the bits of present, swap and marker entries stand: the x86-64 layout, read from the raw words.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { check, engine, leafAt, world } from './rows.js';
import { FRESH, MARKER, OUT, THP, WPED, WPED_OUT, ZERO } from './states.js';

/** Raw entry of A's page 0 after a program. */
function raw(kernel: string, given: string): bigint {
  assert.deepEqual(check({ row: '', on: [], given, when: 'read C p0', result: 'not applicable' }, kernel), []);
  return leafAt(world(), 'A0').raw;
}
const bit = (n: number) => 1n << BigInt(n);

describe('bits of an entry', () => {
  it('present: P 0, W 1, user 2, A 5, D 6, uffd-wp 10, soft-dirty 11, NX 63; PFN from 12', () => {
    const entry = raw('repaired', FRESH);
    const frame = BigInt(leafAt(world(), 'A0').frame!);
    assert.equal(entry, bit(0) | bit(1) | bit(2) | bit(5) | bit(6) | bit(11) | bit(63) | (frame << 12n));
    assert.equal(raw('repaired', WPED) ^ entry, bit(1) | bit(10));
    assert.equal(raw('repaired', `${FRESH}; clear_refs A`) ^ entry, bit(1) | bit(11));
  });

  it('protnone: bit 8 with P and user clear; special 9; a huge leaf 7', () => {
    const entry = raw('v5.7', FRESH);
    assert.equal(raw('v5.7', `${FRESH}; numa_hint A p0`) ^ entry, bit(0) | bit(2) | bit(8));
    assert.equal(raw('v5.7', ZERO) & 0xfffn, bit(0) | bit(2) | bit(5) | bit(9));
    assert.equal(raw('v5.7', THP) & 0xfffn, (entry & 0xfffn) | bit(7));
  });

  it('swap: soft-dirty 1, uffd-wp 2, exclusive 3, offset inverted from 14, type from 59', () => {
    const entry = raw('repaired', OUT);
    assert.equal(entry & 0x3fffn, bit(1) | bit(3));
    assert.equal(entry >> 59n, 1n);
    const slot = BigInt(leafAt(world(), 'A0').slot!);
    assert.equal(((entry >> 14n) & (bit(45) - 1n)) ^ (bit(45) - 1n), slot);
    assert.equal(raw('repaired', WPED_OUT) ^ entry, bit(2));
    assert.equal(raw('v5.7', OUT) ^ entry, bit(3));
    assert.equal(raw('repaired', `${FRESH}; clear_refs A; pageout A p0`) ^ entry, bit(1));
  });

  it('so the wrong decoder reads another field: uffd-wp of a swap entry is "user", its soft-dirty is "write"', () => {
    const { bits } = { bits: (name: string) => engine.catalogue.bits(name) };
    assert.equal(bits('_PAGE_SWP_SOFT_DIRTY'), bits('_PAGE_RW'));
    assert.equal(raw('repaired', WPED_OUT) & bits('_PAGE_UFFD_WP'), 0n);
    assert.equal(raw('repaired', WPED) & bits('_PAGE_SWP_EXCLUSIVE'), 0n);
  });

  it('a marker is a swap entry of type 31, kind 1', () => {
    const entry = raw('repaired', MARKER);
    assert.equal(entry >> 59n, 31n);
    assert.equal(((entry >> 14n) & (bit(45) - 1n)) ^ (bit(45) - 1n), 1n);
    assert.equal(entry & 0x3fffn, 0n);
  });
});
