// Guard regions, and populating, in every era that has them: the marker goes by unmapping or removal, never otherwise.
import { releases, rows } from './rows.js';
import { ALL, before, FRESH, MARKER, OUT, SHARED, THP, THP_SHARED, WPED, ZERO } from './states.js';

const GUARDS = releases('v6.18');
const POPULATES = releases('v5.14');
const GUARDED = `${FRESH}; guard_install A p0`;
const MARKED = { A0: 'marker GUARD' };

rows('MADV_GUARD_INSTALL', [
  { row: 'is refused before v6.13', on: before('v6.18'), given: FRESH, when: 'guard_install A p0', result: 'refused' },
  { row: 'marks what has no entry', on: GUARDS, given: 'mmap A p0', when: 'guard_install A p0', leaf: MARKED },
  { row: 'drops a page', on: GUARDS, given: FRESH, when: 'guard_install A p0', leaf: MARKED },
  { row: 'drops a swap entry', on: GUARDS, given: OUT, when: 'guard_install A p0', leaf: MARKED },
  { row: 'drops a uffd-wp marker', on: GUARDS, given: MARKER, when: 'guard_install A p0', leaf: MARKED },
  {
    row: 'in a huge page: splits its PMD, drops its part',
    on: GUARDS,
    given: THP,
    when: 'guard_install A p1',
    leaf: { A1: 'marker GUARD' },
    page: { A0: 'same' },
    counts: { splits: 1 },
  },
  {
    row: 'beside another one: that stays',
    on: GUARDS,
    given: `${THP}; guard_install A p1`,
    when: 'guard_install A p0..p3',
    leaf: { A0: 'marker GUARD', A1: 'marker GUARD', A3: 'marker GUARD' },
  },
]);

rows('a guard region', [
  { row: 'no load', on: GUARDS, given: GUARDED, when: 'read A p0', result: 'fault', leaf: MARKED },
  { row: 'no store', on: GUARDS, given: GUARDED, when: 'write A p0', result: 'fault', leaf: MARKED },
  { row: 'no GUP', on: GUARDS, given: GUARDED, when: 'h=gup A p0 R PIN', result: 'fault', leaf: MARKED },
  {
    row: 'no GUP-fast',
    on: GUARDS,
    given: GUARDED,
    when: 'h=gup A p0 R GET fast-only',
    result: 'refused',
    leaf: MARKED,
  },
  { row: 'no populating', on: GUARDS, given: GUARDED, when: 'populate A p0 W', result: 'fault', leaf: MARKED },
  { row: 'MADV_DONTNEED leaves it', on: GUARDS, given: GUARDED, when: 'dontneed A p0', leaf: MARKED },
  {
    row: '.. with its page table',
    on: GUARDS,
    given: `${THP}; guard_install A p1`,
    when: 'dontneed A p0..p3',
    leaf: { A0: 'none', A1: 'marker GUARD' },
  },
  { row: 'MADV_FREE leaves it', on: GUARDS, given: GUARDED, when: 'madv_free A p0', leaf: MARKED },
  { row: 'reclaim leaves it', on: GUARDS, given: GUARDED, when: 'pageout A p0', leaf: MARKED },
  { row: 'swapoff leaves it', on: GUARDS, given: GUARDED, when: 'swapoff', leaf: MARKED },
  { row: 'mprotect leaves it', on: GUARDS, given: GUARDED, when: 'mprotect A p0 R', leaf: MARKED },
  { row: 'NUMA hints leave it', on: GUARDS, given: GUARDED, when: 'numa_hint A p0', leaf: MARKED },
  { row: 'clear_refs leaves it', on: GUARDS, given: GUARDED, when: 'clear_refs A', leaf: MARKED },
  {
    row: 'uffd-wp leaves it',
    on: GUARDS,
    given: `${GUARDED}; uffd_reg A p0 WP_UNPOPULATED`,
    when: 'wp A p0',
    leaf: MARKED,
  },
  { row: '.. also as it goes', on: GUARDS, given: `${GUARDED}; uffd_reg A p0`, when: 'unwp A p0', leaf: MARKED },
  {
    row: '.. with the registration',
    on: GUARDS,
    given: `${GUARDED}; uffd_reg A p0`,
    when: 'uffd_unreg A p0',
    leaf: MARKED,
  },
  {
    row: 'fork copies it, also where no page was written',
    on: GUARDS,
    given: 'mmap A p0; guard_install A p0',
    when: 'fork A->B',
    leaf: { A0: 'marker GUARD', B0: 'marker GUARD' },
  },
  { row: 'removal takes it away', on: GUARDS, given: GUARDED, when: 'guard_remove A p0', leaf: { A0: 'none' } },
  { row: 'unmapping too', on: GUARDS, given: `${GUARDED}; munmap A p0`, when: 'mmap A p0', leaf: { A0: 'none' } },
  {
    row: 'removal leaves everything else',
    on: GUARDS,
    given: WPED,
    when: 'guard_remove A p0',
    leaf: { A0: 'P D A U SD' },
  },
]);

