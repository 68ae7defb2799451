import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Db, migrate, openToRead, openToWrite, StoreError } from '../src/store/database.js';
import { STEPS } from '../src/store/schema.js';
import { campaign, campaignLater, scratch } from './campaign-runs.js';
import { dump } from './store-dump.js';

const BUDGET = ['--programs', '60000', '--workers', '2', '--kernel', 'seed', '--kernel', 'repaired'];

describe('the disk', () => {
  const dir = scratch();
  const calm = campaign(['start', '--dir', dir, '--name', 'calm', ...BUDGET]);
  const store = (name: string) => join(dir, `${name}.db`);
  const mount = (path: string, options: string) => spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'breakcow', path]);
  const probe = join(dir, 'probe');
  mkdirSync(probe);
  const mounts = mount(probe, 'size=64k').status === 0;
  if (mounts) spawnSync('umount', [probe]);
  if (!mounts && process.env.CI) assert.fail('mount -t tmpfs: wants root');
  const skip = mounts ? false : 'mount -t tmpfs wants root';

  it('has room at first', () => {
    assert.equal(calm.status, 1, calm.stderr);
  });

  it('is full: it says so, keeps what it had, and goes on to the same end', { skip }, () => {
    const small = join(dir, 'small');
    mkdirSync(small);
    assert.equal(mount(small, 'size=400k').status, 0);
    try {
      const first = campaign(['start', '--dir', small, '--name', 'wild', ...BUDGET]);
      assert.equal(first.status, 3, first.stderr);
      assert.match(first.stderr, /cannot write .*full.*make room, then "breakcow campaign resume"/s);
      assert.doesNotMatch(first.stderr, /\n\s+at /);
      assert.equal(mount(small, 'remount,size=32m').status, 0);
      const second = campaign(['resume', 'wild', '--dir', small, '--workers', '2']);
      assert.equal(second.status, 1, second.stderr);
      assert.deepEqual(dump(join(small, 'wild.db')), dump(store('calm')));
    } finally {
      spawnSync('umount', ['-l', small]);
    }
  });

  it('is read-only: it says so before any work', { skip }, () => {
    const sealed = join(dir, 'sealed');
    mkdirSync(sealed);
    assert.equal(mount(sealed, 'ro').status, 0);
    try {
      const { status, stderr } = campaign(['start', '--dir', sealed, ...BUDGET]);
      assert.equal(status, 2, stderr);
      assert.match(stderr, /cannot open/);
    } finally {
      spawnSync('umount', ['-l', sealed]);
    }
    const file = campaign(['start', '--dir', '/dev/null/x', ...BUDGET]);
    assert.equal(file.status, 2);
    assert.match(file.stderr, /cannot create \/dev\/null\/x/);
  });

  it('was damaged: each damage is told in words', () => {
    const damages: [what: string, harm: (path: string) => void, said: RegExp][] = [
      [
        'head',
        (path) => writeFileSync(path, Buffer.concat([Buffer.alloc(100, 0x5a), readFileSync(path).subarray(100)])),
        /no campaign/,
      ],
      ['truncated', (path) => truncateSync(path, 40_960), /damaged/],
      ['stub', (path) => truncateSync(path, 1000), /damaged/],
      ['text', (path) => writeFileSync(path, 'not a database\n'.repeat(400)), /no campaign/],
      [
        'garbage',
        (path) =>
          writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, 8192), Buffer.alloc(100_000, 0x5a)])),
        /damaged/,
      ],
    ];
    for (const [what, harm, said] of damages) {
      copyFileSync(store('calm'), store(what));
      harm(store(what));
      for (const command of ['resume', 'status', 'verify']) {
        const { status, stderr } = campaign([command, what, '--dir', dir]);
        assert.equal(status, 2, `${command} ${what}: ${stderr}`);
        assert.match(stderr, said, `${command} ${what}`);
        assert.doesNotMatch(stderr, /\n\s+at /);
      }
    }
    const { status, stdout, stderr } = campaign(['list', '--dir', dir]);
    assert.equal(status, 0);
    assert.match(stdout, /^calm/m);
    assert.match(stderr, /left out: .*garbage/);
  });

  it('has another driver at work: the second one is refused', async () => {
    const { child, ended } = campaignLater([
      'start',
      '--dir',
      dir,
      '--name',
      'busy',
      '--time',
      '60s',
      '--workers',
      '1',
    ]);
    for (let i = 0; i < 100; i++) {
      const { stdout } = campaign(['list', '--dir', dir]);
      if (/^busy +running/m.test(stdout)) break;
    }
    const second = campaign(['resume', 'busy', '--dir', dir]);
    assert.equal(second.status, 2);
    assert.match(second.stderr, new RegExp(`in use by process ${child.pid}`));
    assert.match(campaign(['prune', 'busy', '--remove', '--dir', dir]).stderr, /runs: stop it first/);
    assert.equal(campaign(['pause', 'busy', '--dir', dir]).status, 0);
    assert.equal(campaign(['stop', 'busy', '--dir', dir]).status, 0);
    const first = await ended;
    assert.match(first.stdout, /busy: stopped/);
  });

  it('has a clock that jumps: budgets are none of its business', () => {
    // Every tenth look at the clock it is another day.
    const clock = 'let n=0;const real=Date.now;Date.now=()=>real()+(n++%10===0?-864e5*n:0)';
    const options = `--import data:text/javascript,${encodeURIComponent(clock)}`;
    const { status, stderr } = campaign(['start', '--dir', dir, '--name', 'jumpy', ...BUDGET], {
      NODE_OPTIONS: options,
    });
    assert.equal(status, 1, stderr);
    assert.deepEqual(dump(store('jumpy')), dump(store('calm')));
  });
});

describe('the schema', () => {
  const dir = scratch();

  it('of an older version is brought up, of a newer one refused, of somebody else left alone', () => {
    const path = join(dir, 'old.db');
    openToWrite(path).close();
    const next = [...STEPS, 'ALTER TABLE events ADD COLUMN host TEXT'];
    const db = new Db(path);
    db.run('INSERT INTO events (at, kind, text) VALUES (?, ?, ?)', 'then', 'state', 'kept');
    migrate(db, next);
    const { _metadata, ...row } = db.get('SELECT * FROM events')!;
    assert.deepEqual(row, { id: 1, at: 'then', kind: 'state', text: 'kept', host: null });
    assert.throws(
      () => migrate(db),
      (error: unknown) => error instanceof StoreError && /newer breakcow/.test(error.message),
    );
    db.close();
    assert.throws(() => openToRead(path), /schema 2, this breakcow reads 1/);
    const foreign = join(dir, 'foreign.db');
    const theirs = new Db(foreign);
    theirs.exec('CREATE TABLE addresses (name TEXT)');
    theirs.close();
    assert.throws(() => openToWrite(foreign), /but no campaign/);
  });

  it('that cannot be brought up stays as it was', () => {
    const path = join(dir, 'half.db');
    openToWrite(path).close();
    const db = new Db(path);
    assert.throws(() => migrate(db, [...STEPS, 'CREATE TABLE half (x); CREATE TABLE meta (y)']));
    assert.equal(db.get("SELECT count(*) AS n FROM sqlite_master WHERE name = 'half'")?.n, 0);
    assert.equal(db.get('PRAGMA user_version')?.user_version, STEPS.length);
    db.close();
  });
});
