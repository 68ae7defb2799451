// The executor, here or in a guest, as a place where programs run: requests are queued ahead, answers come in order.
import type { ChildProcess } from 'node:child_process';
import type { Backend, Capability, PageLayout, Run } from './observed.js';
import { Decoder, encodeRequest, type Hello, type ObserveLevel, type Response } from './protocol.js';

export interface ExecutorOptions {
  readonly observe: ObserveLevel;
  /** No answer for so long means that it hangs, milliseconds. */
  readonly silenceMs: number;
  /** How long it may take to say hello, and to give its first answer: it may have to wait for another executor. */
  readonly helloMs: number;
  /** Starts a new one after a crash; without it a crash ends everything. */
  readonly respawn?: () => Promise<ChildProcess>;
}

/** No executor can be had any more; what it was asked last is lost. */
export class ExecutorError extends Error {
  override readonly name = 'ExecutorError';
}

/** Programs on their way to the executor at any time: enough to keep it busy, little to send again. */
const QUEUE = 64;
/** After so many crashes without one answer in between, there is no point in going on. */
const MAX_CRASHES = 5;
const CLOSE_MS = 10_000;
const TAIL = 2000;

interface Job {
  readonly words: Uint32Array;
  readonly layout: PageLayout;
  readonly done: (run: Run) => void;
  readonly fail: (error: Error) => void;
}

export class Executor implements Backend {
  readonly #options: ExecutorOptions;
  #child: ChildProcess;
  #decoder = new Decoder();
  #hello!: Hello;
  #greeted: { resolve: () => void; reject: (error: Error) => void } | undefined;
  /** In the order of their answers; the first `#sent` of them have been written. */
  #jobs: Job[] = [];
  #sent = 0;
  #tag = 0;
  #tags: number[] = [];
  #crashes = 0;
  #timer: NodeJS.Timeout | undefined;
  #errors = '';
  #closing = false;
  /** It has said hello and is not known to be lost. */
  #up = false;
  #answered = false;
  #broken: Error | undefined;

  private constructor(child: ChildProcess, options: ExecutorOptions) {
    this.#options = options;
    this.#child = child;
  }

  /** Waits for the hello of a child that was just spawned with pipes for stdin and stdout. Throws Error. */
  static async open(child: ChildProcess, options: ExecutorOptions): Promise<Executor> {
    const executor = new Executor(child, options);
    await executor.#greet();
    return executor;
  }

  get release(): string {
    return this.#hello.release;
  }
  /** uname -v */
  get machine(): string {
    return this.#hello.machine;
  }
  get missing(): readonly string[] {
    return this.#hello.missing;
  }
  get can(): ReadonlySet<Capability> {
    return this.#hello.can;
  }

  run(programs: readonly Uint32Array[], layout: PageLayout): Promise<readonly Run[]> {
    if (this.#broken) return Promise.reject(this.#broken);
    const runs = programs.map(
      (words) =>
        new Promise<Run>((done, fail) => {
          this.#jobs.push({ words, layout, done, fail });
        }),
    );
    this.#pump();
    return Promise.all(runs);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
      child.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      child.stdin?.end();
    });
  }

  #greet(): Promise<void> {
    const child = this.#child;
    this.#decoder = new Decoder();
    this.#errors = '';
    this.#answered = false;
    child.stdout!.on('data', (piece: Buffer) => this.#take(child, piece));
    child.stderr?.on('data', (piece: Buffer) => {
      this.#errors = (this.#errors + piece.toString('utf8')).slice(-TAIL);
    });
    // A write to a process that has died ends in its exit, which is dealt with there.
    child.stdin!.on('error', () => {});
    child.once('error', (error) => this.#crash(child, `it cannot be started: ${error.message}`));
    child.once('close', (code, signal) => this.#crash(child, `it ended with ${signal ?? `code ${code}`}`));
    return new Promise<void>((resolve, reject) => {
      this.#greeted = { resolve, reject };
      this.#expect(this.#options.helloMs);
    });
  }

  #expect(ms: number): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    const seconds = ms / 1000;
    this.#timer = setTimeout(() => this.#crash(child, `no answer for ${seconds} s`), ms);
  }

  #take(child: ChildProcess, piece: Buffer): void {
    if (child !== this.#child || this.#broken) return;
    try {
      for (const response of this.#decoder.push(piece)) {
        this.#greetings();
        if (!this.#answer(response)) {
          this.#crash(child, `an answer with tag ${response.tag}, out of order`);
          return;
        }
      }
      this.#greetings();
    } catch (error) {
      this.#crash(child, error instanceof Error ? error.message : String(error));
      return;
    }
    this.#pump();
  }

  /** Has the hello come? */
  #greetings(): void {
    if (!this.#greeted || !this.#decoder.hello) return;
    const { resolve } = this.#greeted;
    this.#greeted = undefined;
    this.#hello = this.#decoder.hello;
    this.#up = true;
    resolve();
  }

  /** False: nobody has asked for this one now. */
  #answer({ tag, run }: Response): boolean {
    if (this.#tags[0] !== tag) return false;
    this.#tags.shift();
    this.#sent--;
    this.#crashes = 0;
    this.#answered = true;
    this.#jobs.shift()!.done(run);
    return true;
  }

  /** Sends what the queue has room for. */
  #pump(): void {
    if (!this.#up || this.#broken) return;
    const pieces: Uint8Array[] = [];
    while (this.#sent < Math.min(QUEUE, this.#jobs.length)) {
      const { words, layout } = this.#jobs[this.#sent]!;
      this.#tag = (this.#tag + 1) >>> 0;
      this.#tags.push(this.#tag);
      pieces.push(encodeRequest(this.#tag, words, layout, this.#options.observe));
      this.#sent++;
    }
    if (pieces.length > 0) this.#child.stdin!.write(Buffer.concat(pieces));
    if (this.#sent > 0) this.#expect(this.#answered ? this.#options.silenceMs : this.#options.helloMs);
    else clearTimeout(this.#timer);
  }

  /** The child is lost: the program it was at is reported as trouble, the others go to the next one. */
  #crash(child: ChildProcess, why: string): void {
    if (child !== this.#child || this.#closing || this.#broken) return;
    clearTimeout(this.#timer);
    this.#up = false;
    child.kill('SIGKILL');
    const said = this.#errors.trim().split('\n').at(-1) ?? '';
    const complaint = `the executor is lost: ${why}${said === '' ? '' : ` (${said})`}`;
    const { respawn } = this.#options;
    if (this.#greeted || !respawn || ++this.#crashes > MAX_CRASHES) {
      this.#end(new ExecutorError(complaint));
      return;
    }
    if (this.#sent > 0) this.#jobs.shift()!.done({ ops: [], trouble: complaint });
    this.#sent = 0;
    this.#tags = [];
    respawn()
      .then((next) => {
        this.#child = next;
        return this.#greet();
      })
      .then(
        () => this.#pump(),
        (error: unknown) => this.#end(error instanceof Error ? error : new Error(String(error))),
      );
  }

  #end(error: Error): void {
    this.#broken ??= error;
    this.#greeted?.reject(error);
    this.#greeted = undefined;
    for (const { fail } of this.#jobs.splice(0)) fail(error);
  }
}
