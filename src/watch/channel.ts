// Server-sent events: whoever listens gets what changed since, at their own pace; a source is looked at while somebody listens.
import type { ServerResponse } from 'node:http';

export interface Told {
  /** Where the listener is once it has got this. */
  readonly mark: string;
  readonly data: unknown;
}

/** What there is to tell. */
export interface Source {
  /** Looks what is new. Does not throw. */
  poll(): void;
  /** What changed since that mark, or all of it for a mark that says nothing; undefined: nothing. */
  since(mark: string | undefined): Told | undefined;
  close(): void;
}

export interface Pace {
  readonly pollMs: number;
  /** A comment goes out so often, so that a dead connection is seen. */
  readonly heartbeatMs: number;
  /** Who takes nothing for so long is dropped. */
  readonly stallMs: number;
}

export const PACE: Pace = { pollMs: 1000, heartbeatMs: 15_000, stallMs: 30_000 };

/** The browser asks again after so many ms. */
const RETRY_MS = 2000;

class Listener {
  readonly #response: ServerResponse;
  mark: string | undefined;
  /** When it stopped taking; undefined: it takes. */
  #stalled: number | undefined;
  #heard = Date.now();

  constructor(response: ServerResponse, mark: string | undefined) {
    this.#response = response;
    this.mark = mark;
  }

  get ready(): boolean {
    return this.#stalled === undefined;
  }

  /** Nothing more is written until that is taken: a slow listener holds one message at most. */
  write(text: string): void {
    this.#heard = Date.now();
    if (!this.#response.write(text)) this.#stalled = Date.now();
  }

  drained(): void {
    this.#stalled = undefined;
  }

  /** A comment if it is time for one; false: it has taken nothing for too long. */
  beat({ heartbeatMs, stallMs }: Pace): boolean {
    const now = Date.now();
    if (this.#stalled !== undefined) return now - this.#stalled < stallMs;
    if (now - this.#heard >= heartbeatMs) this.write(': still here\n\n');
    return true;
  }

  end(): void {
    this.#response.destroy();
  }
}

interface Message {
  readonly text: string;
  readonly mark: string;
}

/** Messages by where they lead from. */
type Made = Map<string | undefined, Message | undefined>;

export class Channel {
  readonly #source: Source;
  readonly #pace: Pace;
  readonly #onIdle: () => void;
  readonly #listeners = new Set<Listener>();
  readonly #timer: NodeJS.Timeout;

  /** `onIdle`: the last listener has left, and the channel is closed. */
  constructor(source: Source, pace: Pace, onIdle: () => void) {
    this.#source = source;
    this.#pace = pace;
    this.#onIdle = onIdle;
    source.poll();
    this.#timer = setInterval(() => this.#tick(), pace.pollMs);
  }

  /** Answers with a stream. `hello` is told first, `mark` is where the listener was before. */
  join(response: ServerResponse, hello: unknown, mark: string | undefined): void {
    const listener = new Listener(response, mark);
    this.#listeners.add(listener);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    response.on('drain', () => {
      listener.drained();
      this.#tell(listener, new Map());
    });
    response.on('close', () => this.#leave(listener));
    response.on('error', () => this.#leave(listener));
    listener.write(`retry: ${RETRY_MS}\nevent: hello\ndata: ${JSON.stringify(hello)}\n\n`);
    this.#tell(listener, new Map());
  }

  close(): void {
    for (const listener of [...this.#listeners]) {
      this.#leave(listener);
      listener.end();
    }
  }

  #tick(): void {
    this.#source.poll();
    const made: Made = new Map();
    for (const listener of [...this.#listeners]) {
      this.#tell(listener, made);
      if (listener.beat(this.#pace)) continue;
      this.#leave(listener);
      listener.end();
    }
  }

  /** Most listeners are at the same mark: each message is made once. */
  #tell(listener: Listener, made: Made): void {
    if (!listener.ready) return;
    if (!made.has(listener.mark)) made.set(listener.mark, this.#message(listener.mark));
    const message = made.get(listener.mark);
    if (!message) return;
    listener.mark = message.mark;
    listener.write(message.text);
  }

  #message(from: string | undefined): Message | undefined {
    const told = this.#source.since(from);
    if (!told) return undefined;
    return { mark: told.mark, text: `id: ${told.mark}\nevent: update\ndata: ${JSON.stringify(told.data)}\n\n` };
  }

  #leave(listener: Listener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#source.close();
    this.#onIdle();
  }
}
