import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { takeWish } from '../src/night/control.js';
import { isDriven } from '../src/store/lock.js';
import type { CampaignStore } from '../src/store/store.js';
import { Guard } from '../src/watch/guard.js';
import { WatchServer } from '../src/watch/server.js';
import { Stream } from './watch-client.js';
import { engine, findingOn, keepFinding, LEAK, makeStore } from './watch-store.js';

const _BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'breakcow-watch-'));
after(() => rmSync(root, { recursive: true, maxRetries: 5 }));

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

describe('the server that watches', () => {
  const directory = join(root, 'campaigns');
  let server: WatchServer;
  let driven: CampaignStore;
  let port: number;
  const leak = findingOn('v5.7', LEAK);

  before(async () => {
    mkdirSync(directory, { recursive: true });
    driven = makeStore(directory, 'night');
    driven.setState('running');
    keepFinding(driven, 0, 0, leak, 1);
    makeStore(directory, 'ended').close();
    writeFileSync(join(root, 'secret.db'), 'secret');
    server = new WatchServer(engine, {
      directory,
      host: '127.0.0.1',
      port: 0,
      proxied: ['fuzz.example.org'],
      mostClients: 3,
    });
    await server.listen();
    port = Number(new URL(server.url).port);
  });
  after(async () => {
    await server.close();
    driven.close();
  });

  /** Asks for a path exactly as it is written. */
  function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }
  const bearer = (token = server.token) => ({ authorization: `Bearer ${token}` });

  it('serves its page, and nothing may be mixed into it', async () => {
    for (const path of ['/', '/campaign/night', '/campaign/ended']) {
      const { status, headers, text } = await ask('GET', path);
      assert.equal(status, 200, path);
      assert.match(headers['content-type']!, /^text\/html/);
      assert.match(text, /<script type="module" src="\/assets\/watch\.js">/);
      assert.doesNotMatch(text, /<script(?![^>]* src=)|<style|\son\w+=/);
      const policy = headers['content-security-policy'] as string;
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe|\*|data:/);
    }
    for (const [path, type] of [
      ['/assets/watch.js', /javascript/],
      ['/assets/watch.css', /css/],
      ['/assets/icon.svg', /svg/],
      ['/favicon.ico', /svg/],
      ['/healthz', /plain/],
      ['/metrics', /^text\/plain; version=0\.0\.4/],
    ] as const) {
      const { status, headers } = await ask('GET', path);
      assert.equal(status, 200, path);
      assert.match(headers['content-type']!, type);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
    const head = await ask('HEAD', '/');
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
    assert.equal((await ask('PUT', '/')).status, 405);
  });

  it('answers to its own names only', async () => {
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `LOCALHOST:${port}`,
      `[::1]:${port}`,
      'fuzz.example.org',
    ])
      assert.equal((await ask('GET', '/', { host })).status, 200, host);
    const wrong = [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      'localhost:1',
      `127.0.0.1.nip.io:${port}`,
      '[',
      'a b',
    ];
    for (const host of wrong) {
      assert.equal((await ask('GET', '/healthz', { host })).status, 421, host);
      assert.equal((await ask('POST', '/campaign/night/stop', { host, ...bearer() })).status, 421, host);
    }
    assert.equal(takeWish(driven.path), undefined);
  });

  it('opens no file but the campaigns of its directory', async () => {
    const paths = [
      '/campaign/../secret',
      '/campaign/..%2fsecret',
      '/campaign/%2e%2e%2fsecret/events',
      `/campaign/${encodeURIComponent(join(root, 'secret'))}`,
      '/campaign/secret',
      '/campaign/night%00',
      '/campaign/night.db',
      '/campaign/',
      '/campaign/night/finding/..%2f..%2fsecret',
      '/assets/..%2fpage.js',
      '/assets/../page.js',
      '/assets/constructor',
      '/__proto__',
      '/campaign/night/nothing',
      '/campaign/night/finding/a/b',
      '//etc/passwd',
    ];
    for (const path of paths) {
      const { status, text } = await ask('GET', path);
      assert.equal(status, 404, path);
      assert.doesNotMatch(text, /root:|at .*\.js/, path);
    }
    assert.equal((await ask('GET', '/campaign/%')).status, 400);
  });

  it('does nothing without the token', async () => {
    const wrong = [
      {},
      bearer(''),
      bearer('x'),
      bearer(`${server.token}x`),
      bearer(server.token.slice(1)),
      { authorization: server.token },
    ];
    for (const headers of wrong) {
      for (const path of ['/campaign/night/pause', '/campaign/night/stop', '/campaign/ended/resume', '/token'])
        assert.equal((await ask('POST', path, headers)).status, 401, JSON.stringify(headers));
      assert.equal((await ask('POST', `/campaign/night/pause?token=${server.token}`, headers)).status, 401);
    }
    assert.equal(takeWish(driven.path), undefined);
    assert.equal((await ask('GET', '/campaign/night/stop', bearer())).status, 404);
    assert.ok(server.token.length >= 32);
  });

  it('does nothing for a page of another site, token or not', async () => {
    const wrong: Record<string, string>[] = [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${port + 1}` },
      { origin: `http://127.0.0.1:${port}.evil.example` },
      { origin: `ftp://127.0.0.1:${port}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: `http://127.0.0.1:${port}` },
    ];
    for (const headers of wrong)
      assert.equal(
        (await ask('POST', '/campaign/night/stop', { ...headers, ...bearer() })).status,
        403,
        JSON.stringify(headers),
      );
    assert.equal(takeWish(driven.path), undefined);
    for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`, 'https://fuzz.example.org'])
      assert.equal((await ask('POST', '/token', { origin, ...bearer() })).status, 204, origin);
  });

  it('hands wishes to the driver', async () => {
    for (const [action, expected] of [
      ['pause', 'pause'],
      ['continue', 'run'],
      ['stop', 'stop'],
    ] as const) {
      const { status, text } = await ask('POST', `/campaign/night/${action}`, bearer());
      assert.equal(status, 202, text);
      assert.equal(takeWish(driven.path), expected);
    }
    const refused: [path: string, status: number, text: RegExp][] = [
      ['/campaign/ended/pause', 409, /ended does not run/],
      ['/campaign/night/resume', 409, /night runs already/],
      ['/campaign/night/burn', 404, /no "burn": pause, continue/],
      ['/campaign/nobody/stop', 404, /no campaign "nobody"/],
      ['/nothing', 404, /not here/],
    ];
    for (const [path, status, text] of refused) {
      const answer = await ask('POST', path, bearer());
      assert.equal(answer.status, status, path);
      assert.match(answer.text, text);
    }
  });

  it('takes no large request, and no time that is none', async () => {
    assert.equal((await ask('POST', '/campaign/night/pause', bearer(), 'x'.repeat(2000))).status, 413);
    assert.equal((await ask('GET', '/', { cookie: 'x'.repeat(20_000) })).status, 431);
    for (const body of ['{', '{"time": 8}', '{"time": "8h; rm -rf"}', '{"time": "--help"}'])
      assert.equal((await ask('POST', '/campaign/ended/resume', bearer(), body)).status, 400, body);
    assert.equal(takeWish(driven.path), undefined);
    assert.ok(!isDriven(join(directory, 'ended.db')));
  });

  it('lets only so many listen', async () => {
    const streams = [1, 2, 3].map(() => new Stream(`${server.url}campaign/night/events`));
    for (const stream of streams) await stream.until('update', ({ updates }) => updates[0]);
    const { status, headers } = await ask('GET', '/campaign/night/events');
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '30');
    for (const stream of streams) stream.close();
    for (let i = 0; i < 200 && server.clients > 0; i++) await sleep(10);
    const again = new Stream(`${server.url}campaign/night/events`);
    await again.until('update', ({ updates }) => updates[0]);
    again.close();
  });

  it('shows a finding step by step, by its newest id', async () => {
    const { status, headers, text } = await ask('GET', `/campaign/night/finding/${leak.id}`);
    assert.equal(status, 200);
    assert.match(headers['content-type']!, /^text\/html/);
    const [, boot] = /<script id="boot" type="application\/json">(.*?)<\/script>/.exec(text) ?? [];
    const { findings } = JSON.parse(boot!);
    assert.deepEqual(
      findings.map(({ program, spec }: { program: string; spec: unknown }) => [program, spec]),
      [[LEAK, { kernel: 'v5.7', with: [], without: [] }]],
    );
    const none = await ask('GET', '/campaign/night/finding/0123456789');
    assert.equal(none.status, 404);
    assert.match(none.text, /a shorter one may have taken its place/);
  });

  it('knows names of wildcard addresses, and of proxies at any port', () => {
    const asking = (host: string, origin?: string) =>
      ({ headers: { host, ...(origin !== undefined && { origin }) } }) as Parameters<Guard['knowsHost']>[0];
    const everywhere = new Guard('t', '0.0.0.0', 80, []);
    assert.ok(everywhere.knowsHost(asking(hostname())));
    assert.ok(everywhere.knowsHost(asking('127.0.0.1')));
    assert.ok(!everywhere.knowsHost(asking('evil.example')));
    assert.ok(!everywhere.knowsHost(asking('')));
    const named = new Guard('t', '192.0.2.7', 8421, ['watch.example']);
    assert.ok(named.knowsHost(asking('192.0.2.7:8421')));
    assert.ok(named.knowsHost(asking('watch.example:9443')));
    assert.ok(!named.knowsHost(asking('127.0.0.1:8421')));
    assert.ok(named.knowsOrigin(asking('192.0.2.7:8421', 'https://watch.example')));
  });
});
