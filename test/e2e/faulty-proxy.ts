/** An HTTP proxy before the edge that does to requests what networks and gateways do, by seeded chance. */
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { seeded } from './seeded.ts';

/**
 * `request-lost`: never reaches the edge. `answer-lost`: the edge does it, and nobody hears of it. `answer-cut`: the answer breaks off.
 * The others are what a gateway answers in the edge's place.
 */
export type HttpFault = 'request-lost' | 'answer-lost' | 'answer-cut' | '500' | '503' | '429';

export interface FaultyProxy extends AsyncDisposable {
  readonly url: string;
  /** How often each fault has come; `none` are requests that went well. */
  readonly counts: Readonly<Record<HttpFault | 'none', number>>;
  /** Ids of the producers whose pushes came by. */
  readonly producers: ReadonlySet<string>;
  /** No more faults from now on. */
  calm(): void;
}

export interface FaultyProxyOptions {
  readonly port: number;
  readonly seed: number;
  /** How many of a hundred requests meet each. */
  readonly percent: Readonly<Record<HttpFault, number>>;
}

/** What a page needs to read an answer of another origin. */
const CORS = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after' };

export async function startFaultyProxy(options: FaultyProxyOptions): Promise<FaultyProxy> {
  const random = seeded(options.seed);
  const counts = {
    none: 0,
    'request-lost': 0,
    'answer-lost': 0,
    'answer-cut': 0,
    '500': 0,
    '503': 0,
    '429': 0,
  };
  const producers = new Set<string>();
  let calm = false;
  const next = (method: string | undefined): HttpFault | undefined => {
    // What a browser asks before it asks is not what is tested here.
    if (calm || method === 'OPTIONS') return undefined;
    let chance = random() * 100;
    const faults = Object.entries(options.percent) as [HttpFault, number][];
    return faults.find(([, percent]) => (chance -= percent) < 0)?.[0];
  };
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const producer = /^\{"producer":"([^"]+)"/.exec(body.toString('latin1', 0, 200))?.[1];
    if (producer !== undefined) producers.add(producer);
    const fault = next(request.method);
    if (request.method !== 'OPTIONS') counts[fault ?? 'none']++;
    if (fault === 'request-lost') request.socket.destroy();
    else if (fault === '500' || fault === '503' || fault === '429') refuse(response, Number(fault));
    else forward(options.port, request, body, response, fault);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    counts,
    producers,
    calm: () => void (calm = true),
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((done) => void server.close(() => done()));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The browser was killed as it sent: what there is of it goes on, and the edge refuses it.
  }
  return Buffer.concat(chunks);
}

function refuse(response: ServerResponse, status: number): void {
  const retry = status === 429 ? { 'retry-after': '1' } : {};
  response.writeHead(status, { ...CORS, ...retry, 'content-type': 'text/plain' });
  response.end('a gateway says no');
}

function forward(
  port: number,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
  fault: HttpFault | undefined,
): void {
  const { 'transfer-encoding': _, ...rest } = headers;
  const upstream = ask(
    { port, host: '127.0.0.1', method, path: url, headers: { ...rest, 'content-length': body.length } },
    async (answer) => {
      const text = await bodyOf(answer);
      if (fault === 'answer-lost') return void response.destroy();
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'content-length': text.length });
      if (fault !== 'answer-cut') return void response.end(text);
      response.write(text.subarray(0, text.length >> 1));
      response.destroy();
    },
  );
  upstream.on('error', () => response.destroy());
  upstream.end(body);
}
