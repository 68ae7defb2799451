import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import { printFlips } from '../src/findings/cures.js';
import { callsOf, partingDecision } from '../src/page/calls.js';
import { machineAt } from '../src/page/machine.js';
import { analyse, jsonText, mailText, startSession, withFlips } from '../src/page/session.js';
import { fromFragment, parseKnobs, printKnobs, toFragment } from '../src/page/state.js';
import { gallery, pageHtml, playgroundHtml } from '../src/page-build/html.js';
import { CORPUS } from '../src/score/corpus.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
const engine = loadEngine();
const kernel = (name: string) => ({ kernel: name, with: [], without: [] });

describe('the state of the page in its address', () => {
  it('comes back as it went', () => {
    const shown = { program: WRONG_SIDE, spec: { kernel: 'seed', with: ['a.b'], without: ['c', 'd'] }, step: 3 };
    assert.deepEqual(fromFragment(toFragment(shown)), shown);
    const { step: _, ...all } = shown;
    assert.deepEqual(fromFragment(toFragment(all)), all);
    const hostile = { program: '<img src=x onerror=alert(1)>&p=%00#"\'', spec: kernel('&k=v5.8<script>') };
    assert.deepEqual(fromFragment(toFragment(hostile)), hostile);
  });

  it('is nothing where no program is named, and no step where it is no number', () => {
    assert.equal(fromFragment(''), undefined);
    assert.equal(fromFragment('#k=v5.7'), undefined);
    assert.equal(fromFragment('#p=x&s=-1')?.step, undefined);
    assert.equal(fromFragment('#p=x&s=1e9')?.step, undefined);
  });

  it('reads knobs as people type them', () => {
    assert.deepEqual(parseKnobs(' +a -b,c '), { with: ['a', 'c'], without: ['b'] });
    assert.equal(printKnobs({ with: ['a', 'c'], without: ['b'] }), '+a +c -b');
  });
});

describe('a session', () => {
  const session = startSession(engine, WRONG_SIDE, kernel('v5.7'));

  it('has a lane per process and a world per step', () => {
    assert.deepEqual(session.lanes, [0, 1]);
    assert.deepEqual(
      session.items.map(({ lane, child }) => [lane, child]),
      [
        [0, undefined],
        [0, undefined],
        [0, 1],
        [1, undefined],
        [1, undefined],
        [0, undefined],
        [undefined, undefined],
      ],
    );
    assert.equal(session.worlds.length, session.steps.length + 1);
    assert.equal(session.broken?.slug, 'cow-leak');
  });

  it('refuses what does not exist, with what was probably meant', () => {
    assert.throws(() => startSession(engine, 'rite A p0', kernel('v5.7')), /did you mean write/);
    assert.throws(() => startSession(engine, WRONG_SIDE, kernel('v5.77')), /unknown kernel/);
    assert.throws(() => startSession(engine, '', kernel('v5.7')), /expected an operation/);
  });

  it('finds the cure, and the step in which the cured kernel parts', () => {
    const { diagnosis, verdicts, cured, origin } = analyse(engine, session);
    assert.ok(diagnosis && cured);
    assert.deepEqual(verdicts.find(({ kernel: name }) => name === 'v5.7')?.slugs, ['cow-leak']);
    assert.deepEqual(verdicts.find(({ kernel: name }) => name === 'v5.8')?.slugs, []);
    assert.match(origin!, /^v5\.7 or earlier/);
    const parts = session.run.steps.map(({ trace }, i) =>
      partingDecision(callsOf(trace, engine.catalogue), callsOf(cured.run.steps[i]!.trace, engine.catalogue)),
    );
    assert.equal(
      parts.findIndex((at) => at !== undefined),
      5,
      printFlips(cured.flips),
    );
    const healed = startSession(engine, WRONG_SIDE, withFlips(session.spec, cured.flips));
    assert.equal(healed.broken, undefined);
  });

  it('applies a cure to knobs that were chosen by hand', () => {
    const spec = { kernel: 'v5.7', with: ['gup.as_write'], without: ['reuse.page_count'] };
    const flip = (name: string, on: boolean) => ({ knob: engine.catalogue.knob(name), on });
    assert.deepEqual(withFlips(spec, [flip('gup.as_write', false), flip('reuse.page_count', true)]), kernel('v5.7'));
    assert.deepEqual(withFlips(kernel('v5.7'), [flip('reuse.page_count', true)]).with, ['reuse.page_count']);
  });

  it('gives the texts that the command line prints', () => {
    const printed = (...args: string[]) =>
      spawnSync(process.execPath, [BIN, 'replay', '--kernel', 'v5.7', ...args], { encoding: 'utf8' }).stdout;
    assert.equal(`${mailText(engine, session)}\n`, printed(WRONG_SIDE));
    const { id, ...told } = JSON.parse(printed('--json', WRONG_SIDE));
    assert.equal(typeof id, 'string');
    assert.deepEqual(JSON.parse(jsonText(engine, session)), told);
    assert.match(mailText(engine, startSession(engine, WRONG_SIDE, kernel('v5.8'))), /Every promise is kept on v5\.8/);
  });

  it('breaks every classic as the corpus says', () => {
    for (const { name, program, spec } of gallery()) {
      const entry = CORPUS.find(({ id }) => name.startsWith(`${id} `))!;
      if (entry.warning) continue;
      const slug = startSession(engine, program, spec).broken?.slug;
      assert.ok(slug !== undefined && entry.slugs.includes(slug), `${name}: ${slug}`);
    }
  });
});

