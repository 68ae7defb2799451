// KSM in every era: what merges, what is left of an entry, who may reuse the page, and how it comes apart again.
import { releases, rows } from './rows.js';
import { AE, ALL, BEFORE_AE } from './states.js';

/** Two pages of equal contents that KSM may merge: the second becomes the KSM page. */
const EQUAL = 'mmap A p0..p3; write A p0 same; write A p1 same; mergeable A p0..p3';
const MERGED = `${EQUAL}; ksm_merge`;
/** Only one mapping of the KSM page is left. */
const ALONE = `${MERGED}; munmap A p1`;
const DRAFT = ['reuse-draft-1'];
const TAKES_OUT = ALL.filter((kernel) => !releases('v5.9').includes(kernel) && !['pin-bc', ...DRAFT].includes(kernel));
const NEVER_REUSES = ALL.filter((kernel) => ![...TAKES_OUT, ...DRAFT].includes(kernel));
const DROPS = ALL.filter((kernel) => kernel !== 'repaired');

rows('ksmd', [
  {
    row: 'equal pages become one, read-only and clean; the replaced entry is built from the protection alone',
    on: DROPS,
    given: EQUAL,
    when: 'ksm_merge',
    leaf: { A0: 'P A', A1: 'P A SD' },
    page: { A0: 'is:A1 refs:2 map:2 shared', A1: 'same' },
  },
  { row: 'repaired: soft-dirty stays', on: ['repaired'], given: EQUAL, when: 'ksm_merge', leaf: { A0: 'P A SD' } },
  {
    row: 'uffd-wp of the KSM page itself stays',
    on: DROPS,
    given: `${EQUAL}; uffd_reg A p0..p3; wp A p0..p3`,
    when: 'ksm_merge',
    leaf: { A0: 'P A', A1: 'P A U SD' },
  },
  {
    row: 'not without MADV_MERGEABLE on both',
    on: ALL,
    given: 'mmap A p0..p3; write A p0 same; write A p1 same; mergeable A p0',
    when: 'ksm_merge',
    page: { A0: 'same not:A1' },
  },
  {
    row: 'not what differs',
    on: ALL,
    given: 'mmap A p0..p3; write A p0; write A p1; mergeable A p0..p3',
    when: 'ksm_merge',
    page: { A0: 'same not:A1' },
  },
  {
    row: 'a third page joins the KSM page',
    on: ALL,
    given: `${MERGED}; write A p2 same`,
    when: 'ksm_merge',
    page: { A2: 'is:A0 refs:3 map:3' },
  },
  {
    row: 'of two processes',
    on: ALL,
    given: 'mmap A p0; write A p0; mergeable A p0; fork A->B; write A p0 same; write B p0 same',
    when: 'ksm_merge',
    page: { A0: 'is:B0 map:2' },
  },
  {
    row: 'a page that fork shares is one already',
    on: ALL,
    given: 'mmap A p0; write A p0 same; mergeable A p0; fork A->B',
    when: 'ksm_merge',
    page: { A0: 'same is:B0 map:2' },
    avoids: ['try_to_merge_with_ksm_page'],
  },
  {
    row: 'a page that is held stays',
    on: ALL,
    given: `${EQUAL}; h=gup A p1 R GET`,
    when: 'ksm_merge',
    page: { A0: 'same not:A1', A1: 'same' },
    handle: 'is:A1',
    passes: ['write_protect_page: somebody holds it'],
  },
  {
    row: 'if it is the other one, the first gets a copy back',
    on: AE,
    given: `${EQUAL}; h=gup A p0 W PIN`,
    when: 'ksm_merge',
    page: { A0: 'same excl', A1: 'copied excl' },
    handle: 'is:A0',
  },
  {
    row: 'pages of a huge page: it is split first',
    on: releases('v5.7', 'v6.7'),
    given: 'mmap A thp; write A p0; mergeable A p0..p3',
    when: 'ksm_merge',
    page: { A1: 'is:A2', A2: 'is:A3 map:3', A0: 'not:A1' },
  },
  {
    row: 'the zero page is none of its business',
    on: ALL,
    given: 'mmap A p0..p3; mergeable A p0..p3; write A p2; read A p0; read A p1',
    when: 'ksm_merge',
    page: { A0: 'zero' },
  },
]);

rows('a store to a KSM page', [
  {
    row: 'copies while others map it',
    on: ALL,
    given: MERGED,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied', A1: 'same refs:1' },
  },
  {
    row: 'until v5.8: the last mapping takes it out of KSM',
    on: TAKES_OUT,
    given: ALONE,
    when: 'write A p0',
    page: { A0: 'same v:7' },
    passes: ['reuse_ksm_page'],
  },
  {
    row: 'not if somebody holds it',
    on: TAKES_OUT.filter((kernel) => kernel === 'v5.7'),
    given: `${ALONE}; h=gup A p0 R GET`,
    when: 'write A p0',
    page: { A0: 'copied' },
  },
  {
    row: 'the draft reuses it, and it stays in the stable tree',
    on: DRAFT,
    given: ALONE,
    when: 'write A p0',
    page: { A0: 'same v:7' },
    avoids: ['reuse_ksm_page'],
  },
  { row: 'since v5.9: copies', on: NEVER_REUSES, given: ALONE, when: 'write A p0', page: { A0: 'copied v:7' } },
  {
    row: 'a pin for reading unshares',
    on: AE,
    given: ALONE,
    when: 'h=gup A p0 R PIN',
    page: { A0: 'copied excl' },
    handle: 'is:A0',
  },
]);

rows('MADV_UNMERGEABLE', [
  {
    row: 'a page each, before v6.2 by a write',
    on: BEFORE_AE,
    given: MERGED,
    when: 'unmergeable A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied', A1: 'same refs:1' },
  },
  {
    row: 'v6.2: by an unshare fault',
    on: releases('v6.7', 'v7.2'),
    given: MERGED,
    when: 'unmergeable A p0',
    leaf: { A0: 'P A' },
    page: { A0: 'copied excl' },
  },
  {
    row: 'before v6.2 a page with uffd-wp stays merged',
    on: releases('v5.9', 'v6.1'),
    given: `${EQUAL}; uffd_reg A p1; wp A p1; ksm_merge`,
    when: 'unmergeable A p1',
    leaf: { A1: 'P A U SD' },
    page: { A1: 'same is:A0' },
  },
  {
    row: 'v6.2: it gets a copy, and keeps it',
    on: releases('v6.7'),
    given: `${EQUAL}; uffd_reg A p1; wp A p1; ksm_merge`,
    when: 'unmergeable A p1',
    leaf: { A1: 'P A U SD' },
    page: { A1: 'copied excl' },
  },
  {
    row: 'and is not merged again',
    on: ALL,
    given: `${MERGED}; unmergeable A p0..p3`,
    when: 'ksm_merge',
    page: { A0: 'same not:A1' },
  },
]);

rows('KSM pages elsewhere', [
  {
    row: 'migrate, and stay what they are',
    on: NEVER_REUSES,
    given: `${ALONE}; migrate A p0`,
    when: 'write A p0',
    page: { A0: 'copied' },
  },
  {
    row: 'NUMA hints leave them alone',
    on: ALL,
    given: ALONE,
    when: 'numa_hint A p0',
    page: { A0: 'same' },
    avoids: ['change_pte_range: change a present'],
  },
  { row: 'so does reclaim, here', on: ALL, given: MERGED, when: 'pageout A p0', page: { A0: 'same map:2' } },
]);
