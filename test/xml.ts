// XML read back by a strict parser, and what readers of JUnit XML ask of it.
import assert from 'node:assert/strict';
import { SaxesParser } from 'saxes';

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

/** The root. Throws for whatever is not well-formed. */
export function parseXml(text: string): XmlElement {
  const top: XmlElement = { name: '', attributes: {}, children: [], text: '' };
  const open = [top];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element: XmlElement = { name, attributes: { ...attributes }, children: [], text: '' };
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on('closetag', () => void open.pop());
  parser.on('text', (piece) => {
    open.at(-1)!.text += piece;
  });
  parser.write(text).close();
  assert.equal(top.children.length, 1);
  return top.children[0]!;
}

const TOKEN = /^\S+( \S+)*$/;
const COUNT = /^\d+$/;
const TIME = /^\d+\.\d{3}$/;
/** What Ant's schema asks for; Jenkins' allows no other attributes either, and wants the counts right. */
const SUITE = {
  id: /^0$/,
  name: TOKEN,
  package: TOKEN,
  tests: COUNT,
  failures: COUNT,
  errors: COUNT,
  skipped: COUNT,
  time: TIME,
  timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/,
  hostname: TOKEN,
};
const CASE = { name: TOKEN, classname: TOKEN, time: TIME };
const RESULTS = ['failure', 'error', 'skipped'];

function assertAttributes({ name, attributes }: XmlElement, expected: Readonly<Record<string, RegExp>>): void {
  assert.deepEqual(Object.keys(attributes).sort(), Object.keys(expected).sort(), name);
  for (const [key, pattern] of Object.entries(expected)) assert.match(attributes[key]!, pattern, `${name}: ${key}`);
}

export interface JunitCase {
  readonly result: string;
  readonly message: string;
  readonly text: string;
}

/** The test cases of a file by their names, after a look at all that its readers rely on. */
export function junitCases(text: string): { suite: XmlElement; cases: Record<string, JunitCase> } {
  const root = parseXml(text);
  assert.equal(root.name, 'testsuites');
  assert.deepEqual(root.attributes, {});
  assert.deepEqual(
    root.children.map(({ name }) => name),
    ['testsuite'],
  );
  const suite = root.children[0]!;
  assertAttributes(suite, SUITE);
  const order = suite.children.map(({ name }) => name).join(' ');
  assert.match(order, /^properties( testcase)+ system-out system-err$/);
  for (const property of suite.children[0]!.children) assertAttributes(property, { name: TOKEN, value: /^/ });
  const tests = suite.children.filter(({ name }) => name === 'testcase');
  const cases: Record<string, JunitCase> = {};
  for (const test of tests) {
    assertAttributes(test, CASE);
    assert.ok(test.children.length <= 1, 'one result at most');
    const [result] = test.children;
    if (result) {
      assert.ok(RESULTS.includes(result.name), result.name);
      assertAttributes(result, { message: /./s, type: /./ });
      assert.deepEqual(result.children, []);
    }
    const name = test.attributes.name!;
    assert.ok(!(name in cases), `${name} twice`);
    cases[name] = {
      result: result?.name ?? 'passed',
      message: result?.attributes.message ?? '',
      text: result?.text ?? '',
    };
  }
  const count = (kind: string) => String(Object.values(cases).filter(({ result }) => result === kind).length);
  const { tests: all, failures, errors, skipped } = suite.attributes;
  assert.deepEqual(
    { all, failures, errors, skipped },
    { all: String(tests.length), failures: count('failure'), errors: count('error'), skipped: count('skipped') },
  );
  const total = tests.reduce((sum, { attributes }) => sum + Number(attributes.time), 0);
  assert.ok(Math.abs(total - Number(suite.attributes.time)) <= 0.001 * tests.length, 'the cases add up to the suite');
  return { suite, cases };
}