describe('the machine at a step', () => {
  const session = startSession(engine, WRONG_SIDE, kernel('v5.7'));

  it('marks what the step changed', () => {
    const before = machineAt(session, 0);
    assert.deepEqual(before.frames, []);
    const written = machineAt(session, 2);
    const [entry] = written.mms[0]!.blocks;
    assert.equal(entry?.changed, true);
    assert.match(entry!.text, /^P W D A/);
    assert.equal(written.mms[0]!.blocks[1]!.changed, false);
    assert.deepEqual(
      written.frames.map(({ refs, isNew, holders }) => [refs, isNew, holders]),
      [[{ now: 1, before: 0 }, true, ['A p0']]],
    );
    const taken = machineAt(session, 4);
    assert.deepEqual(taken.frames[0]!.refs, { now: 3, before: 2 });
    assert.deepEqual(
      taken.handles.map(({ text, change }) => [text, change]),
      [['h, of B p0, sees page 0: data of step 2', 'new']],
    );
    assert.deepEqual(taken.frames[0]!.holders, ['A p0', 'B p0', 'h']);
  });

  it('marks the entry through which the handle sees foreign data', () => {
    const last = machineAt(session, 7);
    const marked = last.mms.flatMap(({ blocks }) => blocks.filter(({ offending }) => offending));
    assert.deepEqual(
      marked.map(({ mm, page }) => [mm, page]),
      [['A', 0]],
    );
    assert.ok(machineAt(session, 6).mms.every(({ blocks }) => blocks.every(({ offending }) => !offending)));
  });

  it('shows a huge page as one block', () => {
    const huge = startSession(engine, 'mmap A thp; write A p0', kernel('v5.14'));
    const blocks = machineAt(huge, 2).mms[0]!.blocks;
    assert.deepEqual(
      blocks.map(({ page, span }) => [page, span]),
      [
        [0, 4],
        [4, 1],
        [5, 1],
        [6, 1],
        [7, 1],
      ],
    );
    assert.equal(blocks[0]!.frames.length, 4);
    const dax = startSession(engine, 'mmap A dax; read A p0', kernel('v6.18'));
    assert.deepEqual(
      machineAt(dax, 2).mms[0]!.blocks.map(({ leaf, span }) => [leaf.level, span]),
      [['PUD', 8]],
    );
  });

  it('tells swap slots, sleepers and what went away', () => {
    const text = 'mmap A p0; write A p0; pageout A p0; read A p0; uffd_reg A p0 WP; wp A p0; write A p0';
    const swapped = startSession(engine, text, kernel('v6.18'));
    assert.match(machineAt(swapped, 3).swap[0]!.text, /^slot 0: 1 entry, data of step 2/);
    assert.equal(machineAt(swapped, 3).mms[0]!.blocks[0]!.leaf.kind, 'swap');
    const asleep = machineAt(swapped, 7).sleepers;
    assert.deepEqual(asleep, [{ text: 'step 7 sleeps on A p0 for its monitor', change: 'new' }]);
  });
});

