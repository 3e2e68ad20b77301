/**
 * Kills the edge again and again, and takes its objects out of memory in between, while producers push, services publish
 * and webhooks are delivered; then compares what was acknowledged with what the log has, and with what was delivered.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WireEvent } from '../../src/event/wire.ts';
import { startPlainWorkerd, type PlainWorkerd } from '../plain-workerd.ts';
import { Receiver } from '../unit/delivery-receiver.ts';
import { edgeEvents } from './edge-log.ts';
import { seeded } from './seeded.ts';

export interface EdgeSoakOptions {
  readonly kills: number;
  readonly seed: number;
  /** Raises the log's shards twice meanwhile. Default: false. */
  readonly raises?: boolean;
  readonly onKill?: (kill: number, acknowledged: number) => void;
}

export interface EdgeSoakReport {
  readonly kills: number;
  readonly evictions: number;
  /** Of the log: its shards are raised twice meanwhile. A kill may take a raise back that was not answered. */
  readonly epochs: number;
  /** Requests of writers that failed, and were sent again. */
  readonly retries: number;
  /** Refusals for good, of which there is no reason for any. */
  readonly refused: number;
  readonly acknowledged: number;
  readonly stored: number;
  /** Acknowledged, and not in the log. */
  readonly lost: number;
  /** In the log more than once. */
  readonly doubled: number;
  /** In the log before an event of its key that was written earlier. */
  readonly outOfOrder: number;
  /** Deliveries that came, those that came again included. */
  readonly deliveries: number;
  /** Matching events of the log that a subscriber was never given. */
  readonly undelivered: number;
  /** Events that a subscriber was first given before an earlier one of their key, or under two deliveries. */
  readonly misdelivered: number;
}

const WRITERS = 4;
const KEYS_A_WRITER = 5;
const LIFE_MS = { least: 60, most: 700 };
/** Of the pauses in an edge's life that end in an eviction. */
const EVICTED = 0.5;
const DRAIN_LIMIT_MS = 120_000;
/** Those of each epoch, whether it is there yet or not. */
const SHARDS = ['shard-0', 'shard-1-0', 'shard-1-1', 'shard-2-0', 'shard-2-3'] as const;
const TYPES = ['order.placed', 'order.placed', 'page.viewed'] as const;

export async function edgeSoak({
  kills,
  seed,
  raises = false,
  onKill,
}: EdgeSoakOptions): Promise<EdgeSoakReport> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-edge-soak-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const edge = await startPlainWorkerd({
    folder,
    entry: join(import.meta.dirname, '..', 'workers', 'edge-evicted.ts'),
    variables: { MILLRACE_ALLOW_LOOPBACK: 'true', MILLRACE_MORE_SHARDS: String(raises) },
  });
  stack.defer(() => edge.kill());
  const random = seeded(seed);
  const subscribed = [];
  for (const flaky of [false, true]) {
    const receiver = stack.use(await Receiver.listen());
    if (flaky) receiver.behaviour = () => ({ status: random() < 0.05 ? 500 : 204 });
    subscribed.push({ receiver, id: await subscribe(edge, receiver) });
  }
  const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(edge, i, seeded(seed + i + 1)));
  const writing = writers.map((writer) => writer.run());
  const acknowledged = () => writers.flatMap((writer) => writer.acknowledged);
  let evictions = 0;
  const raised = [1, 2].map((third) => Math.ceil((kills * third) / 3));
  for (let kill = 1; kill <= kills; kill++) {
    // Not waited for: the kill may fall into it.
    const step = raises ? raised.indexOf(kill) + 1 : 0;
    if (step > 0) void raise(edge, 1 + 2 * step).catch(() => undefined);
    await pause(LIFE_MS.least + random() * (LIFE_MS.most - LIFE_MS.least));
    if (random() < EVICTED) {
      evictions++;
      const { id } = subscribed[Math.floor(random() * subscribed.length)]!;
      await evict(
        edge,
        random() < 0.7
          ? ['SHARD', SHARDS[raises ? Math.floor(random() * SHARDS.length) : 0]!]
          : ['SUBSCRIPTION', id],
      );
      await pause(random() * LIFE_MS.most);
    }
    await edge.kill();
    await edge.start();
    onKill?.(kill, acknowledged().length);
  }
  for (const writer of writers) writer.end();
  await Promise.all(writing);
  const log = await edgeEvents(edge);
  const matching = log.filter(({ type }) => type === 'order.placed');
  for (const { receiver } of subscribed) {
    receiver.behaviour = () => ({ status: 204 });
    await drained(receiver, matching.length);
  }
  const compared = subscribed.map(({ receiver }) => compareDeliveries(receiver, matching));
  const sum = (of: (one: (typeof compared)[number]) => number) =>
    compared.reduce((all, one) => all + of(one), 0);
  return {
    kills,
    evictions,
    epochs: await epochsOf(edge),
    refused: writers.reduce((all, { refused }) => all + refused.length, 0),
    retries: writers.reduce((all, { retries }) => all + retries, 0),
    ...compareLog(acknowledged(), log),
    deliveries: subscribed.reduce((all, { receiver }) => all + receiver.received.length, 0),
    undelivered: sum(({ undelivered }) => undelivered),
    misdelivered: sum(({ misdelivered }) => misdelivered),
  };
}

/** Writes its own keys' events one request after the other, each until it is acknowledged. */
class Writer {
  readonly acknowledged: string[] = [];
  /** What no edge that is well would answer. */
  readonly refused: string[] = [];
  retries = 0;
  readonly #edge: PlainWorkerd;
  readonly #name: string;
  readonly #pushes: boolean;
  readonly #random: () => number;
  #seq = 0;
  #number = 0;
  #ended = false;

