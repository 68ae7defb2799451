// What the page draws: arrows, raw entries, sections of two operations at once, bars.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { place } from '../src/page/arrows.js';
import { callsOf } from '../src/page/calls.js';
import { fieldsOf } from '../src/page/entry.js';
import { machineAt } from '../src/page/machine.js';
import { outlookFor } from '../src/page/outlook.js';
import { mailText, startSession } from '../src/page/session.js';
import { gallery } from '../src/page-build/html.js';
import { MARKER } from './states.js';

const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
const engine = loadEngine();
const kernel = (name: string) => ({ kernel: name, with: [], without: [] });

describe('arrows', () => {
  const session = startSession(engine, WRONG_SIDE, kernel('v5.7'));
  const told = (step: number, of = session) =>
    machineAt(of, step).arrows.map(({ from, to, change }) => `${change}: ${from} > ${to}`);

  it('lead from entries and handles to frames, and tell what the step changed', () => {
    assert.deepEqual(told(1), []);
    assert.deepEqual(told(2), ['new: entry A 0 > frame 0']);
    assert.deepEqual(told(3), ['same: entry A 0 > frame 0', 'new: entry B 0 > frame 0']);
    assert.deepEqual(told(4).at(-1), 'new: handle 0 > frame 0');
    assert.deepEqual(told(5), ['gone: entry B 0 > frame 0', 'same: entry A 0 > frame 0', 'same: handle 0 > frame 0']);
    const wrong = (step: number) => machineAt(session, step).arrows.filter(({ offending }) => offending);
    assert.deepEqual(
      wrong(7).map(({ from, writes }) => [from, writes]),
      [
        ['entry A 0', true],
        ['handle 0', false],
      ],
    );
    assert.deepEqual(wrong(6), []);
  });

  it('lead from swap entries to slots', () => {
    const swapped = startSession(engine, 'mmap A p0; write A p0; pageout A p0; fork A->B', kernel('v6.18'));
    assert.deepEqual(told(3, swapped), ['gone: entry A 0 > frame 0', 'new: entry A 0 > slot 0']);
    assert.deepEqual(told(4, swapped), ['same: entry A 0 > slot 0', 'new: entry B 0 > slot 0']);
    const [slot] = machineAt(swapped, 4).swap;
    assert.equal(slot?.id, 0);
  });

  it('lead from a huge page to its pages when it is split, and every one ends at something that is shown', () => {
    const huge = startSession(engine, 'mmap A thp; write A p0; fork A->B; thp_split A p0', kernel('v6.18'));
    const [head] = machineAt(huge, 2).frames;
    assert.equal(head!.head, head!.frame);
    assert.deepEqual(told(2, huge), [`new: entry A 0 > huge ${head!.frame}`]);
    for (const { program, spec } of gallery()) {
      const classic = startSession(engine, program, spec);
      for (let step = 0; step <= classic.steps.length; step++) {
        const { arrows, frames, swap, handles, mms } = machineAt(classic, step);
        const places = new Set([
          ...frames.flatMap(({ frame, head: first }) => [
            place.frame(frame),
            ...(first === undefined ? [] : [place.huge(first)]),
          ]),
          ...swap.map(({ id }) => place.slot(id!)),
          ...handles.map(({ id }) => place.handle(id!)),
          ...mms.flatMap(({ name, blocks }) => blocks.map(({ page }) => place.entry(name, page))),
        ]);
        for (const { from, to } of arrows)
          assert.ok(places.has(from) && places.has(to), `${program}, ${step}: ${from} > ${to}`);
      }
    }
  });
});

