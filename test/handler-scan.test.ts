// PAGEMAP_SCAN: what it protects again, and what it tells as written is protected or not.
import { releases, rows } from './rows.js';
import { ALL, before, FRESH, keepsDirty, THP } from './states.js';

const ASYNC = `${FRESH}; uffd_reg A p0 WP_ASYNC`;
const SCANS = releases('v6.7');

rows('pagemap_scan', [
  { row: 'does not exist before v6.7', on: before('v6.7'), given: FRESH, when: 'pagemap_scan A p0', result: 'refused' },
  { row: 'without WP changes nothing', on: SCANS, given: ASYNC, when: 'pagemap_scan A p0', leaf: { A0: 'P W D A SD' } },
  { row: 'WP: protects', on: SCANS, given: ASYNC, when: 'pagemap_scan A p0 WP', leaf: { A0: 'P D A U SD' } },
  {
    row: 'WP: a swap entry',
    on: SCANS,
    given: `${ASYNC}; pageout A p0`,
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'swap U SD E' },
  },
  {
    row: 'WP: a page that is made accessible only by a fault stays so',
    on: SCANS,
    given: `${ASYNC}; numa_hint A p0`,
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'N D A U SD' },
  },
  {
    row: 'WP: not where nobody registered',
    on: SCANS,
    given: FRESH,
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'P W D A SD' },
  },
  {
    row: 'WP: not where events are wanted',
    on: SCANS,
    given: `${FRESH}; uffd_reg A p0 WP`,
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'P W D A SD' },
  },
  {
    row: 'WP: a guard, as any swap entry',
    on: releases('v6.18'),
    given: `${ASYNC}; guard_install A p0`,
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'marker GUARD U' },
  },
  {
    row: '.. which stays under another guard',
    on: releases('v6.18'),
    given: `${ASYNC}; guard_install A p0; pagemap_scan A p0 WP`,
    when: 'guard_install A p0',
    leaf: { A0: 'marker GUARD U' },
  },
  {
    row: '.. which stays when the registration goes',
    on: releases('v6.18'),
    given: `${ASYNC}; guard_install A p0; pagemap_scan A p0 WP`,
    when: 'uffd_unreg A p0',
    leaf: { A0: 'marker GUARD U' },
  },
  {
    row: '.. not when it moves out of it',
    on: releases('v6.18'),
    given: `${ASYNC}; guard_install A p0; pagemap_scan A p0 WP`,
    when: 'mremap A p0->p1',
    leaf: { A1: 'marker GUARD' },
  },
  {
    row: '.. and a child does not get it',
    on: releases('v6.18'),
    given: `${ASYNC}; guard_install A p0; pagemap_scan A p0 WP`,
    when: 'fork A->B',
    leaf: { A0: 'marker GUARD U', B0: 'marker GUARD' },
  },
  {
    row: 'WP before v6.7 was one: everywhere',
    on: SCANS.map((kernel) => `${kernel} -scan.require_async_vma`),
    given: FRESH,
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'P D A U SD' },
  },
  {
    row: 'WP: a marker where nothing is, by the short path',
    on: SCANS,
    given: 'mmap A p0..p3; write A p0; uffd_reg A p0..p3 WP_ASYNC',
    when: 'pagemap_scan A p0..p3 WP',
    leaf: { A1: 'marker UFFD_WP' },
  },
  {
    row: 'WP FULL: no marker before July 2026',
    on: releases('v6.7', 'v6.18'),
    given: 'mmap A p0..p3; write A p0; uffd_reg A p0..p3 WP_ASYNC',
    when: 'pagemap_scan A p0..p3 WP FULL',
    leaf: { A0: 'P D A U SD', A1: 'none' },
  },
  {
    row: 'WP FULL: a marker',
    on: releases('v7.2'),
    given: 'mmap A p0..p3; write A p0; uffd_reg A p0..p3 WP_ASYNC',
    when: 'pagemap_scan A p0..p3 WP FULL',
    leaf: { A1: 'marker UFFD_WP' },
  },
  {
    row: 'WP: no page table, nothing protected before July 2026',
    on: releases('v6.7', 'v6.18'),
    given: 'mmap A p0; uffd_reg A p0 WP_ASYNC',
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'none' },
  },
  {
    row: 'WP: no page table, a marker',
    on: releases('v7.2'),
    given: 'mmap A p0; uffd_reg A p0 WP_ASYNC',
    when: 'pagemap_scan A p0 WP',
    leaf: { A0: 'marker UFFD_WP' },
  },
  {
    row: 'WP: a huge page as a whole',
    on: keepsDirty(SCANS),
    given: `${THP}; uffd_reg A p0..p3 WP_ASYNC`,
    when: 'pagemap_scan A p0..p3 WP',
    leaf: { A0: 'PMD P D A U SD' },
  },
  {
    row: 'WP: part of a huge page splits it',
    on: keepsDirty(SCANS),
    given: `${THP}; uffd_reg A p0..p3 WP_ASYNC`,
    when: 'pagemap_scan A p1 WP',
    leaf: { A0: 'P W D A SD', A1: 'P D A U SD' },
  },
  {
    row: 'a store after it is not an event',
    on: SCANS,
    given: `${ASYNC}; pagemap_scan A p0 WP`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    counts: { events: 0 },
  },
]);
rows('pagemap_scan of what is not anonymous', [
  {
    row: 'passes the DAX file over',
    on: SCANS,
    given: 'mmap A dax; read A p0',
    when: 'pagemap_scan A p0..p7 WP',
    leaf: { A0: 'PUD P A Z' },
  },
  { row: 'needs something mapped', on: ALL, given: FRESH, when: 'pagemap_scan A p4', result: 'not applicable' },
]);
