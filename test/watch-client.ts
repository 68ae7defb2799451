// A listener to server-sent events, which knows no more than the standard says.
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Hello, Update } from '../src/watch/wire.js';

export interface Message {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

export class Stream {
  readonly #request: ClientRequest;
  readonly messages: Message[] = [];
  comments = 0;
  closed = false;
  status = 0;
  #pieces: string[] = [];
  #wake: (() => void)[] = [];

  constructor(url: string, lastEventId?: string) {
    const headers = { accept: 'text/event-stream', ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
    this.#request = request(url, { headers, agent: false }, (response) => this.#read(response));
    this.#request.on('error', () => this.#end());
    this.#request.end();
  }

  /** Resolves to what `find` gives, as soon as it gives anything. */
  async until<T>(what: string, find: (stream: Stream) => T | undefined | false, ms = 8000): Promise<T> {
    const deadline = Date.now() + ms;
    for (;;) {
      const found = find(this);
      if (found !== undefined && found !== false) return found;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no ${what} after ${ms} ms: ${JSON.stringify(this.messages).slice(0, 2000)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  get updates(): (Update & { readonly id: string })[] {
    return this.messages
      .filter(({ event }) => event === 'update')
      .map(({ id, data }) => ({ id, ...(JSON.parse(data) as Update) }));
  }

  get hello(): Hello | undefined {
    const found = this.messages.find(({ event }) => event === 'hello');
    return found && (JSON.parse(found.data) as Hello);
  }

  get lastId(): string {
    return this.messages.findLast(({ id }) => id !== '')?.id ?? '';
  }

  close(): void {
    this.#request.destroy();
  }

  #read(response: IncomingMessage): void {
    this.status = response.statusCode ?? 0;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      // Long messages come in many pieces: they are put together once.
      const ends = chunk.includes('\n\n') || (chunk.startsWith('\n') && this.#pieces.at(-1)?.endsWith('\n'));
      this.#pieces.push(chunk);
      if (!ends) return;
      const blocks = this.#pieces.join('').split('\n\n');
      this.#pieces = [blocks.pop()!];
      for (const block of blocks) this.#take(block.split('\n'));
      this.#rouse();
    });
    response.on('close', () => this.#end());
    this.#rouse();
  }

  #take(lines: readonly string[]): void {
    const fields = new Map<string, string>();
    for (const line of lines) {
      const [, name, value] = /^([a-z]*): ?(.*)$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`no line of a stream: ${line}`);
      if (name === '') this.comments++;
      else fields.set(name, fields.has(name) ? `${fields.get(name)}\n${value}` : value!);
    }
    if (!fields.has('data')) return;
    this.messages.push({ id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: fields.get('data')! });
  }

  #end(): void {
    this.closed = true;
    this.#rouse();
  }

  #rouse(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
