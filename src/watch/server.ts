// The server of the page that watches: who may ask, what is where, and what it answers.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Engine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { gallery, pageHtml } from '../page-build/html.js';
import { CampaignReader } from '../store/read.js';
import { printSpec } from '../text/id.js';
import { act } from './actions.js';
import { type Asset, loadAssets } from './assets.js';
import { Channel, PACE, type Pace } from './channel.js';
import { Campaigns, type Place, WatchedDirectory } from './directory.js';
import { Guard, inUrl, makeToken } from './guard.js';
import { answer, bodyOf, decoded, Refused, timeOf } from './http.js';
import { HighWater, metricsText } from './metrics.js';
import { Watched } from './watched.js';
import { ACTIONS, type Action } from './wire.js';

export interface WatchOptions extends Place {
  readonly host: string;
  readonly port: number;
  /** Names by which a proxy in front is reached. */
  readonly proxied?: readonly string[];
  readonly pace?: Partial<Pace>;
  /** A request that could not be answered. */
  readonly onError?: (error: unknown) => void;
  /** Streams at a time. */
  readonly mostClients?: number;
}

const MOST_CLIENTS = 64;
const MOST_CONNECTIONS = 256;
const MOST_HEADERS = 16_384;
const REQUEST_MS = 15_000;
const SHELL_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PLAIN = 'text/plain; charset=utf-8';
const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

function redirect(response: ServerResponse, name: string): void {
  response.writeHead(302, { location: `/campaign/${encodeURIComponent(name)}` }).end();
}

export class WatchServer {
  readonly #options: WatchOptions;
  readonly #engine: Engine;
  readonly #campaigns: Campaigns;
  readonly #assets = loadAssets();
  readonly #gallery = gallery();
  readonly #water = new HighWater();
  readonly #channels = new Map<string, Channel>();
  readonly #server: Server;
  readonly #token = makeToken();
  #guard: Guard | undefined;
  #clients = 0;

