// breakcow campaign serve: a page to watch campaigns, and to pause, stop and resume them.
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { loadEngine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { CAMPAIGNS, findCampaign } from '../night/places.js';
import { isLoopback } from '../watch/guard.js';
import { WatchServer } from '../watch/server.js';
import { parsePort, withJson } from './options.js';
import { complain, print, printJson } from './output.js';

const DEFAULT_PORT = 8421;
const LOOPBACK = '127.0.0.1';

interface Options {
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly name?: readonly string[];
  readonly json?: boolean;
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** What keeps a server from listening, in words. */
function translated(error: unknown, { host, port }: Options): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'EADDRINUSE') return new UsageError(`port ${port} is in use; --port 0 takes a free one`);
  if (code === 'EACCES') return new UsageError(`port ${port} is not for everybody: take one above 1023`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new UsageError(`host "${host}": no address of this machine; 127.0.0.1 is, 0.0.0.0 is all of them`);
  return error;
}

/** Until the process is told to end. */
async function serve(name: string | undefined, options: Options): Promise<void> {
  const { dir, host, port, json } = options;
  if (name !== undefined) findCampaign(dir, name);
  const server = new WatchServer(loadEngine(), {
    directory: resolve(dir),
    host,
    port,
    ...(name !== undefined && { only: name }),
    ...(options.name && { proxied: options.name }),
    onError: (error) => complain(`breakcow: ${error instanceof Error ? error.stack : error}`),
  });
  try {
    await server.listen();
  } catch (error) {
    throw translated(error, options);
  }
  const told = new Promise<void>((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
  const { url, token } = server;
  if (json) printJson({ url, token });
  else
    print(`${url}#token=${token}\nWithout the token the page is read-only. Ctrl-C ends the server, not the campaigns.`);
  if (!isLoopback(host))
    complain(
      `breakcow: whoever reaches ${host} can read; the token travels in the clear unless a TLS proxy is in front (--name)`,
    );
  await told;
  await server.close();
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('a page to watch campaigns, with buttons')
    .description(
      'Serve a page that shows campaigns while they run: what was tried and found, charts, workers, the log. It reads their files, so it may come and go. Pause, continue, stop and resume need the token that is printed. /metrics is for Prometheus, /healthz for a supervisor.',
    )
    .argument('[name]', 'only this campaign (default: all of the directory)')
    .addOption(new Option('--port <n>', '0 = any free one').argParser(parsePort).default(DEFAULT_PORT))
    .option('--host <address>', 'where to listen; another than this machine lets everybody read', LOOPBACK)
    .addOption(
      new Option('--name <host>', 'name by which a proxy in front is reached; may be repeated').argParser(collect),
    )
    .option('--dir <directory>', 'where campaigns lie', CAMPAIGNS)
    .addHelpText(
      'after',
      `
Examples:
  breakcow campaign serve
  breakcow campaign serve 2026-11-28 --port 0
  breakcow campaign serve --host 0.0.0.0 --name fuzz.example.org     behind a TLS proxy`,
    );
  return withJson(command).action(serve);
}