  constructor(edge: PlainWorkerd, index: number, random: () => number) {
    this.#edge = edge;
    this.#name = `writer-${index}`;
    this.#pushes = index % 2 === 0;
    this.#random = random;
  }

  /** After what is under way. */
  end(): void {
    this.#ended = true;
  }

  async run(): Promise<void> {
    while (!this.#ended) {
      let batch = Array.from({ length: 1 + Math.floor(this.#random() * 20) }, () => this.#event());
      while (batch.length > 0) {
        const stored = await this.#send(batch).catch(() => 0);
        this.acknowledged.push(...batch.slice(0, stored).map(({ id }) => id));
        this.#seq += stored;
        batch = batch.slice(stored);
        if (stored > 0) continue;
        this.retries++;
        await pause(20 * this.#random());
        // What was sent in one piece may come again in another, as from a page that was reloaded meanwhile.
        if (this.#pushes && this.#random() < 0.3) batch.push(this.#event());
      }
    }
  }

  #event(): WireEvent {
    const number = this.#number++;
    const key = `${this.#name}-${number % KEYS_A_WRITER}`;
    return {
      id: `${this.#name}-${number}`,
      type: TYPES[Math.floor(this.#random() * TYPES.length)]!,
      data: { number },
      timestamp: new Date(1_700_000_000_000 + number).toISOString(),
      source: 'soak',
      correlation_id: key,
      subject: key,
    } as unknown as WireEvent;
  }

  /** Resolves to how many of them are stored now. @throws what is to be tried again */
  async #send(batch: readonly WireEvent[]): Promise<number> {
    const lines = batch.map((event) => JSON.stringify(event));
    const header = {
      producer: this.#name,
      epoch: 1,
      seq: this.#seq + 1,
      count: lines.length,
      holes: [],
    };
    const { url, keys } = this.#edge;
    const response = await fetch(url + (this.#pushes ? '/sync/push' : '/events'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${keys.publishable}`,
        'content-type': this.#pushes ? 'application/x-ndjson' : 'application/json',
      },
      body: this.#pushes ? [JSON.stringify(header), ...lines].join('\n') : `[${lines.join(',')}]`,
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (response.ok) return lines.length;
    if (response.status === 429 || response.status >= 500) return 0;
    const { code, details } = JSON.parse(text) as {
      readonly code: string;
      readonly details: { readonly expected: number };
    };
    // The first part of it was stored before.
    if (code === 'producer.gap' && details.expected > this.#seq + 1)
      return details.expected - this.#seq - 1;
    this.refused.push(text);
    return 0;
  }
}

async function subscribe(edge: PlainWorkerd, receiver: Receiver): Promise<string> {
  const response = await fetch(`${edge.url}/subscriptions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${edge.keys.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      service_name: 'soak',
      event_types: ['order.placed'],
      callback_url: receiver.url,
    }),
  });
  const { id, secret } = (await response.json()) as { readonly id: string; readonly secret: string };
  if (!response.ok) throw new Error(`the subscription was refused: ${response.status}`);
  receiver.secret = secret;
  return id;
}

async function raise({ url, keys }: PlainWorkerd, shards: number): Promise<number> {
  const response = await fetch(`${url}/shards`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ shards }),
  });
  return response.status;
}

async function epochsOf({ url, keys }: PlainWorkerd): Promise<number> {
  const response = await fetch(`${url}/shards`, { headers: { authorization: `Bearer ${keys.admin}` } });
  return ((await response.json()) as { readonly epochs: readonly unknown[] }).epochs.length;
}

async function evict(edge: PlainWorkerd, [binding, name]: readonly [string, string]): Promise<void> {
  await fetch(`${edge.url}/test/evict?binding=${binding}&name=${name}`, { method: 'POST' });
}

async function drained(receiver: Receiver, events: number): Promise<void> {
  const until = performance.now() + DRAIN_LIMIT_MS;
  while (performance.now() < until && idsOf(receiver.accepted).size < events) await pause(50);
}

const idsOf = (received: Receiver['received']) =>
  new Set(received.flatMap(eventsOf).map(({ id }) => id));

function eventsOf({ body }: { readonly body: string }): readonly WireEvent[] {
  return [JSON.parse(body) as WireEvent | WireEvent[]].flat();
}

const numberOf = ({ data }: WireEvent): number => (data as { readonly number: number }).number;

/** The oracle: lists and maps. */
export function compareLog(acknowledged: readonly string[], log: readonly WireEvent[]) {
  const there = new Set(log.map(({ id }) => id));
  return {
    acknowledged: acknowledged.length,
    stored: log.length,
    lost: acknowledged.filter((id) => !there.has(id)).length,
    doubled: log.length - there.size,
    outOfOrder: countBackwards(log),
  };
}

export function compareDeliveries(
  { received, accepted, forged }: Pick<Receiver, 'received' | 'accepted' | 'forged'>,
  matching: readonly WireEvent[],
) {
  const given = idsOf(accepted);
  const firsts = [...new Map(received.toReversed().map((one) => [one.id, one])).values()].toReversed();
  const inOrder = firsts.flatMap(eventsOf);
  const twice = inOrder.length - new Set(inOrder.map(({ id }) => id)).size;
  return {
    undelivered: matching.filter(({ id }) => !given.has(id)).length,
    misdelivered: countBackwards(inOrder) + twice + forged.length,
  };
}

function countBackwards(events: readonly WireEvent[]): number {
  const last = new Map<string, number>();
  let count = 0;
  for (const event of events) {
    const key = event.subject!;
    if (numberOf(event) < (last.get(key) ?? -1)) count++;
    last.set(key, Math.max(numberOf(event), last.get(key) ?? -1));
  }
  return count;
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