  constructor(engine: Engine, options: WatchOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#campaigns = new Campaigns(options);
    this.#server = createServer(
      { maxHeaderSize: MOST_HEADERS, requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  get token(): string {
    return this.#token;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://${inUrl(this.#options.host)}:${port}/`;
  }

  /** Who listens to a stream at the moment. */
  get clients(): number {
    return this.#clients;
  }

  /** Campaigns, and lists of them, that somebody listens to. */
  get channels(): number {
    return this.#channels.size;
  }

  /** Rejects with what kept it from listening. */
  async listen(): Promise<void> {
    const { host, port, proxied = [] } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    this.#guard = new Guard(this.#token, host, (this.#server.address() as AddressInfo).port, proxied);
  }

  async close(): Promise<void> {
    for (const channel of [...this.#channels.values()]) channel.close();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    response.setHeader('cache-control', 'no-store');
    response.setHeader('content-security-policy', SHELL_POLICY);
    try {
      await this.#route(request, response);
    } catch (error) {
      const status = error instanceof Refused ? error.status : error instanceof UsageError ? 404 : 500;
      const text = error instanceof Error ? error.message : String(error);
      if (status === 500) this.#options.onError?.(error);
      if (response.headersSent) response.destroy();
      else {
        // What is left of the request is not read.
        if (!request.complete) response.setHeader('connection', 'close');
        answer(response, status, PLAIN, `${status === 500 ? 'internal error' : text}\n`);
      }
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const guard = this.#guard!;
    if (!guard.knowsHost(request)) throw new Refused(421, 'this server does not go by that name');
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const parts = path.split('/').slice(1).map(decoded);
    if (request.method === 'POST') await this.#post(guard, request, response, parts);
    else if (request.method === 'GET' || request.method === 'HEAD') {
      const show = this.#find(parts, query);
      if (!show) throw new Refused(404, 'not here');
      show(response);
    } else {
      response.setHeader('allow', 'GET, HEAD, POST');
      throw new Refused(405, `no ${request.method} here`);
    }
  }

  /** Who answers that address; undefined: nobody. */
  #find(parts: readonly string[], query: string): ((response: ServerResponse) => void) | undefined {
    const [first, second = '', third, fourth = ''] = parts;
    const { shell, icon, files } = this.#assets;
    if (parts.length === 1) {
      const { only } = this.#options;
      const pages: Readonly<Record<string, (response: ServerResponse) => void>> = {
        '': (response) =>
          only === undefined ? answer(response, 200, shell.type, shell.body) : redirect(response, only),
        events: (response) => this.#stream(response, query, ''),
        healthz: (response) => answer(response, 200, PLAIN, 'ok\n'),
        metrics: (response) =>
          answer(response, 200, METRICS, metricsText(this.#campaigns.all(), this.#clients, this.#water)),
        'favicon.ico': this.#asset(icon),
      };
      return Object.hasOwn(pages, first!) ? pages[first!] : undefined;
    }
    if (first === 'assets' && parts.length === 2) {
      const file = files.get(second);
      return file && this.#asset(file);
    }
    if (first !== 'campaign') return undefined;
    const path = this.#campaigns.pathOf(second);
    if (parts.length === 2) return this.#asset(shell);
    if (third === 'events' && parts.length === 3) return (response) => this.#stream(response, query, second);
    if (third === 'finding' && parts.length === 4) return (response) => this.#finding(response, second, path, fourth);
    return undefined;
  }

  async #post(guard: Guard, request: IncomingMessage, response: ServerResponse, parts: readonly string[]) {
    if (!guard.knowsOrigin(request)) throw new Refused(403, 'asked from a page of another site');
    const isAction = parts[0] === 'campaign' && parts.length === 3;
    if (!isAction && !(parts[0] === 'token' && parts.length === 1)) throw new Refused(404, 'not here');
    if (!guard.knowsToken(request)) {
      response.setHeader('www-authenticate', 'Bearer');
      throw new Refused(401, 'this needs the token that "breakcow campaign serve" printed when it began');
    }
    const body = await bodyOf(request);
    if (!isAction) {
      response.writeHead(204).end();
      return;
    }
    const [, name = '', wanted] = parts;
    const path = this.#campaigns.pathOf(name);
    const action = ACTIONS.find((known) => known === wanted);
    if (!action) throw new Refused(404, `no "${wanted}": ${ACTIONS.join(', ')}`);
    await this.#act(response, { directory: this.#options.directory, name, path }, action, timeOf(body));
  }

  async #act(response: ServerResponse, target: Parameters<typeof act>[0], action: Action, time?: string) {
    let told: string;
    try {
      told = await act(target, action, time);
    } catch (error) {
      if (error instanceof UsageError) throw new Refused(409, error.message);
      throw error;
    }
    answer(response, 202, 'application/json', JSON.stringify({ told }));
  }

  #asset(asset: Asset): (response: ServerResponse) => void {
    return (response) => answer(response, 200, asset.type, asset.body);
  }

  /** The page of `report`, with one finding. Its policy stands in it. */
  #finding(response: ServerResponse, name: string, file: string, id: string): void {
    const reader = new CampaignReader(file);
    let found: ReturnType<CampaignReader['findings']>[number] | undefined;
    try {
      found = reader.findings().find((finding) => finding.id === id);
    } finally {
      reader.close();
    }
    if (!found) throw new Refused(404, `no finding ${id} in ${name} now: a shorter one may have taken its place`);
    const { json, slug } = found;
    const spec = { kernel: json.kernel, with: json.with, without: json.without };
    const title = `${slug} on ${printSpec(spec)} (${id})`;
    const choice = { name: title, program: json.minimized, spec, note: '' };
    const html = pageHtml({ title: `breakcow: ${title}`, findings: [choice], gallery: this.#gallery });
    response.setHeader('content-security-policy', "frame-ancestors 'none'");
    answer(response, 200, 'text/html; charset=utf-8', html);
  }

  /** `name` '' = the list of campaigns. */
  #stream(response: ServerResponse, query: string, name: string): void {
    const { req: request } = response;
    if (request.method === 'HEAD') throw new Refused(405, 'a stream has no HEAD');
    if (this.#clients >= (this.#options.mostClients ?? MOST_CLIENTS)) {
      response.setHeader('retry-after', '30');
      throw new Refused(503, 'too many watch already');
    }
    const header = request.headers['last-event-id'];
    const mark = (typeof header === 'string' ? header : undefined) ?? new URLSearchParams(query).get('after');
    this.#clients++;
    response.once('close', () => {
      this.#clients--;
    });
    request.socket.setKeepAlive(true, REQUEST_MS);
    const hello = { page: this.#assets.version, now: new Date().toISOString() };
    this.#channel(name).join(response, hello, mark ?? undefined);
  }

  #channel(name: string): Channel {
    const known = this.#channels.get(name);
    if (known) return known;
    const { directory } = this.#options;
    const source =
      name === ''
        ? new WatchedDirectory(this.#campaigns)
        : new Watched(this.#engine.catalogue, directory, name, this.#campaigns.pathOf(name));
    const channel = new Channel(source, { ...PACE, ...this.#options.pace }, () => this.#channels.delete(name));
    this.#channels.set(name, channel);
    return channel;
  }
}