rows('MADV_POPULATE', [
  { row: 'is refused before v5.14', on: before('v5.14'), given: FRESH, when: 'populate A p0 R', result: 'refused' },
  { row: 'read: the zero page', on: POPULATES, given: 'mmap A p0', when: 'populate A p0 R', page: { A0: 'zero' } },
  { row: 'write: a page', on: POPULATES, given: 'mmap A p0', when: 'populate A p0 W', leaf: { A0: 'P W D A SD' } },
  {
    row: 'write: breaks COW',
    on: POPULATES,
    given: SHARED,
    when: 'populate A p0 W',
    page: { A0: 'copied refs:1 v:2' },
  },
  {
    row: 'read: takes what is there',
    on: POPULATES,
    given: SHARED,
    when: 'populate A p0 R',
    page: { A0: 'same refs:2' },
  },
  { row: 'write: not from the zero page', on: POPULATES, given: ZERO, when: 'populate A p0 W', page: { A0: 'copied' } },
  { row: 'swaps in', on: releases('v5.14', 'v5.18'), given: OUT, when: 'populate A p0 R', page: { A0: 'v:2' } },
  {
    row: 'write: raises an event where it is protected',
    on: POPULATES,
    given: WPED,
    when: 'populate A p0 W',
    result: 'sleeps',
  },
  { row: 'read: none', on: POPULATES, given: WPED, when: 'populate A p0 R', leaf: { A0: 'P D A U SD' } },
  {
    row: 'write: refused where the VMA is read-only',
    on: POPULATES,
    given: `${FRESH}; mprotect A p0 R`,
    when: 'populate A p0 W',
    result: 'refused',
  },
  {
    row: 'write: woken where the VMA has gone, it fails',
    on: POPULATES,
    given: `${WPED}; populate A p0 W; munmap A p0`,
    when: 'uffd_close A',
    ends: { 4: 'fault' },
  },
  {
    row: '.. and is refused where it has become read-only',
    on: POPULATES,
    given: `${WPED}; populate A p0 W; mprotect A p0 R`,
    when: 'uffd_close A',
    ends: { 4: 'refused' },
  },
  { row: 'nothing where nothing is mapped', on: ALL, given: FRESH, when: 'populate A p1 R', result: 'not applicable' },
]);

rows('MADV_COLD', [
  {
    row: 'a part of a huge page that PTEs and others map: it stays',
    on: ['v5.10', 'v6.1', ...releases('v6.12')],
    given: `${THP_SHARED}; write A p0`,
    when: 'madv_cold A p1',
    leaf: { B0: 'PMD P D SD' },
  },
  {
    row: '.. is split by v6.7, which asks its first page',
    on: ['v6.7'],
    given: `${THP_SHARED}; write A p0`,
    when: 'madv_cold A p1',
    leaf: { B0: 'P D SD' },
  },
  { row: 'the entry becomes old', on: ALL, given: FRESH, when: 'madv_cold A p0', leaf: { A0: 'P W D SD' } },
  { row: '.. but not that of a shared page', on: ALL, given: SHARED, when: 'madv_cold A p0', leaf: { A0: 'P D A SD' } },
  {
    row: 'a part of a huge page: the folio is split',
    on: ALL,
    given: THP,
    when: 'madv_cold A p0',
    counts: { splits: 1 },
    page: { A0: 'refs:1 map:1' },
  },
]);
