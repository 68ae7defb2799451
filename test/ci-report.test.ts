import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { diagnose } from '../src/findings/finding.js';
import { annotation, stepSummary } from '../src/report/annotations.js';
import { type JunitRun, junitXml } from '../src/report/junit.js';
import { type Notice, noticeOf } from '../src/report/notice.js';
import { xmlElement, xmlText } from '../src/report/xml.js';
import { programId } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';
import { junitCases, parseXml } from './xml.js';

/** Whatever breaks XML, markdown or a workflow command. */
const HOSTILE =
  '<a b="c">&amp; ]]> \' 100%25 x:y,z ::error::no \u0000\u0007\u001b[31m\u{1f42e}\ud800 \ufffe\r\n\t`` | *b* #1';
const HARMLESS = '<a b="c">&amp; ]]> \' 100%25 x:y,z ::error::no [31m\u{1f42e} \r\n\t`` | *b* #1';

const engine = loadEngine();
const { catalogue } = engine;
const spec = { kernel: 'v5.8', with: [], without: [] };

function notice(): Notice {
  const words = parseProgram('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET', catalogue.ops);
  const diagnosis = diagnose(engine, spec, words)!;
  return noticeOf(engine, { id: programId(words, spec, catalogue.ops), diagnosis });
}

function hostile(slug: string): Notice {
  const all = { id: HOSTILE, kernel: HOSTILE, sentence: HOSTILE, program: HOSTILE, replay: HOSTILE, report: HOSTILE };
  return { slug, ...all };
}

function run(changes: Partial<JunitRun> = {}): JunitRun {
  return {
    command: 'fuzz',
    kernel: 'v5.8 +gup.unshare',
    ended: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
    seconds: 2.5,
    invariants: catalogue.invariants,
    fresh: [],
    known: [],
    untested: '',
    canary: { error: '' },
    properties: { seed: '1', programs: 20, interrupted: false },
    out: ['all is well'],
    err: [],
    ...changes,
  };
}

describe('XML', () => {
  it('comes back as it was, but for what XML has no way to say', () => {
    const { attributes, text } = parseXml(xmlElement('a', { b: HOSTILE, n: 1 }, xmlText(HOSTILE)));
    assert.deepEqual(attributes, { b: HARMLESS, n: '1' });
    assert.equal(text, HARMLESS);
    assert.deepEqual(parseXml(xmlElement('a', {})).attributes, {});
  });

  it('would not come back if it were not escaped', () => {
    for (const text of ['<', '&', '\u0007', '\ufffe', ']]>']) assert.throws(() => parseXml(`<a>${text}</a>`), text);
    assert.throws(() => parseXml('<a>&#7;</a>'));
  });
});

