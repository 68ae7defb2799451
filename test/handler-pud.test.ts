// The huge PUD of a DAX-like mapping: `cow && !pud_write(orig_pud)`.
import { type Row, rows } from './rows.js';
import { ALL, BC_ALL_LEVELS, BC_PTE_ONLY } from './states.js';

const PUD_BREAK: Omit<Row, 'row' | 'on'> = { given: 'mmap A dax; read A p0', strip: 'A0 A', when: 'fault A BREAK_COW' };

rows('the huge PUD of a DAX-like mapping', [
  {
    row: 'read: a huge PUD',
    on: ALL,
    given: 'mmap A dax',
    when: 'read A p5',
    leaf: { A0: 'PUD P A Z' },
    page: { A5: 'dax' },
  },
  {
    row: 'break-COW reaches only "set accessed"',
    on: ['v5.7', 'v5.8', ...BC_PTE_ONLY],
    ...PUD_BREAK,
    leaf: { A0: 'PUD P A Z', A7: 'PUD P A Z' },
    passes: ['__handle_mm_fault: huge PUD'],
    avoids: ['wp_huge_pud'],
  },
  {
    row: 'break-COW reaches wp_huge_pud, which splits; below it is no write',
    on: BC_ALL_LEVELS,
    ...PUD_BREAK,
    leaf: { A0: 'P A Z', A7: 'none' },
    page: { A0: 'dax' },
    passes: ['wp_huge_pud', '__split_huge_pud'],
    avoids: ['__handle_mm_fault: huge PUD'],
  },
  {
    row: 'the PUD hunk alone makes the difference',
    on: ['seed -fault.bc_pud'],
    ...PUD_BREAK,
    leaf: { A0: 'PUD P A Z' },
    avoids: ['wp_huge_pud'],
  },
  {
    row: 'a store splits it and copies one page',
    on: ALL,
    given: 'mmap A dax; read A p0',
    when: 'write A p0',
    leaf: { A0: 'P W D A SD', A1: 'none' },
    page: { A0: 'copied refs:1 map:1' },
    passes: ['wp_huge_pud'],
  },
  {
    row: 'a store first: no huge PUD',
    on: ALL,
    given: 'mmap A dax',
    when: 'write A p0',
    leaf: { A0: 'P W D A SD', A1: 'none' },
    page: { A0: 'refs:1 map:1' },
  },
  {
    row: 'a write GUP splits it',
    on: ALL,
    given: 'mmap A dax; read A p0',
    when: 'h=gup A p0 W GET',
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 refs:2',
  },
  {
    row: 'a read GUP takes the device page',
    on: ALL.filter((kernel) => kernel !== 'v5.8'),
    given: 'mmap A dax; read A p0',
    when: 'h=gup A p0 R GET',
    leaf: { A0: 'PUD P A Z' },
    handle: 'dax',
  },
  {
    row: 'enforced COW by a pretended write splits it',
    on: ['v5.8'],
    given: 'mmap A dax; read A p0',
    when: 'h=gup A p0 R GET',
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 refs:2',
  },
]);
