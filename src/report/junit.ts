// A run as JUnit XML, in what its readers have in common: Ant's schema, Jenkins, GitLab.
import { hostname } from 'node:os';
import type { InvariantInfo } from '../engine/catalogue.js';
import type { Notice } from './notice.js';
import { xmlElement, xmlText } from './xml.js';

export interface JunitRun {
  readonly command: string;
  /** `printSpec` of it. */
  readonly kernel: string;
  readonly ended: Date;
  readonly seconds: number;
  readonly invariants: readonly InvariantInfo[];
  readonly fresh: readonly Notice[];
  readonly known: readonly Notice[];
  /** Slug of the promise that a differential run is about: it judges no other. */
  readonly only?: string | undefined;
  /** Why it proves nothing that a promise was not broken; '' = it was kept in the whole run. */
  readonly untested: string;
  /** A test of the run itself: '' = passed. */
  readonly canary?: { readonly error: string };
  readonly properties: Readonly<Record<string, string | number | boolean>>;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

type Result = 'failure' | 'error' | 'skipped';

const TYPES = { failure: 'broken promise', error: 'invalid run', skipped: 'not judged' } as const;

interface Case {
  readonly name: string;
  /** Absent: passed. Readers differ about a second one, so there is none. */
  readonly result?: Result;
  readonly message?: string;
  readonly text?: string;
}

/** One test case for each promise of the catalogue. */
export function junitXml(run: JunitRun): string {
  const canary = run.canary ? [canaryCase(run.canary.error)] : [];
  const cases = [...run.invariants.map((invariant) => promiseCase(run, invariant)), ...canary];
  // Readers add up the cases: each has its share of the time.
  const share = (run.seconds / cases.length).toFixed(3);
  const name = `breakcow ${run.command} ${run.kernel}`;
  // Dots make packages of it.
  const classname = `breakcow.${run.command}.${run.kernel.replaceAll(/[^\w+-]/g, '_')}`;
  const count = (result: Result) => cases.filter((one) => one.result === result).length;
  const counts = { tests: cases.length, failures: count('failure'), errors: count('error') };
  const suite = {
    id: 0,
    name,
    package: classname,
    ...counts,
    skipped: count('skipped'),
    time: run.seconds.toFixed(3),
    timestamp: new Date(run.ended.getTime() - 1000 * run.seconds).toISOString().slice(0, 19),
    hostname: hostname() || 'localhost',
  };
  const properties = Object.entries(run.properties).map(([key, value]) =>
    xmlElement('property', { name: key, value: String(value) }),
  );
  const content = [
    xmlElement('properties', {}, properties.join('')),
    ...cases.map((one) => caseXml(one, classname, share)),
    xmlElement('system-out', {}, xmlText(run.out.join('\n'))),
    xmlElement('system-err', {}, xmlText(run.err.join('\n'))),
  ];
  const root = xmlElement('testsuites', {}, `\n${xmlElement('testsuite', suite, `\n${content.join('\n')}\n`)}\n`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root}\n`;
}

function promiseCase({ fresh, known, untested, only }: JunitRun, { slug, judge }: InvariantInfo): Case {
  const broken = fresh.filter((notice) => notice.slug === slug);
  const accepted = known.filter((notice) => notice.slug === slug);
  if (broken.length > 0 && judge === 'warning')
    return { name: slug, result: 'skipped', message: 'a cost', text: listed(broken) };
  if (broken.length > 0) {
    const sentences = broken.map(({ sentence }) => sentence);
    const message =
      broken.length === 1 ? sentences[0]! : sentences.map((sentence, i) => `${i + 1}. ${sentence}`).join(' ');
    const besides = accepted.length === 0 ? [] : [`Known besides:\n${listed(accepted)}`];
    return {
      name: slug,
      result: 'failure',
      message,
      text: [...broken.map(({ id, report }) => `${id}\n${report}`), ...besides].join(`\n\n${'-'.repeat(78)}\n`),
    };
  }
  if (accepted.length > 0) return { name: slug, result: 'skipped', message: 'known', text: listed(accepted) };
  if (only !== undefined && slug !== only)
    return { name: slug, result: 'skipped', message: 'a differential run does not judge it' };
  if (only === undefined && judge === 'differential')
    return { name: slug, result: 'skipped', message: 'judged by --differential only' };
  if (judge === 'warning') return { name: slug, result: 'skipped', message: 'judged only on request' };
  return untested === '' ? { name: slug } : { name: slug, result: 'skipped', message: untested };
}

function listed(notices: readonly Notice[]): string {
  return notices.map(({ id, sentence, replay }) => `${id}: ${sentence}\n  ${replay}`).join('\n');
}

function canaryCase(error: string): Case {
  return error === '' ? { name: 'canary' } : { name: 'canary', result: 'error', message: error, text: error };
}

function caseXml({ name, result, message = '', text = '' }: Case, classname: string, time: string): string {
  if (!result) return xmlElement('testcase', { name, classname, time });
  const content = xmlElement(result, { message, type: TYPES[result] }, xmlText(text));
  return xmlElement('testcase', { name, classname, time }, content);
}
