/** Writes its own keys' events one request after the other, each until it is acknowledged. */
import { pause, type SoakedEdge } from './edge-soak-edge.ts';

const KEYS_A_WRITER = 5;
const TYPES = ['order.placed', 'order.placed', 'page.viewed'] as const;

/**
 * - `push`: in a producer's sequence, in whatever pieces.
 * - `publish`: with ids of its own.
 * - `keyed`: with ids of the edge's, under an idempotency key for each request.
 */
export type Manner = 'push' | 'publish' | 'keyed';

interface Written {
  readonly id: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export class Writer {
  /** Ids. */
  readonly acknowledged: string[] = [];
  /** What no edge that is well would answer. */
  readonly refused: string[] = [];
  retries = 0;
  readonly #edge: SoakedEdge;
  readonly #name: string;
  readonly #manner: Manner;
  readonly #random: () => number;
  #seq = 0;
  #number = 0;
  #requests = 0;
  #ended = false;

  constructor(edge: SoakedEdge, name: string, manner: Manner, random: () => number) {
    this.#edge = edge;
    this.#name = name;
    this.#manner = manner;
    this.#random = random;
  }

  /** After what is under way. */
  end(): void {
    this.#ended = true;
  }

  async run(): Promise<void> {
    while (!this.#ended) {
      this.#requests++;
      let batch = Array.from({ length: 1 + Math.floor(this.#random() * 20) }, () => this.#event());
      while (batch.length > 0) {
        const stored = await this.#send(batch).catch(() => []);
        this.acknowledged.push(...stored);
        this.#seq += stored.length;
        batch = batch.slice(stored.length);
        if (stored.length > 0) continue;
        this.retries++;
        await pause(20 * this.#random());
        // What was sent in one piece may come again in another, as from a page that was reloaded meanwhile.
        if (this.#manner === 'push' && this.#random() < 0.3) batch.push(this.#event());
      }
    }
  }

  #event(): Written {
    const number = this.#number++;
    const key = `${this.#name}-${number % KEYS_A_WRITER}`;
    const name = `${this.#name}-${number}`;
    const json = {
      ...(this.#manner !== 'keyed' && { id: name }),
      type: TYPES[Math.floor(this.#random() * TYPES.length)]!,
      data: { number, name },
      timestamp: new Date(1_700_000_000_000 + 100 * number).toISOString(),
      source: 'soak',
      correlation_id: key,
      subject: key,
    };
    return { id: name, json };
  }

  /** Resolves to the ids of those that are stored now, from the first on. @throws what is to be tried again */
  async #send(batch: readonly Written[]): Promise<readonly string[]> {
    const lines = batch.map(({ json }) => JSON.stringify(json));
    const { status, text } = await (this.#manner === 'push' ? this.#push(lines) : this.#publish(lines));
    if (status === 200 && this.#manner === 'keyed') return answeredIds(text);
    if (status === 200) return batch.map(({ id }) => id);
    if (status === 429 || status >= 500) return [];
    const { code, details } = JSON.parse(text) as {
      readonly code: string;
      readonly details?: { readonly expected: number };
    };
    const expected = details?.expected ?? 0;
    // The first part of it was stored before.
    if (code === 'producer.gap' && expected > this.#seq + 1)
      return batch.slice(0, expected - this.#seq - 1).map(({ id }) => id);
    this.refused.push(text);
    return [];
  }

  #push(lines: readonly string[]) {
    const range = { producer: this.#name, epoch: 1, seq: this.#seq + 1, count: lines.length, holes: [] };
    return this.#edge.ask('POST', '/sync/push', {
      key: 'publishable',
      headers: { 'content-type': 'application/x-ndjson' },
      body: [JSON.stringify(range), ...lines].join('\n'),
    });
  }

  #publish(lines: readonly string[]) {
    return this.#edge.ask('POST', '/events', {
      key: 'publishable',
      ...(this.#manner === 'keyed' && {
        headers: { 'idempotency-key': `${this.#name}-${this.#requests}` },
      }),
      body: `[${lines.join(',')}]`,
    });
  }
}

function answeredIds(text: string): readonly string[] {
  return (JSON.parse(text) as readonly { readonly event_id: string }[]).map(({ event_id: id }) => id);
}
