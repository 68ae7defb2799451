// breakcow playground: the page of `report` without a finding, served on this machine.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import { playgroundHtml } from '../page-build/html.js';
import { parsePort, withJson } from './options.js';
import { print, printJson } from './output.js';

const DEFAULT_PORT = 8420;

/** Serves the page on 127.0.0.1 until the process ends. */
function serve(port: number, json: boolean): Promise<void> {
  const html = playgroundHtml();
  const server = createServer(({ url, method }, response) => {
    const known = (method === 'GET' || method === 'HEAD') && (url === '/' || url === '/index.html');
    response.writeHead(known ? 200 : 404, {
      'content-type': known ? 'text/html; charset=utf-8' : 'text/plain',
      'x-content-type-options': 'nosniff',
    });
    response.end(known ? html : 'not here\n');
  });
  return new Promise((_, fail) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.code === 'EADDRINUSE' ? new UsageError(`port ${port} is in use; --port 0 takes a free one`) : error);
    });
    server.listen(port, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      if (json) printJson({ url });
      else print(`${url} (Ctrl-C ends)`);
    });
  });
}

export function playgroundCommand(): Command {
  const command = new Command('playground')
    .summary('programs and kernels to play with in the browser')
    .description(
      'Serve the playground on this machine: the page of "breakcow report", beginning with the classics of the bug corpus. The same page lies in dist/playground/index.html for any static host.',
    )
    .addOption(new Option('--port <n>', '0 = any free one').argParser(parsePort).default(DEFAULT_PORT))
    .addHelpText('after', '\nExamples:\n  breakcow playground\n  breakcow playground --port 0');
  return withJson(command).action(({ port, json }: { port: number; json?: boolean }) => serve(port, json === true));
}