describe('the file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-page-'));
  after(() => rmSync(directory, { recursive: true }));
  const cli = (...args: string[]) => spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', cwd: directory });

  it('is one file under 1.5 MB that loads nothing, and needs nothing of Node', () => {
    const html = playgroundHtml();
    assert.ok(html.length < 1_500_000, `${html.length} bytes`);
    assert.doesNotMatch(html, /(?:src|href)=["']?(?:https?:|\/\/)/);
    assert.doesNotMatch(html, /["']node:[a-z]/);
    assert.match(html, /default-src 'none'/);
  });

  it('holds hostile names as data', () => {
    const name = '</script><script>alert(1)</script><!--';
    const html = pageHtml({
      title: name,
      findings: [{ name, program: name, spec: kernel(name), note: name }],
      gallery: [],
    });
    assert.doesNotMatch(html, /alert\(1\)<\/script>/);
    assert.equal(html.match(/<script /g)?.length, playgroundHtml().match(/<script /g)?.length);
    const boot = /<script id="boot"[^>]*>(.*)<\/script>/.exec(html)?.[1];
    assert.equal(JSON.parse(boot!).findings[0].name, name);
  });

  it('is written by report for a program and for a directory of findings', () => {
    const one = cli('report', '--kernel', 'v5.7', '--html', 'one.html', WRONG_SIDE);
    assert.equal(one.status, 0, one.stderr);
    assert.match(one.stdout, /^one\.html: 1 program, \d+ KiB\n$/);
    const boot = (file: string) =>
      JSON.parse(/<script id="boot"[^>]*>(.*)<\/script>/.exec(readFileSync(join(directory, file), 'utf8'))![1]!);
    assert.match(readFileSync(join(directory, 'one.html'), 'utf8'), /<title>breakcow: cow-leak on v5\.7<\/title>/);
    assert.equal(boot('one.html').findings[0].outlook.prospects.steps[0].distance, 6);
    assert.equal(cli('report', '--kernel', 'v5.7', '--html', 'one.html', '--no-prospects', WRONG_SIDE).status, 0);
    assert.equal(boot('one.html').findings[0].outlook, undefined);
    const stored = { id: '0123456789', ...kernel('v5.8'), minimized: CORPUS[1]!.trigger };
    writeFileSync(join(directory, '0123456789.json'), JSON.stringify(stored));
    writeFileSync(join(directory, '1123456789.json'), '{}');
    const all = cli('report', '--html', 'all.html', '.');
    assert.equal(all.status, 0, all.stderr);
    assert.match(all.stdout, /^all\.html: 1 finding, /);
    assert.match(all.stderr, /left out: .*1123456789\.json is no finding/);
    assert.match(readFileSync(join(directory, 'all.html'), 'utf8'), /wp-event-on-read on v5\.8 \(0123456789\)/);
  });

  it('is refused with a reason', () => {
    const cases: [string[], RegExp][] = [
      [['report', WRONG_SIDE], /--html/],
      [['report', '--html', 'no/such/place.html', WRONG_SIDE], /cannot write no\/such\/place\.html/],
      [['report', '--kernel', 'v9', '--html', 'x.html', WRONG_SIDE], /unknown kernel "v9"/],
      [['playground', '--port', '99999'], /port "99999": expected a number from 0 to 65535/],
    ];
    for (const [args, expected] of cases) {
      const { status, stderr } = cli(...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, expected);
    }
  });
});
