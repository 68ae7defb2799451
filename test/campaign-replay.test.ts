import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { KnownState } from '../src/findings/collect.js';
import { pack, unpack } from '../src/store/codec.js';
import { Db } from '../src/store/database.js';
import { campaign, scratch } from './campaign-runs.js';
import { dump } from './store-dump.js';

describe('a campaign of another engine build', () => {
  const dir = scratch();
  const path = join(dir, 'old.db');
  const args = ['old', '--dir', dir];
  const first = campaign(['start', '--name', ...args, '--kernel', 'seed', '--programs', '16000', '--no-random']);

  it('is refused, and told what can be done', () => {
    assert.equal(first.status, 1, first.stderr);
    const db = new Db(path);
    db.run('UPDATE meta SET value = ? WHERE key = ?', '"00112233aabbccdd"', 'build');
    // What that build called a finding and this one does not: a finding that no other is like gets a program that breaks nothing.
    const row = db.get('SELECT place, known FROM findings GROUP BY slug HAVING COUNT(*) = 1 ORDER BY place')!;
    const known = unpack<KnownState>(row.known as Uint8Array);
    const harmless = { ...known, minimized: known.minimized.slice(0, 1) };
    db.run('UPDATE findings SET known = ? WHERE place = ?', pack(harmless), row.place);
    db.close();
    const { status, stderr } = campaign(['resume', ...args, '--time', '1s']);
    assert.equal(status, 2);
    assert.match(stderr, /was run by engine 00112233aabbccdd, this is [0-9a-f]{16}: .*resume --replay/);
  });

  it('has its findings verified: still fails, fixed', () => {
    const { status, stdout } = campaign(['verify', ...args]);
    assert.equal(status, 1);
    assert.match(stdout, /^\w{10} {2}fixed /m);
    assert.match(stdout, /^\w{10} {2}still fails/m);
  });

  it('begins anew with --replay, with what still fails known from the start', () => {
    const before = dump(path).findings.length;
    const { status, stderr } = campaign(['resume', ...args, '--replay']);
    assert.equal(status, 1, stderr);
    assert.match(stderr, new RegExp(`${before} findings verified: ${before - 1} still fail; begins anew`));
    const after = dump(path);
    assert.equal(after.work.programs, 16_000);
    // The one that was fixed was a true one, and is found again.
    assert.equal(after.findings.length, before + 1);
    assert.match(campaign(['resume', ...args, '--replay']).stderr, /is of this build: nothing to replay/);
  });
});
