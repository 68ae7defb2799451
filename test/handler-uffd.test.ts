// The tables as shipped: which constructor and which uffd transition keeps uffd-wp in which kernel; and who wakes the sleepers.
import { type Row, releases, rows } from './rows.js';
import {
  AE,
  ALL,
  BEFORE_AE,
  before,
  beforeFix,
  HUGE_ZERO,
  keepsDirty,
  MARKER,
  OUT,
  THP,
  THP_WPED,
  WPED,
  WPED_OUT,
} from './states.js';

const transition = (when: string, first: string, marker: Pick<Row, 'on' | 'leaf'>): Row[] => {
  const kept = before(first);
  const cleared = releases(first);
  return [
    { row: `${when}: U stays before ${first}`, on: kept, given: WPED, when, leaf: { A0: 'P D A U SD' } },
    {
      row: `${when}: U in a swap entry stays before ${first}`,
      on: kept.filter((kernel) => BEFORE_AE.includes(kernel)),
      given: WPED_OUT,
      when,
      leaf: { A0: 'swap U SD' },
    },
    {
      row: `${when}: U in a swap entry stays before ${first} (exclusive)`,
      on: kept.filter((kernel) => AE.includes(kernel)),
      given: WPED_OUT,
      when,
      leaf: { A0: 'swap U SD E' },
    },
    {
      row: `${when}: U in a swap entry goes from ${first}`,
      on: cleared,
      given: WPED_OUT,
      when,
      leaf: { A0: 'swap SD E' },
    },
    {
      row: `${when}: no leaf keeps U from ${first}, and a store needs no event`,
      on: cleared,
      given: `${WPED}; ${when}`,
      when: 'write A p0',
      leaf: { A0: 'P W D A SD' },
      counts: { events: 0 },
    },
    { row: `${when}: a marker, ${marker.on.join(', ')}`, ...marker, given: MARKER, when },
  ];
};
rows('transitions as shipped', [
  ...transition('uffd_unreg A p0', 'v6.1', { on: releases('v6.7'), leaf: { A0: 'none' } }),
  ...transition('uffd_close A', 'v6.12', { on: releases('v6.12'), leaf: { A0: 'none' } }),
  {
    row: 'uffd_close before v6.12: the marker stays',
    on: ['v6.7'],
    given: MARKER,
    when: 'uffd_close A',
    leaf: { A0: 'marker UFFD_WP' },
  },
]);

rows('constructors as shipped', [
  { row: 'swapoff loses U and SD before v5.19', on: BEFORE_AE, given: WPED_OUT, when: 'swapoff', leaf: { A0: 'P' } },
  {
    row: 'swapoff keeps U, SD and exclusive',
    on: AE,
    given: WPED_OUT,
    when: 'swapoff',
    leaf: { A0: 'P U SD' },
    page: { A0: 'excl refs:1 map:1 uncached v:2' },
  },
  { row: 'swapoff does not make W', on: AE, given: OUT, when: 'swapoff', leaf: { A0: 'P SD' } },
  { row: 'split: U and SD', on: before('v6.7'), given: THP_WPED, when: 'thp_split A p0..p3', leaf: { A0: 'P A U SD' } },
  {
    row: 'split: U, SD and D',
    on: keepsDirty(releases('v6.7')),
    given: THP_WPED,
    when: 'thp_split A p0..p3',
    leaf: { A0: 'P D A U SD' },
  },
  {
    row: 'split without SD: none appears while D stays behind',
    on: before('v6.7'),
    given: `${THP}; clear_refs A`,
    when: 'thp_split A p0..p3',
    leaf: { A0: 'P A' },
  },
  {
    row: 'split without SD: carrying D makes SD',
    on: releases('v6.7', 'v7.2'),
    given: `${THP}; clear_refs A`,
    when: 'thp_split A p0..p3',
    leaf: { A0: 'P D A SD' },
  },
  {
    row: 'repaired: split without SD makes none',
    on: ['repaired'],
    given: `${THP}; clear_refs A`,
    when: 'thp_split A p0..p3',
    leaf: { A0: 'P D A' },
  },
  {
    row: 'split without D: SD is carried by itself',
    on: keepsDirty(ALL),
    given: THP_WPED,
    strip: 'A0 D',
    when: 'thp_split A p0..p3',
    leaf: { A0: 'P A U SD', A3: 'P A U SD' },
  },
  {
    row: 'split of the huge zero page loses U before v6.1',
    on: beforeFix('v6.1'),
    given: `${HUGE_ZERO}; uffd_reg A p0..p3; wp A p0..p3`,
    when: 'thp_split A p0..p3',
    leaf: { A0: 'P A Z' },
  },
  {
    row: 'split of the huge zero page keeps U',
    on: releases('v6.1'),
    given: `${HUGE_ZERO}; uffd_reg A p0..p3; wp A p0..p3`,
    when: 'thp_split A p0..p3',
    leaf: { A0: 'P A U Z' },
  },
]);

const ASLEEP = `${WPED}; write A.1 p0`;
rows('sleepers', [
  {
    row: 'unwp wakes: the store goes on',
    on: ALL,
    given: ASLEEP,
    when: 'unwp A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'same v:5' },
  },
  {
    row: 'wake alone: the store runs into the protection again',
    on: ALL,
    given: ASLEEP,
    when: 'wake A p0',
    leaf: { A0: 'P D A U SD' },
    page: { A0: 'same v:2' },
    counts: { events: 1 },
  },
  {
    row: 'close wakes: nobody protects any more',
    on: ALL,
    given: ASLEEP,
    when: 'uffd_close A',
    page: { A0: 'same v:5' },
    counts: { events: 0 },
  },
  {
    row: 'unregister does not wake',
    on: before('repaired'),
    given: ASLEEP,
    when: 'uffd_unreg A p0',
    page: { A0: 'same v:2' },
  },
  {
    row: 'repaired: unregister wakes',
    on: ['repaired'],
    given: ASLEEP,
    when: 'uffd_unreg A p0',
    page: { A0: 'same v:5' },
  },
  {
    row: 'unwp elsewhere does not wake',
    on: ALL,
    given: `mmap A p1; write A p1; uffd_reg A p1; ${ASLEEP}`,
    when: 'unwp A p1',
    page: { A0: 'same v:5' },
  },
  {
    row: 'a sleeper holds no reference, and others may read',
    on: ALL,
    given: ASLEEP,
    when: 'read A.2 p0',
    leaf: { A0: 'P D A U SD' },
    page: { A0: 'same refs:1 map:1 v:2' },
    counts: { events: 0 },
  },
]);