describe('a raw entry', () => {
  it('has a name for every set bit, and no other', () => {
    const width = (text: string) => {
      const [from, to] = text.split('..').map(Number);
      return ((1n << BigInt((to ?? from!) - from! + 1)) - 1n) << BigInt(from!);
    };
    const kinds = new Set<string>();
    const marker = { program: MARKER, spec: kernel('repaired') };
    for (const { program, spec } of [...gallery(), marker]) {
      for (const { mms } of startSession(engine, program, spec).worlds) {
        for (const leaf of mms.flatMap(({ leaves }) => leaves)) {
          kinds.add(`${leaf.level} ${leaf.kind}`);
          const fields = fieldsOf(leaf);
          const covered = fields.reduce((mask, { bits }) => mask | width(bits), 0n);
          assert.equal(leaf.raw & ~covered, 0n, `${leaf.raw.toString(16)}: ${JSON.stringify(fields)}`);
          for (const { bits } of fields.filter((field) => !field.bits.includes('.')))
            assert.notEqual(leaf.raw & width(bits), 0n, bits);
          if (leaf.kind !== 'none' && leaf.kind !== 'marker')
            assert.deepEqual(fields.flatMap(({ letters }) => letters).toSorted(), leaf.bits.toSorted());
          assert.ok(leaf.kind === 'none' || fields.every(({ text }) => text !== 'means nothing here'));
        }
      }
    }
    for (const kind of ['PTE present', 'PMD present', 'PTE swap', 'PTE marker']) assert.ok(kinds.has(kind), kind);
  });

  it('says so of a bit without a meaning', () => {
    const leaf = { level: 'PTE', kind: 'swap', bits: [], slot: 0, raw: (1n << 59n) | (1n << 10n) } as const;
    assert.deepEqual(fieldsOf(leaf)[0], { bits: '10', letters: [], text: 'means nothing here' });
  });
});

describe('two operations at once', () => {
  const race = 'mmap A p0; write A p0; fork A->B; [write A.1 p0 || write A.2 p0]@1212';
  const gist = (program: string, step: number) =>
    startSession(engine, program, kernel('v5.7')).sections[step - 1]!.map(({ op, waited, calls }) =>
      [op, waited ? 'other waits' : '', calls.at(-1)?.decisions.at(-1)?.text ?? '-'].join(' '),
    );

  it('tell who ran each section, in the order of the schedule', () => {
    assert.deepEqual(gist(race, 4), [
      '1  page-table lock dropped to copy (Y2)',
      '2  page-table lock dropped to copy (Y2)',
      '1  install a writable copy',
      '2  pte_same false: drop the copy',
    ]);
    assert.deepEqual(gist(race.replace('@1212', '@1221'), 4).slice(2), [
      '2  install a writable copy',
      '1  pte_same false: drop the copy',
    ]);
    assert.deepEqual(gist(race, 3), []);
    assert.deepEqual(gist(race.replace('write A.2 p0', 'fork A->C'), 4), [
      '1  page-table lock dropped to copy (Y2)',
      '1 other waits install a writable copy',
      '2  share the page, write-protect both',
    ]);
  });

  it('stand apart in the tree of calls, and in the text', () => {
    const session = startSession(engine, race, kernel('v5.7'));
    const calls = callsOf(session.run.steps[3]!.trace, engine.catalogue);
    assert.deepEqual(
      calls.map(({ op, function: name }) => `${op} ${name}`),
      ['1 do_wp_page', '1 wp_page_copy', '2 do_wp_page', '2 wp_page_copy', '1 wp_page_copy', '2 wp_page_copy'],
    );
    assert.match(
      mailText(engine, session),
      /\n {6}1: wp_page_copy: install a writable copy\n {6}2: wp_page_copy: pte_same false: drop the copy\n/,
    );
    assert.match(
      mailText(engine, startSession(engine, race.replace('write A.2 p0', 'fork A->C'), kernel('v5.7'))),
      /\n {6}1: \(2 waits for mmap_lock\)\n {6}1: wp_page_copy: install/,
    );
  });
});

describe('what the report knows of a finding', () => {
  const outlook = { why: 'its scope is large' };
  const session = startSession(engine, WRONG_SIDE, kernel('v5.7'));
  const finding = { name: '', program: session.program, spec: kernel('v5.7'), note: '', outlook };
  const boot = { title: '', findings: [finding], gallery: [] };

  it('holds for its program on its kernel alone', () => {
    assert.equal(outlookFor(boot, session), outlook);
    const edited = outlookFor(boot, startSession(engine, WRONG_SIDE, kernel('v5.8')));
    assert.ok(edited && 'why' in edited && /after edits/.test(edited.why));
    assert.equal(outlookFor({ ...boot, findings: [{ ...finding, outlook: undefined }] as never }, session), undefined);
  });
});
