/**
 * What the edge reaches by `fetch` in workerd under test, where no network is: a resolver of names, and one receiver,
 * which verifies what it is given.
 */
import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';

export interface Taken {
  readonly id: string;
  readonly sequence: number;
  readonly body: string;
}

export class Network implements Disposable {
  /** What each name stands for. Others do not exist. */
  readonly names = new Map<string, string>();
  readonly taken: Taken[] = [];
  readonly forged: string[] = [];
  secret: string | undefined;
  consents = true;
  /** The status that a delivery is answered with. */
  answer: (taken: Taken) => number = () => 204;
  readonly #spy = vi.spyOn(globalThis, 'fetch');

  constructor() {
    this.#spy.mockImplementation(async (input, init) => this.#fetch(new Request(input, init)));
  }

  [Symbol.dispose](): void {
    this.#spy.mockRestore();
  }

  async #fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.hostname === 'cloudflare-dns.com') return this.#resolve(url.searchParams);
    if (!this.names.has(url.hostname)) throw new Error(`${url.hostname} was contacted`);
    if (request.method === 'OPTIONS')
      return new Response(null, { headers: this.consents ? { 'webhook-allowed-origin': '*' } : {} });
    const id = request.headers.get('webhook-id')!;
    const body = await request.text();
    const taken = { id, sequence: Number(id.slice(id.lastIndexOf('_') + 1)), body };
    try {
      new Webhook(this.secret!).verify(body, Object.fromEntries(request.headers));
      this.taken.push(taken);
    } catch {
      this.forged.push(id);
    }
    return new Response(null, { status: this.answer(taken) });
  }

  #resolve(query: URLSearchParams): Response {
    const data = this.names.get(query.get('name')!);
    if (data === undefined) return Response.json({ Status: 3 });
    return Response.json({ Status: 0, Answer: query.get('type') === 'A' ? [{ type: 1, data }] : [] });
  }
}