describe('JUnit XML', () => {
  it('has a test case for each promise, and says what is judged on request only', () => {
    const { suite, cases } = junitCases(junitXml(run()));
    assert.deepEqual(Object.keys(cases), [...catalogue.invariants.map(({ slug }) => slug), 'canary']);
    for (const { slug, judge } of catalogue.invariants) {
      const judged = judge === 'structure' || judge === 'reference';
      assert.equal(cases[slug]!.result, judged ? 'passed' : 'skipped', slug);
    }
    assert.equal(cases['batch-differs']!.message, 'judged by --differential only');
    const other = junitCases(junitXml(run({ only: 'batch-differs' }))).cases;
    assert.deepEqual(
      Object.keys(other).filter((name) => other[name]!.result === 'passed'),
      ['batch-differs', 'canary'],
    );
    assert.equal(suite.attributes.timestamp, '2026-01-02T03:04:02');
    assert.equal(suite.attributes.name, 'breakcow fuzz v5.8 +gup.unshare');
    // Jenkins takes a dot for a package.
    assert.equal(suite.children[1]!.attributes.classname, 'breakcow.fuzz.v5_8_+gup_unshare');
    assert.deepEqual(suite.children[0]!.children[0]!.attributes, { name: 'seed', value: '1' });
    assert.equal(suite.children.at(-2)!.text, 'all is well');
  });

  it('fails a promise with all that broke it, and skips what is known', () => {
    const event = notice();
    const other = { ...event, id: 'other', sentence: 'Another one.' };
    const one = junitCases(junitXml(run({ fresh: [event] }))).cases;
    assert.equal(one['wp-event-on-read']!.result, 'failure');
    assert.equal(one['wp-event-on-read']!.message, event.sentence);
    assert.ok(one['wp-event-on-read']!.text.includes(event.report));
    assert.match(one['wp-event-on-read']!.text, /npx breakcow replay --kernel v5\.8/);
    const both = junitCases(junitXml(run({ fresh: [event, other] }))).cases['wp-event-on-read']!;
    assert.equal(both.message, `1. ${event.sentence} 2. Another one.`);
    assert.ok(both.text.includes(event.id) && both.text.includes('other'));
    const known = junitCases(junitXml(run({ known: [event] }))).cases['wp-event-on-read']!;
    assert.deepEqual({ ...known, text: '' }, { result: 'skipped', message: 'known', text: '' });
    assert.ok(known.text.includes(event.replay));
    const mixed = junitCases(junitXml(run({ fresh: [other], known: [event] }))).cases['wp-event-on-read']!;
    assert.equal(mixed.message, 'Another one.');
    assert.match(mixed.text, new RegExp(`Known besides:\n${event.id}: `));
  });

  it('takes no silence for a proof where the run is none', () => {
    const error = 'Canary (v5.7): NOT found in 9 programs.';
    const { cases } = junitCases(junitXml(run({ fresh: [notice()], untested: 'no proof', canary: { error } })));
    assert.deepEqual(cases.canary, { result: 'error', message: error, text: error });
    assert.equal(cases['wp-event-on-read']!.result, 'failure');
    assert.deepEqual(cases['cow-leak'], { result: 'skipped', message: 'no proof', text: '' });
    assert.ok(!Object.values(cases).some(({ result }) => result === 'passed'));
    const { canary: _, ...without } = run();
    assert.ok(!('canary' in junitCases(junitXml(without)).cases));
  });

  it('lives through hostile characters', () => {
    const fresh = [hostile('cow-leak')];
    const xml = junitXml(
      run({
        fresh,
        known: [hostile('wp-lost')],
        kernel: 'v5.8',
        out: [HOSTILE],
        err: [HOSTILE],
        properties: { a: HOSTILE },
      }),
    );
    const { suite, cases } = junitCases(xml);
    assert.equal(cases['cow-leak']!.message, HARMLESS);
    assert.ok(cases['cow-leak']!.text.includes(HARMLESS));
    assert.ok(cases['wp-lost']!.text.includes(HARMLESS));
    assert.equal(suite.children.at(-1)!.text, HARMLESS);
    assert.equal(suite.children[0]!.children[0]!.attributes.value, HARMLESS);
  });
});

/** As the runner of GitHub Actions reads a line of output. */
function command(line: string): { name: string; properties: Record<string, string>; message: string } {
  const match = /^::(\w+)(?: ([^\n]*?))?::(.*)$/.exec(line);
  assert.ok(match, line);
  const data = (text: string) => text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
  const property = (text: string) => data(text.replaceAll('%3A', ':').replaceAll('%2C', ','));
  const pairs = (match[2] ?? '').split(',').map((pair) => pair.split(/=(.*)/s));
  return {
    name: match[1]!,
    properties: Object.fromEntries(pairs.map(([key, value]) => [key, property(value!)])),
    message: data(match[3]!),
  };
}

describe('annotations', () => {
  it('are one line that says it all', () => {
    const event = notice();
    const { name, properties, message } = command(annotation(event));
    assert.equal(name, 'error');
    assert.deepEqual(properties, { title: `breakcow: wp-event-on-read on v5.8 (${event.id})` });
    assert.equal(message, `${event.sentence}\n${event.program}\nReplay with: ${event.replay}`);
    assert.ok(annotation(event).startsWith(`::error title=breakcow%3A wp-event-on-read on v5.8 (${event.id})::`));
  });

  it('end neither title nor line early', () => {
    const line = annotation(hostile('cow-leak'));
    assert.ok(!/[\r\n]/.test(line));
    const { properties, message } = command(line);
    assert.deepEqual(properties, { title: `breakcow: cow-leak on ${HOSTILE} (${HOSTILE})` });
    assert.equal(message, `${HOSTILE}\n${HOSTILE}\nReplay with: ${HOSTILE}`);
  });
});

describe('the summary of a step', () => {
  it('is markdown in which no text has a meaning of its own', () => {
    const event = notice();
    const markdown = stepSummary({
      title: 'One new *finding*',
      lines: ['<b>a</b>'],
      fresh: [event],
      known: [{ ...event, replay: 'echo ```\n``` | x' }],
    });
    assert.match(markdown, /^### One new \\\*finding\\\*\n\n\\<b\\>a\\<\/b\\>\n/);
    assert.match(markdown, /- \*\*wp\\-event\\-on\\-read\*\* \w{10}: /);
    assert.ok(markdown.includes(`  \`\`\`sh\n  ${event.replay}\n  \`\`\`\n`));
    assert.match(markdown, /<details><summary>Known: 1<\/summary>/);
    assert.ok(markdown.includes('  ````sh\n  echo ```\n  ``` | x\n  ````\n'));
  });
});
