/** A webhook's receiver over real HTTP: it consents, verifies each delivery with `standardwebhooks`, and behaves as told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  readonly id: string;
  readonly sequence: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** In ms, on the receiver's own clock. */
  readonly at: number;
}

/** How a delivery is answered. `cut` ends the connection after it was taken in; `ignore` never answers. */
export type Reaction =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  | 'cut'
  | 'ignore';

export type Behaviour = (
  received: Received,
  earlier: readonly Received[],
) => Reaction | Promise<Reaction>;

const OK: Reaction = { status: 204 };

export class Receiver implements AsyncDisposable {
  /** What came, in its order, whatever was answered. */
  readonly received: Received[] = [];
  /** What was answered with 2xx. */
  readonly accepted: Received[] = [];
  /** What did not verify. */
  readonly forged: Received[] = [];
  handshakes: Readonly<Record<string, string>>[] = [];
  behaviour: Behaviour = () => OK;
  consent: (origin: string) => Reaction = () => ({
    status: 200,
    headers: { 'webhook-allowed-origin': '*' },
  });
  secret: string | undefined;
  /** The most requests at one time. */
  mostAtOnce = 0;
  #atOnce = 0;
  #server: Server;
  #port = 0;

  constructor() {
    this.#server = this.#make();
  }

  static async listen(): Promise<Receiver> {
    const receiver = new Receiver();
    await receiver.up();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** Listens, on the port that it had before. */
  async up(): Promise<void> {
    if (this.#server.listening) return;
    this.#server = this.#make();
    await new Promise<void>((done) => this.#server.listen(this.#port, '127.0.0.1', done));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses connections, and cuts those that it has. */
  async down(): Promise<void> {
    await new Promise<void>((done) => {
      this.#server.close(() => done());
      this.#server.closeAllConnections();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #make(): Server {
    return createServer((request, response) => {
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
      response.once('close', () => this.#atOnce--);
      void this.#answer(request, response).catch(() => request.socket.destroy());
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const headers = request.headers as Record<string, string>;
    if (request.method === 'OPTIONS') {
      this.handshakes.push(headers);
      return react(this.consent(headers['webhook-request-origin'] ?? ''), response);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const id = headers['webhook-id'] ?? '';
    const received = {
      id,
      sequence: Number(id.slice(id.lastIndexOf('_') + 1)),
      headers,
      body: Buffer.concat(chunks).toString(),
      at: Date.now(),
    };
    this.#verify(received);
    const earlier = [...this.received];
    this.received.push(received);
    const reaction = await this.behaviour(received, earlier);
    if (typeof reaction === 'object' && reaction.status < 300) this.accepted.push(received);
    react(reaction, response);
  }

  #verify(received: Received): void {
    if (this.secret === undefined) return;
    try {
      new Webhook(this.secret).verify(received.body, received.headers);
    } catch {
      this.forged.push(received);
    }
  }
}

function react(reaction: Reaction, response: ServerResponse): void {
  if (reaction === 'cut') response.destroy();
  else if (reaction !== 'ignore')
    response.writeHead(reaction.status, reaction.headers).end(reaction.body ?? '');
}
