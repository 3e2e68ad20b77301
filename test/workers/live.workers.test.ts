import { reset } from 'cloudflare:test';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, evict, json, order, problem, publish, pushLines } from './edge-client.ts';

interface Sent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: { readonly id: string };
}

const open: LiveReader[] = [];

beforeEach(reset);
afterEach(async () => {
  for (const reader of open.splice(0)) await reader.close();
});

/** Reads a stream of server-sent events as the HTML standard has it. */
class LiveReader {
  readonly response: Response;
  lastId: string | undefined;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = '';

  constructor(response: Response) {
    this.response = response;
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async connect(query = '', headers: Record<string, string> = {}): Promise<LiveReader> {
    const response = await ask(`/events/live${query}`, { headers });
    if (response.status !== 200) throw new Error(`the edge answered ${response.status}`);
    const reader = new LiveReader(response);
    open.push(reader);
    await reader.#block(); // the head, which names the cursor
    return reader;
  }

  async take(count: number): Promise<Sent[]> {
    const sent: Sent[] = [];
    while (sent.length < count) {
      const block = await this.#block();
      if (block !== undefined) sent.push(block);
    }
    return sent;
  }

  close(): Promise<void> {
    return this.#reader.cancel();
  }

  async #block(): Promise<Sent | undefined> {
    while (!this.#text.includes('\n\n')) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error('the stream has ended');
      this.#text += value;
    }
    const end = this.#text.indexOf('\n\n');
    const fields = this.#text
      .slice(0, end)
      .split(/\r\n|\r|\n/)
      .map((line) => /^([^:]*): ?(.*)$/s.exec(line)!);
    this.#text = this.#text.slice(end + 2);
    const of = (name: string) => fields.filter((field) => field[1] === name).map((field) => field[2]!);
    const [id] = of('id');
    if (id !== undefined) this.lastId = id;
    if (of('data').length === 0) return undefined;
    return { id, event: of('event')[0], data: JSON.parse(of('data').join('\n')) };
  }
}

const events = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ ...order, id: `e-${from + i}` }));
const ids = (sent: readonly Sent[]) => sent.map(({ data }) => data.id);
const numbered = (from: number, to: number) => events(from, to).map(({ id }) => id);

describe('GET /events/live', () => {
  it('sends what is published from now on, each event with its cursor', async () => {
    await json(publish(events(1, 3)));
    const live = await LiveReader.connect();
    expect(live.response.headers.get('content-type')).toBe('text/event-stream');
    await json(publish(events(4, 5)));
    const sent = await live.take(2);
    expect(ids(sent)).toEqual(numbered(4, 5));
    expect(sent[0]).toMatchObject({
      event: 'event',
      data: { type: 'order.placed', data: { total: 30 } },
    });
    const page = await json<{ events: { id: string }[] }>(ask(`/events?after=${sent[0]!.id}`));
    expect(page.events.map(({ id }) => id)).toEqual(['e-5']);
  });

  it('catches up from a cursor and then follows, with no gap and no repeat', async () => {
    await json(publish(events(1, 250)));
    const start = await json<{ next: string }>(ask('/events?limit=10'));
    const live = await LiveReader.connect(`?after=${start.next}`);
    const taken = live.take(740);
    for (let at = 251; at < 750; at += 50) {
      await json(publish(events(at, at + 24)));
      await json(publish(events(at + 25, at + 49)));
    }
    expect(ids(await taken)).toEqual(numbered(11, 750));
  });

  it('resumes where its reader was cut off, by Last-Event-ID', async () => {
    const first = await LiveReader.connect();
    await json(publish(events(1, 5)));
    const [, , third] = await first.take(3);
    await first.close();
    await json(publish(events(6, 7)));
    const again = await LiveReader.connect('?after=10', { 'last-event-id': third!.id! });
    expect(ids(await again.take(4))).toEqual(numbered(4, 7));
  });

  it('resumes though its reader was cut off before the first event', async () => {
    await json(publish(events(1, 2)));
    const first = await LiveReader.connect();
    await first.close();
    await json(publish(events(3, 4)));
    const again = await LiveReader.connect('', { 'last-event-id': first.lastId! });
    expect(ids(await again.take(2))).toEqual(numbered(3, 4));
  });

  it('goes on after the shard was evicted', async () => {
    const first = await LiveReader.connect();
    await json(publish(events(1, 2)));
    const sent = await first.take(2);
    await first.close();
    await evict();
    await json(publish(events(3, 3)));
    const again = await LiveReader.connect('', { 'last-event-id': sent[1]!.id! });
    await json(publish(events(4, 4)));
    expect(ids(await again.take(2))).toEqual(numbered(3, 4));
  });

  it('feeds many readers, and one that does not read holds up nobody', async () => {
    const readers = await Promise.all(Array.from({ length: 5 }, () => LiveReader.connect()));
    const big = { ...order, data: 'x'.repeat(100_000) };
    for (let i = 0; i < 30; i++) await json(publish({ ...big, id: `e-${i}` }));
    const [, ...others] = readers;
    const sent = await Promise.all(others.map((reader) => reader.take(30)));
    for (const one of sent) expect(one).toHaveLength(30);
    expect(ids(await readers[0]!.take(30))).toEqual(ids(sent[0]!));
  });

  it('sends a line with white space of any kind whole', async () => {
    const live = await LiveReader.connect();
    const line =
      '{"id":"raw",\r"type":"a.b","data":{"text":"a\\nb\u2028c"},\t"timestamp":"2026-01-31T09:30:00Z","source":"s"}';
    await json(pushLines({ producer: 'p', epoch: 1, seq: 1, count: 1, holes: [] }, [line]));
    const [sent] = await live.take(1);
    expect(sent?.data).toEqual(JSON.parse(line));
  });

  it('refuses a cursor that is none', async () => {
    expect(await problem(ask('/events/live', { headers: { 'last-event-id': 'x' } }))).toMatchObject({
      status: 400,
    });
  });
});
