import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeCampaign } from '../src/night/places.js';
import { Channel, type Source } from '../src/watch/channel.js';
import { WatchServer } from '../src/watch/server.js';
import type { Listing } from '../src/watch/wire.js';
import { Stream } from './watch-client.js';
import { alter, EVENT, engine, findingOn, keepFinding, LEAK, makeStore, progressAt, STALE } from './watch-store.js';

const root = mkdtempSync(join(tmpdir(), 'breakcow-stream-'));
after(() => rmSync(root, { recursive: true }));

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

let places = 0;
function place(): string {
  return mkdtempSync(join(root, `${places++}-`));
}

async function serve(directory: string, more: Partial<ConstructorParameters<typeof WatchServer>[1]> = {}) {
  const pace = { pollMs: 20 };
  const server = new WatchServer(engine, { directory, host: '127.0.0.1', port: 0, pace, ...more });
  await server.listen();
  open.push(server);
  return server;
}

function listen(url: string, lastEventId?: string): Stream {
  const stream = new Stream(url, lastEventId);
  open.push(stream);
  return stream;
}

describe('the stream of a campaign', () => {
  it('tells all of it first, then what changes', async () => {
    const directory = place();
    const store = makeStore(directory, 'night');
    open.push(store);
    store.setState('running');
    for (const seconds of [1, 2, 3]) store.sample(progressAt(seconds), 1);
    store.workers([{ name: 'one', threads: 4, busy: 3, jobs: 17 }]);
    keepFinding(store, 0, 0, findingOn('v5.7', LEAK), 1.5);
    const { url } = await serve(directory);
    const stream = listen(`${url}campaign/night/events`);
    const first = await stream.until('update', ({ updates }) => updates[0]);
    assert.equal(stream.status, 200);
    assert.match(stream.hello!.page, /^[0-9a-f]{12}$/);
    assert.ok(Math.abs(Date.parse(stream.hello!.now) - Date.now()) < 10_000);
    assert.equal(first.reset, true);
    const { status } = first;
    assert.equal(status!.state, 'running');
    assert.deepEqual(status!.can, ['pause', 'stop']);
    assert.deepEqual(status!.story.kernels, ['v5.7', 'v5.8']);
    assert.equal(status!.story.totals!.programs, 3000);
    assert.deepEqual(
      status!.workers.map(({ seen, ...rest }) => rest),
      [{ name: 'one', threads: 4, busy: 3, jobs: 17, stale: false }],
    );
    assert.deepEqual(
      first.samples!.map(({ seconds }) => seconds),
      [1, 2, 3],
    );
    assert.deepEqual(
      first.log!.map(({ text }) => text),
      ['running'],
    );
    const [told] = first.findings!;
    assert.equal(told!.summary.slug, 'cow-leak');
    assert.equal(told!.summary.firstAt!.seconds, 1.5);
    assert.equal(told!.fresh, true);

    const before = stream.messages.length;
    store.sample(progressAt(4), 2);
    store.event('quarantine', 'shard 9 left out: it <b>trapped</b>');
    keepFinding(store, 1, 0, findingOn('v5.8', EVENT), 3.5);
    await stream.until('finding', ({ updates }) => updates.slice(1).some(({ findings }) => findings));
    await stream.until('sample', ({ updates }) => updates.slice(1).some(({ samples }) => samples));
    await sleep(100);
    const later = stream.updates.slice(1);
    assert.ok(stream.messages.length > before);
    assert.ok(later.every(({ reset }) => !reset));
    assert.deepEqual(
      later.flatMap(({ samples = [] }) => samples.map(({ seconds }) => seconds)),
      [4],
    );
    assert.deepEqual(
      later.flatMap(({ log = [] }) => log.map(({ text }) => text)),
      ['shard 9 left out: it <b>trapped</b>'],
    );
    assert.deepEqual(
      later.flatMap(({ findings = [] }) => findings.map(({ summary }) => summary.slug)),
      ['wp-event-on-read'],
    );
  });

  it('goes on where a listener was, by header or by address, and begins anew for one from elsewhere', async () => {
    const directory = place();
    const store = makeStore(directory, 'night');
    open.push(store);
    store.setState('running');
    store.sample(progressAt(1), 0);
    keepFinding(store, 0, 0, findingOn('v5.7', LEAK), 0.5);
    const { url } = await serve(directory);
    const address = `${url}campaign/night/events`;
    // Somebody else keeps the channel, so that what was told holds.
    await listen(address).until('update', ({ updates }) => updates[0]);
    const one = listen(address);
    await one.until('update', ({ updates }) => updates[0]);
    const mark = one.lastId;
    one.close();
    store.sample(progressAt(2), 0);
    store.event('control', 'paused');
    await sleep(100);
    for (const again of [listen(address, mark), listen(`${address}?after=${mark}`)]) {
      const update = await again.until('update', ({ updates }) => updates[0]);
      assert.equal(update.reset, undefined);
      assert.equal(update.findings, undefined);
      assert.deepEqual(
        update.samples!.map(({ seconds }) => seconds),
        [2],
      );
      assert.deepEqual(
        update.log!.map(({ text }) => text),
        ['paused'],
      );
    }
    for (const wrong of ['00000000-1-1-1', 'garbage', `${mark}0`, mark.replace(/-\d+/, '-999'), 'x'.repeat(5000)]) {
      const update = await listen(address, wrong).until('update', ({ updates }) => updates[0]);
      assert.equal(update.reset, true, wrong);
      assert.equal(update.findings!.length, 1, wrong);
    }
  });

  it('tells of findings that are replaced, or become one with another', async () => {
    const directory = place();
    const store = makeStore(directory, 'night');
    open.push(store);
    const long = findingOn('v5.7', LEAK);
    keepFinding(store, 0, 0, long, 1);
    keepFinding(store, 0, 1, findingOn('v5.7', STALE), 2);
    const { url } = await serve(directory);
    const stream = listen(`${url}campaign/night/events`);
    await stream.until('both', ({ updates }) => updates[0]?.findings?.length === 2);
    store.finish(0, 1, undefined, '');
    const dropped = await stream.until('drop', ({ updates }) => updates.find((update) => update.dropped));
    assert.deepEqual(dropped.dropped, ['0.1']);
    store.finish(0, 0, { ...long, id: 'shorter000' }, 'told again');
    const changed = await stream.until('change', ({ updates }) => updates.slice(1).find(({ findings }) => findings));
    assert.deepEqual(
      changed.findings!.map(({ key, summary }) => [key, summary.id]),
      [['0.0', 'shorter000']],
    );
    store.verify(0, 0, 'fixed');
    const verified = await stream.until('verdict', ({ updates }) =>
      updates.find(({ findings }) => findings?.[0]?.verified),
    );
    assert.equal(verified.findings![0]!.verified, 'fixed');
  });

  it('knows what an earlier campaign has found, and what is long ago', async () => {
    const directory = place();
    const before = makeStore(directory, 'before');
    keepFinding(before, 0, 0, findingOn('v5.7', LEAK), 1);
    before.close();
    await sleep(5);
    const store = makeStore(directory, 'night');
    keepFinding(store, 0, 0, findingOn('v5.7', LEAK), 1);
    keepFinding(store, 1, 0, findingOn('v5.8', EVENT), 2);
    keepFinding(store, 0, 1, findingOn('v5.7', STALE), 3);
    store.close();
    alter(store.path, "UPDATE findings SET found = '2020-08-10T00:00:00.000Z' WHERE lane = 0 AND place = 1");
    const { url } = await serve(directory);
    const { findings, status } = await listen(`${url}campaign/night/events`).until('all', ({ updates }) => updates[0]);
    assert.deepEqual(
      findings!.map(({ key, fresh }) => [key, fresh]),
      [
        ['0.0', false],
        ['0.1', false],
        ['1.0', true],
      ],
    );
    assert.deepEqual(status!.earlier, ['before']);
  });

  it('marks a silent worker, and sees a driver die', async () => {
    const directory = place();
    const store = makeStore(directory, 'night');
    store.setState('running');
    store.workers([
      { name: 'here', threads: 2, busy: 2, jobs: 1 },
      { name: 'gone', threads: 2, busy: 2, jobs: 1 },
    ]);
    const { url } = await serve(directory);
    const stream = listen(`${url}campaign/night/events`);
    const hour = new Date(Date.now() - 3_600_000).toISOString();
    await stream.until('update', ({ updates }) => updates[0]);
    alter(store.path, 'UPDATE workers SET seen = ? WHERE name = ?', hour, 'gone');
    const { status } = await stream.until('mark', ({ updates }) =>
      updates.find((update) => update.status?.workers.some(({ stale }) => stale)),
    );
    assert.deepEqual(
      status!.workers.map(({ name, stale }) => [name, stale]),
      [
        ['gone', true],
        ['here', false],
      ],
    );
    // As after kill -9: it says that it runs, and holds no lock.
    store.close();
    const dead = await stream.until('end', ({ updates }) => updates.find((u) => u.status?.state === 'interrupted'));
    assert.deepEqual(dead.status!.can, ['resume']);
  });

  it('tells why a campaign cannot be read, once, and comes back with it', async () => {
    const directory = place();
    const store = makeStore(directory, 'night');
    store.close();
    const { url } = await serve(directory);
    const stream = listen(`${url}campaign/night/events`);
    await stream.until('update', ({ updates }) => updates[0]);
    const files = readdirSync(directory);
    const away = place();
    for (const file of files) renameSync(join(directory, file), join(away, file));
    writeFileSync(store.path, 'this is no database, however long one looks at it '.repeat(40));
    const { unreadable } = await stream.until('word', ({ updates }) => updates.find((update) => update.unreadable));
    assert.match(unreadable!, /night\.db/);
    const { length } = stream.messages;
    await sleep(150);
    assert.equal(stream.messages.length, length);
    for (const file of files) renameSync(join(away, file), join(directory, file));
    const back = await stream.until('return', ({ updates }) => updates.slice(1).find((update) => update.status));
    assert.equal(back.reset, true);
  });

  it('is not read while nobody listens', async () => {
    const directory = place();
    makeStore(directory, 'night').close();
    const server = await serve(directory);
    const stream = listen(`${server.url}campaign/night/events`);
    await stream.until('update', ({ updates }) => updates[0]);
    assert.equal(server.clients, 1);
    stream.close();
    for (let i = 0; i < 200 && server.clients > 0; i++) await sleep(10);
    assert.equal(server.clients, 0);
    assert.equal(server.channels, 0);
  });
});

