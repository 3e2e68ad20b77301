import { evictDurableObject, reset } from 'cloudflare:test';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { socketLimits } from '../../workers/edge/live-sockets.ts';
import { ask, json, order, problem, publish, shardStub } from './edge-client.ts';

beforeEach(reset);
const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const events = (from: number, to: number, more: object = {}) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ ...order, id: `e-${from + i}`, ...more }));
const numbered = (from: number, to: number) => events(from, to).map(({ id }) => id);
const head = async () => (await json<{ head: string }>(ask('/events'))).head;

interface Frame {
  readonly cursor: string;
  readonly event?: { readonly id: string; readonly type: string };
  readonly waiting?: boolean;
}

/** Reads as a client of the WebSocket does that connects again when it is cut off. */
class SocketReader {
  readonly ids: string[] = [];
  cursor: string | undefined;
  closed = false;
  acknowledges = true;
  waiting = 0;
  #socket: WebSocket | undefined;
  #wake = () => undefined as void;

  static async connect(query = ''): Promise<SocketReader> {
    const reader = new SocketReader();
    await reader.connect(query);
    open.push(reader);
    return reader;
  }

  async connect(query: string): Promise<void> {
    const response = await ask(`/events/live${query}`, { headers: { upgrade: 'websocket' } });
    const socket = response.webSocket;
    if (socket === null) throw new Error(`the edge answered ${response.status}`);
    this.#socket = socket;
    this.closed = false;
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(data as string) as Frame));
    socket.addEventListener('close', () => {
      this.closed = true;
      this.#wake();
    });
    socket.accept();
    await this.until(() => this.cursor !== undefined);
  }

  say(text: string): void {
    this.#socket?.send(text);
  }

  /** Resolves once it holds, looked at after each frame. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((done) => (this.#wake = done));
  }

  close(): void {
    if (!this.closed) this.#socket?.close(1000);
  }

  #take(frame: Frame): void {
    this.cursor = frame.cursor;
    if (frame.event !== undefined) this.ids.push(frame.event.id);
    if (frame.waiting) this.waiting++;
    if (frame.waiting && this.acknowledges) this.say(JSON.stringify({ ack: frame.cursor }));
    this.#wake();
  }
}

describe('GET /events/live as a WebSocket', () => {
  it('sends what is published from now on, and from a cursor on', async () => {
    await json(publish(events(1, 3)));
    const now = await SocketReader.connect();
    expect(now.cursor).toBe(await head());
    const all = await SocketReader.connect('?after=10');
    await json(publish(events(4, 5)));
    await now.until(() => now.ids.length === 2);
    await all.until(() => all.ids.length === 5);
    expect([now.ids, all.ids]).toEqual([numbered(4, 5), numbered(1, 5)]);
    expect(now.cursor).toBe(await head());
  });

  it('goes on through forced evictions, with no gap and no repeat', async () => {
    const reader = await SocketReader.connect();
    const picky = await SocketReader.connect(
      `?type=order.paid&pattern=${encodeURIComponent('{"data":{"n":[1]}}')}`,
    );
    for (let round = 0; round < 8; round++) {
      await json(publish(events(round * 10 + 1, round * 10 + 5)));
      await json(
        publish(events(round * 10 + 6, round * 10 + 10, { type: 'order.paid', data: { n: round % 2 } })),
      );
      await evictDurableObject(shardStub());
    }
    await json(publish(events(81, 82)));
    await reader.until(() => reader.ids.length >= 82);
    expect(reader.ids).toEqual(numbered(1, 82));
    const odd = [1, 3, 5, 7].flatMap((round) => numbered(round * 10 + 6, round * 10 + 10));
    await picky.until(() => picky.ids.length >= odd.length);
    expect(picky.ids).toEqual(odd);
    expect([reader.closed, picky.closed]).toEqual([false, false]);
  });

  it('goes on where it was, when it is cut off and connects again', async () => {
    const reader = await SocketReader.connect();
    for (let round = 0; round < 5; round++) {
      await json(publish(events(round * 20 + 1, round * 20 + 10)));
      await evictDurableObject(shardStub(), { webSockets: 'close' });
      await reader.until(() => reader.closed);
      await json(publish(events(round * 20 + 11, round * 20 + 20)));
      await reader.connect(`?after=${reader.cursor}`);
    }
    await reader.until(() => reader.ids.length >= 100);
    expect(reader.ids).toEqual(numbered(1, 100));
  });

  it('waits for a reader that acknowledges nothing, and says so', async () => {
    const reader = await SocketReader.connect();
    reader.acknowledges = false;
    const count = socketLimits.windowEvents + 500;
    await json(publish(events(1, count)));
    await reader.until(() => reader.waiting === 1);
    expect(reader.ids).toEqual(numbered(1, socketLimits.windowEvents));
    await json(publish(events(count + 1, count + 1)));
    reader.say(JSON.stringify({ ack: reader.cursor }));
    await reader.until(() => reader.ids.length === count + 1);
    expect(reader.ids).toEqual(numbered(1, count + 1));
    expect(reader.waiting).toBe(1);
  });

  it.each(['', 'hello', '{"ack":"x"}', '{"ack":"2zz"}', '[]', 'null'])(
    'ends for a reader that says %j',
    async (text) => {
      const reader = await SocketReader.connect();
      reader.say(text);
      await reader.until(() => reader.closed);
      await json(publish(order));
    },
  );

  it('refuses what it does not understand before it opens', async () => {
    const headers = { upgrade: 'websocket' };
    for (const [query, pointer] of [
      ['after=x', '/after'],
      ['pattern=x', '/pattern'],
      ['colour=red', '/colour'],
    ] as const)
      expect(await problem(ask(`/events/live?${query}`, { headers }))).toMatchObject({
        status: 400,
        errors: [{ pointer }],
      });
  });
});

describe('GET /events/live?wait=', () => {
  interface Page {
    readonly events: readonly { readonly id: string }[];
    readonly next: string;
  }

  it('answers at once where there is something, and else as soon as there is', async () => {
    await json(publish(events(1, 2)));
    const there = await json<Page>(ask('/events/live?wait=20&after=11'));
    expect(there.events.map(({ id }) => id)).toEqual(['e-2']);
    const waiting = json<Page>(ask(`/events/live?wait=20&after=${there.next}&type=order.paid`));
    await json(publish(events(3, 3)));
    await json(publish(events(4, 4, { type: 'order.paid' })));
    expect((await waiting).events.map(({ id }) => id)).toEqual(['e-4']);
  });

  it('answers with nothing when the time is over, and starts from now without a cursor', async () => {
    await json(publish(events(1, 2)));
    const page = await json<Page>(ask('/events/live?wait=0'));
    expect(page).toMatchObject({ events: [], next: await head() });
    expect(await problem(ask('/events/live?wait=31'))).toMatchObject({ errors: [{ pointer: '/wait' }] });
    expect(await problem(ask('/events/live?wait=1&after=2zz'))).toMatchObject({
      code: 'cursor.invalid',
    });
  });
});

describe('server-sent events', () => {
  it('of a type, a pattern, or a rule’s target', async () => {
    await ask('/rules/paid', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ target: 'topic:paid', condition: { type: ['order.paid'] } }),
    });
    const queries = [
      'type=order.paid',
      `pattern=${encodeURIComponent('{"type":["order.paid"]}')}`,
      'target=topic:paid',
    ];
    const streams = await Promise.all(queries.map((query) => ask(`/events/live?after=10&${query}`)));
    await json(publish([...events(1, 300), ...events(301, 302, { type: 'order.paid' })]));
    for (const { body } of streams) {
      let text = '';
      const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
      while (!text.includes('e-302')) text += (await reader.read()).value;
      expect([...text.matchAll(/"id":"(e-\d+)"/g)].map(([, id]) => id)).toEqual(['e-301', 'e-302']);
      await reader.cancel();
    }
  });
});
