// A Redis of its own for a test or a benchmark: on a free port of the loopback interface, in a temporary folder.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** `REDIS_SERVER` may name another, such as valkey-server. */
const SERVER = process.env.REDIS_SERVER ?? 'redis-server';

export function runs(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Why there is none, or false. */
export function withoutRedis(): string | false {
  if (runs(SERVER, '--version')) return false;
  return `no Redis: ${SERVER} does not run; apt install redis-server, or set REDIS_SERVER`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export class RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly #args: readonly string[];
  readonly #tls: boolean;
  readonly #password: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, folder: string, { args = [], tls = false, password = '' }: ServerOptions) {
    this.port = port;
    this.folder = folder;
    this.#tls = tls;
    this.#password = password;
    const ports = tls ? ['--port', '0', '--tls-port', `${port}`] : ['--port', `${port}`];
    const auth = password === '' ? [] : ['--requirepass', password];
    this.#args = [...ports, ...auth, '--bind', '127.0.0.1', '--dir', folder, '--loglevel', 'warning', ...args];
  }

  static async start(options: ServerOptions = {}): Promise<RedisServer> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'breakcow-redis-'));
    const server = new RedisServer(await freePort(), folder, options);
    await server.up();
    return server;
  }

  get url(): URL {
    const auth = this.#password === '' ? '' : `:${this.#password}@`;
    return new URL(`${this.#tls ? 'rediss' : 'redis'}://${auth}127.0.0.1:${this.port}`);
  }

  /** A connection for the test itself. */
  client(): Redis {
    const tls = this.#tls ? { tls: { rejectUnauthorized: false } } : {};
    const auth = this.#password === '' ? {} : { password: this.#password };
    const client = new Redis({ host: '127.0.0.1', port: this.port, maxRetriesPerRequest: null, ...tls, ...auth });
    client.on('error', () => {});
    return client;
  }

  async up(): Promise<void> {
    this.#child = spawn(SERVER, this.#args, { stdio: 'ignore' });
    const client = this.client();
    await client.ping();
    client.disconnect();
  }

  /** As the power would. */
  async kill(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface ServerOptions {
  readonly args?: readonly string[];
  readonly tls?: boolean;
  readonly password?: string;
  /** A new one by default. */
  readonly folder?: string;
}
