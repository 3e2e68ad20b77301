/** An edge's `POST /events` for the replay's tests, over real HTTP, that fails as it is told to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault = 'none' | 'busy' | 'cut before' | 'cut after';

interface Given {
  readonly id: string;
  readonly type?: unknown;
}

export class ReplayEdge {
  readonly stored = new Map<string, string>();
  /** Asked before each request. */
  fault: () => Fault = () => 'none';
  requests = 0;
  largest = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<URL> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, id] = /^\/events\/(.+)$/.exec(request.url ?? '') ?? [];
    if (request.method === 'GET') {
      const known = id !== undefined && this.stored.has(decodeURIComponent(id));
      return void response.writeHead(known ? 200 : 404).end();
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    this.requests++;
    this.largest = Math.max(this.largest, body.length);
    const fault = this.fault();
    if (fault === 'busy') return void response.writeHead(503, { 'retry-after': '0' }).end();
    if (fault === 'cut before') return void request.socket.destroy();
    const [status, answer] = this.#publish(JSON.parse(body.toString()) as Given[]);
    if (fault === 'cut after') return void request.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  /** All or nothing, as the edge does it. */
  #publish(events: readonly Given[]): [status: number, answer: unknown] {
    const invalid = events.flatMap(({ type }, i) =>
      typeof type === 'string' ? [] : [{ pointer: `/${i}/type`, detail: 'must be a string' }],
    );
    if (invalid.length > 0) return [400, { detail: 'invalid', errors: invalid }];
    const known = new Map(this.stored);
    const conflicts: { pointer: string; detail: string }[] = [];
    const answers = events.map((event, i) => {
      const text = JSON.stringify(event);
      const before = known.get(event.id);
      if (before === undefined) known.set(event.id, text);
      else if (before !== text)
        conflicts.push({ pointer: `/${i}/id`, detail: 'is known with other content' });
      return { event_id: event.id, status: before === undefined ? 'published' : 'duplicate' };
    });
    if (conflicts.length > 0) return [409, { detail: 'conflict', errors: conflicts }];
    for (const [id, text] of known) this.stored.set(id, text);
    return [200, answers];
  }
}
