// Who may ask what: names that the server goes by, where a request comes from, and the token.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

export function makeToken(): string {
  return randomBytes(24).toString('base64url');
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** As it stands in an address. */
export function inUrl(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host.toLowerCase();
}

/** Names and addresses by which the server that listens on `host` can be reached. */
function namesFor(host: string): string[] {
  const local = ['localhost', '127.0.0.1', '::1'];
  if (isLoopback(host)) return [host, ...local];
  if (host !== '0.0.0.0' && host !== '::') return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address));
  return [hostname(), ...local, ...addresses];
}

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** `name` and port of `name:port`; undefined if it is none. */
function parseHost(text: string, defaultPort: number): { readonly name: string; readonly port: number } | undefined {
  const [, name, port] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  return name === undefined ? undefined : { name: name.toLowerCase(), port: port ? Number(port) : defaultPort };
}

export class Guard {
  readonly token: string;
  readonly #digest: Buffer;
  readonly #names: ReadonlySet<string>;
  readonly #port: number;
  readonly #proxied: ReadonlySet<string>;

  /** `proxied`: names by which a proxy in front is reached, at any port. */
  constructor(token: string, host: string, port: number, proxied: readonly string[]) {
    this.token = token;
    this.#digest = digestOf(token);
    this.#names = new Set(namesFor(host).map(inUrl));
    this.#port = port;
    this.#proxied = new Set(proxied.map(inUrl));
  }

  /** A page of another site that has its name lead here (DNS rebinding) asks for that name. */
  knowsHost({ headers }: IncomingMessage): boolean {
    return this.#knows(headers.host ?? '', 80);
  }

  /** Browsers say where a POST comes from; whoever says nothing is no browser. */
  knowsOrigin({ headers }: IncomingMessage): boolean {
    const { origin } = headers;
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
    if (origin === undefined) return true;
    const [, protocol, host] = /^(https?:)\/\/([^/]+)$/.exec(origin) ?? [];
    return protocol !== undefined && this.#knows(host!, PORTS[protocol]!);
  }

  /** Takes as long for a wrong token as for the right one. */
  knowsToken({ headers }: IncomingMessage): boolean {
    const [, token] = /^Bearer (\S{1,200})$/.exec(headers.authorization ?? '') ?? [];
    return token !== undefined && timingSafeEqual(digestOf(token), this.#digest);
  }

  #knows(text: string, defaultPort: number): boolean {
    const host = parseHost(text, defaultPort);
    if (!host) return false;
    return this.#proxied.has(host.name) || (this.#names.has(host.name) && host.port === this.#port);
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