describe('the stream of a directory', () => {
  it('lists campaigns as they come, change and go, and what is none', async () => {
    const directory = place();
    writeFileSync(join(directory, '<img src=x>.db'), 'hostile');
    const store = makeStore(directory, 'one');
    store.setState('failed', 'the disk is full');
    const { url } = await serve(directory);
    const stream = listen(`${url}events`);
    const lines = () => {
      const last = stream.messages.findLast(({ event }) => event === 'update');
      return last ? (JSON.parse(last.data) as Listing).campaigns : [];
    };
    const find = (name: string) => lines().find((line) => line.name === name);
    await stream.until('list', () => lines().length === 2);
    assert.equal(find('<img src=x>')!.state, 'unreadable');
    assert.equal(find('one')!.reason, 'the disk is full');
    store.setState('running');
    store.sample(progressAt(9), 0);
    await stream.until('change', () => find('one')!.programs === 9000 && find('one')!.state === 'running');
    makeStore(directory, 'two').close();
    await stream.until('another', () => find('two')?.state === 'ready');
    store.close();
    await stream.until('death', () => find('one')!.state === 'interrupted');
    removeCampaign(store.path);
    await stream.until('end', () => !find('one'));
  });
});

/** A response that takes nothing until it is told to. */
class Slow extends EventEmitter {
  readonly taken: string[] = [];
  takes = true;
  destroyed = false;
  writeHead(): void {}
  write(text: string): boolean {
    this.taken.push(text);
    return this.takes;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

describe('a listener', () => {
  const pace = { pollMs: 5, heartbeatMs: 40, stallMs: 150 };
  /** Tells how often it was looked at. */
  class Counter implements Source {
    polls = 0;
    closed = false;
    still = false;
    poll(): void {
      if (!this.still) this.polls++;
    }
    since(mark: string | undefined) {
      return mark === String(this.polls) ? undefined : { mark: String(this.polls), data: { polls: this.polls } };
    }
    close(): void {
      this.closed = true;
    }
  }

  function join(channel: Channel): Slow {
    const response = new Slow();
    channel.join(response as unknown as ServerResponse, {}, undefined);
    return response;
  }

  it('that is slow gets nothing but the newest once it takes again', async () => {
    const source = new Counter();
    const channel = new Channel(source, pace, () => {});
    const slow = join(channel);
    const quick = join(channel);
    slow.takes = false;
    await sleep(60);
    const { length } = slow.taken;
    await sleep(40);
    assert.equal(slow.taken.length, length);
    assert.ok(quick.taken.length > 5);
    slow.takes = true;
    slow.emit('drain');
    assert.equal(slow.taken.length, length + 1);
    assert.match(slow.taken.at(-1)!, new RegExp(`"polls":${source.polls}`));
    channel.close();
  });

  it('that takes nothing for long is dropped, and the last one ends it all', async () => {
    const source = new Counter();
    let idle = 0;
    const channel = new Channel(source, pace, () => idle++);
    const slow = join(channel);
    slow.takes = false;
    for (let i = 0; i < 100 && !slow.destroyed; i++) await sleep(10);
    assert.ok(slow.destroyed && source.closed);
    assert.equal(idle, 1);
    const { polls } = source;
    await sleep(30);
    assert.equal(source.polls, polls);
  });

  it('hears a heartbeat where nothing happens', async () => {
    const source = new Counter();
    source.still = true;
    const channel = new Channel(source, pace, () => {});
    const quick = join(channel);
    await sleep(150);
    channel.close();
    const beats = quick.taken.filter((text) => text.startsWith(':'));
    assert.ok(beats.length >= 2, JSON.stringify(quick.taken));
    assert.equal(quick.taken.length, beats.length + 2);
  });

  it('that reads nothing from its socket is dropped by the server, and others notice nothing', async () => {
    const directory = place();
    const store = makeStore(directory, 'night');
    open.push(store);
    // More than the system itself would hold for it.
    for (let i = 0; i < 150; i++) store.event('note', 'x'.repeat(100_000));
    const server = await serve(directory, { pace: { pollMs: 20, stallMs: 1500 } });
    const { port } = new URL(server.url);
    const deaf = connect(Number(port), '127.0.0.1');
    open.push({ close: () => deaf.destroy() });
    deaf.pause();
    deaf.write(`GET /campaign/night/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    for (let i = 0; i < 100 && server.clients < 1; i++) await sleep(10);
    const good = listen(`${server.url}campaign/night/events`);
    await good.until('update', ({ updates }) => updates[0]);
    assert.equal(server.clients, 2);
    for (let i = 0; i < 300 && server.clients > 1; i++) await sleep(10);
    assert.equal(server.clients, 1);
    store.event('note', 'still here');
    await good.until('event', ({ updates }) =>
      updates.some(({ log }) => log?.some(({ text }) => text === 'still here')),
    );
  });
});
