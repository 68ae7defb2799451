import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Known } from '../src/watch/directory.js';
import { Campaigns } from '../src/watch/directory.js';
import { HighWater, metricsText } from '../src/watch/metrics.js';
import { EVENT, findingOn, keepFinding, LEAK, makeStore, progressAt, STALE } from './watch-store.js';

interface Family {
  readonly type: string;
  readonly samples: { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** Labels of `a="x",b="y"`. Throws for anything else. */
function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
  while (pair.lastIndex < text.length) {
    const [, name, value] = pair.exec(text) ?? assert.fail(`labels: ${text}`);
    assert.ok(!Object.hasOwn(labels, name!), `label ${name} twice`);
    labels[name!] = value!.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char));
  }
  return labels;
}

/** The text exposition format, line by line; stricter than Prometheus: HELP, TYPE, then all samples, each once. */
function parseMetrics(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let helped = '';
  let current = '';
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const [, help] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\\n]|\\[\\n])+$/.exec(line) ?? [];
    if (help) {
      assert.ok(!families.has(help), `${help} twice`);
      helped = help;
      continue;
    }
    const [, name, type] = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/.exec(line) ?? [];
    if (name) {
      assert.equal(name, helped);
      assert.equal(type === 'counter', name.endsWith('_total'), name);
      families.set(name, { type: type!, samples: [] });
      current = name;
      continue;
    }
    const parts = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line);
    assert.ok(parts, `no line of metrics: ${line}`);
    assert.equal(parts[1], current);
    const labels = parseLabels(parts[2] ?? '');
    const key = JSON.stringify([current, Object.entries(labels).sort()]);
    assert.ok(!seen.has(key), `${key} twice`);
    seen.add(key);
    families.get(current)!.samples.push({ labels, value: Number(parts[3]) });
  }
  return families;
}

const root = mkdtempSync(join(tmpdir(), 'breakcow-metrics-'));
after(() => rmSync(root, { recursive: true }));

describe('metrics', () => {
  const campaigns = new Campaigns({ directory: root });
  const read = (water = new HighWater()) => parseMetrics(metricsText(campaigns.all(), 3, water));
  const values = (families: Map<string, Family>, name: string, campaign?: string) =>
    families
      .get(`breakcow_${name}`)!
      .samples.filter(({ labels }) => campaign === undefined || labels.campaign === campaign)
      .map(({ labels: { campaign: _, ...labels }, value }) => [labels, value]);

  it('of an empty directory are sound', () => {
    const families = read();
    assert.deepEqual(values(families, 'campaign_programs_total'), []);
    assert.deepEqual(values(families, 'unreadable_campaigns'), [[{}, 0]]);
    assert.deepEqual(values(families, 'watch_clients'), [[{}, 3]]);
  });

  it('tell of every campaign, and a broken one spoils none', () => {
    const store = makeStore(root, 'night', ['v5.7', 'v5.8 +reuse.page_count']);
    store.setState('running');
    store.sample(progressAt(3), 2);
    store.workers([{ name: 'a "quoted"\\ name\nof two lines', threads: 4, busy: 3, jobs: 17 }]);
    keepFinding(store, 0, 0, findingOn('v5.7', LEAK), 1);
    keepFinding(store, 0, 1, findingOn('v5.7', STALE), 1);
    keepFinding(store, 1, 0, findingOn('v5.8 +reuse.page_count', EVENT), 2);
    makeStore(root, 'idle').close();
    writeFileSync(join(root, 'broken.db'), 'no database');
    writeFileSync(join(root, 'a "b" {c}.db'), 'no name');
    const families = read();
    assert.deepEqual(values(families, 'campaign_programs_total', 'night'), [[{}, 3000]]);
    assert.deepEqual(values(families, 'campaign_ops_total', 'night'), [[{}, 90_000]]);
    assert.deepEqual(values(families, 'campaign_faults_total', 'night'), [[{}, 15_000]]);
    assert.deepEqual(values(families, 'campaign_active_seconds_total', 'night'), [[{}, 3]]);
    assert.deepEqual(values(families, 'campaign_handler_branches', 'night'), [[{}, 50]]);
    assert.deepEqual(values(families, 'campaign_abstract_states', 'night'), [[{}, 60_000]]);
    assert.deepEqual(values(families, 'campaign_findings', 'night'), [
      [{ kernel: 'v5.7', slug: 'cow-leak' }, 1],
      [{ kernel: 'v5.7', slug: 'tlb-stale' }, 1],
      [{ kernel: 'v5.8 +reuse.page_count', slug: 'wp-event-on-read' }, 1],
    ]);
    const states = (campaign: string) =>
      values(families, 'campaign_state', campaign).flatMap(([labels, value]) => (value === 1 ? [labels] : []));
    assert.deepEqual(states('night'), [{ state: 'running' }]);
    assert.deepEqual(states('idle'), [{ state: 'ready' }]);
    const worker = { worker: 'a "quoted"\\ name\nof two lines' };
    assert.deepEqual(values(families, 'worker_threads', 'night'), [[worker, 4]]);
    assert.deepEqual(values(families, 'worker_busy_threads', 'night'), [[worker, 3]]);
    assert.deepEqual(values(families, 'worker_jobs_total', 'night'), [[worker, 17]]);
    for (const name of ['campaign_last_sample_timestamp_seconds', 'worker_last_seen_timestamp_seconds']) {
      const [[, at] = assert.fail(name)] = values(families, name, 'night');
      assert.ok(Math.abs(Number(at) - Date.now() / 1000) < 60, name);
    }
    assert.deepEqual(values(families, 'campaign_last_sample_timestamp_seconds', 'idle'), []);
    assert.ok(Number(values(families, 'campaign_rss_bytes', 'night')[0]![1]) > 1e6);
    assert.deepEqual(values(families, 'campaign_quarantined_shards', 'night'), [[{}, 0]]);
    assert.deepEqual(values(families, 'unreadable_campaigns'), [[{}, 2]]);

    store.sample(progressAt(4), 2);
    store.close();
    const later = read();
    assert.deepEqual(values(later, 'campaign_programs_total', 'night'), [[{}, 4000]]);
    assert.ok(
      values(later, 'campaign_state', 'night').some(
        ([labels, value]) => value === 1 && JSON.stringify(labels).includes('interrupted'),
      ),
    );
  });

  it('count up although a campaign that was killed steps back, and from zero where it begins anew', () => {
    const water = new HighWater();
    const [night] = campaigns.all().filter(({ line }) => line.name === 'night');
    const programs = (known: Known) =>
      values(parseMetrics(metricsText([known], 0, water)), 'campaign_programs_total')[0]![1];
    const { line, figures } = night!;
    const at = (count: number, build = 'one'): Known => ({
      line: { ...line, programs: count },
      figures: { ...figures!, build },
    });
    assert.deepEqual([at(100), at(90), at(120), at(10, 'two'), at(20, 'two')].map(programs), [100, 100, 120, 10, 20]);
  });
});
