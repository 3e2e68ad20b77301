/** Readers of the live stream in its three forms: each connects again where it was cut off, with the cursor that it has. */
import type { WireEvent } from '../../src/event/wire.ts';
import { pause, type SoakedEdge } from './edge-soak-edge.ts';

export type Form = 'server-sent events' | 'WebSocket' | 'long poll';

interface Sent {
  readonly cursor: string;
  readonly event?: WireEvent;
}

/** Of the last cursor that was given: well inside the window of 1,000 events. */
const EVENTS_AN_ACK = 100;
const WAIT_S = 2;

export class Reader implements Disposable {
  readonly seen: WireEvent[] = [];
  connections = 0;
  readonly #edge: SoakedEdge;
  readonly #form: Form;
  readonly #ended = new AbortController();
  /** The log's beginning: a cursor of one shard alone. */
  #cursor = '10';

  constructor(edge: SoakedEdge, form: Form) {
    this.#edge = edge;
    this.#form = form;
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
  }

  async run(): Promise<void> {
    const follow = {
      'server-sent events': this.#events,
      WebSocket: this.#socket,
      'long poll': this.#poll,
    };
    while (!this.#ended.signal.aborted) {
      this.connections++;
      await follow[this.#form].call(this).catch(() => undefined);
      await pause(20);
    }
  }

  #take({ cursor, event }: Sent): void {
    this.#cursor = cursor;
    if (event !== undefined) this.seen.push(event);
  }

  async #events(): Promise<void> {
    const { url, keys } = this.#edge.workerd;
    const response = await fetch(`${url}/events/live`, {
      headers: { authorization: `Bearer ${keys.read}`, 'last-event-id': this.#cursor },
      signal: this.#ended.signal,
    });
    if (!response.ok) throw new Error(await response.text());
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const frames = (text + chunk).split('\n\n');
      text = frames.pop()!;
      for (const frame of frames) this.#take(frameOf(frame, this.#cursor));
    }
  }

  async #socket(): Promise<void> {
    const { text } = await this.#edge.ask('POST', '/live-tokens', { key: 'read' });
    const { token } = JSON.parse(text) as { readonly token: string };
    const address = this.#edge.workerd.url.replace('http', 'ws');
    const socket = new WebSocket(`${address}/events/live?token=${token}&after=${this.#cursor}`);
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      socket.close();
      resolve();
    };
    this.#ended.signal.addEventListener('abort', end);
    let unacknowledged = 0;
    socket.addEventListener('message', ({ data }) => {
      this.#take(JSON.parse(data as string) as Sent);
      if (++unacknowledged < EVENTS_AN_ACK) return;
      unacknowledged = 0;
      socket.send(JSON.stringify({ ack: this.#cursor }));
    });
    socket.addEventListener('error', end);
    socket.addEventListener('close', end);
    await gone;
    this.#ended.signal.removeEventListener('abort', end);
  }

  async #poll(): Promise<void> {
    const path = `/events/live?wait=${WAIT_S}&after=${this.#cursor}&limit=100`;
    const { status, text } = await this.#edge.ask('GET', path, { key: 'read' });
    if (status !== 200) throw new Error(text);
    const { events, next } = JSON.parse(text) as {
      readonly events: readonly WireEvent[];
      readonly next: string;
    };
    this.seen.push(...events);
    this.#cursor = next;
  }
}

/** Fields of one event of the stream (HTML standard, 9.2.6). */
function frameOf(frame: string, cursor: string): Sent {
  const lines = frame.split('\n');
  const field = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  const data = field('data');
  return {
    cursor: field('id').at(-1) ?? cursor,
    ...(data.length > 0 && { event: JSON.parse(data.join('\n')) as WireEvent }),
  };
}
