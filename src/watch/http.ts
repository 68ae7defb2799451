// Small parts of answering: refusals, answers, bodies.
import type { IncomingMessage, ServerResponse } from 'node:http';

const MOST_BODY = 1024;
/** More active time for a campaign that is done. */
const TIME = /^\d{1,4}(m|h|d)$/;

/** Not answered as asked: status and why. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function answer(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** Reads a small body. Throws Refused for a large one. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BODY) throw new Refused(413, 'too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `{"time": "8h"}` or nothing. */
export function timeOf(body: string): string | undefined {
  if (body === '') return undefined;
  let time: unknown;
  try {
    time = (JSON.parse(body) as { time?: unknown } | null)?.time;
  } catch {
    throw new Refused(400, 'the body is no JSON');
  }
  if (time === undefined) return undefined;
  if (typeof time === 'string' && TIME.test(time)) return time;
  throw new Refused(400, 'time: expected a duration such as 30m, 8h or 2d');
}

/** Throws Refused for what is no text. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refused(400, 'no such address');
  }
}
