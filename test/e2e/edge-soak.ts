/**
 * Kills the edge again and again, takes its objects out of memory and raises its shards in between, while producers push,
 * services publish, live readers follow and webhooks are delivered; then compares what was acknowledged with what the log
 * has, with what was delivered, and with what the readers were sent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { startPlainWorkerd } from '../plain-workerd.ts';
import { Receiver } from '../unit/delivery-receiver.ts';
import { asCounts, edgeEvents, edgeWindows, recount } from './edge-log.ts';
import { compareDeliveries, compareLog, compareReading, idsOf } from './edge-soak-compare.ts';
import { pause, SoakedEdge } from './edge-soak-edge.ts';
import { Reader } from './edge-soak-reader.ts';
import { Writer, type Manner } from './edge-soak-writer.ts';
import { seeded } from './seeded.ts';

export interface EdgeSoakOptions {
  readonly kills: number;
  readonly seed: number;
  /** To so many shards, one after the other, spread over the kills. Default: 2, then 4. */
  readonly raises?: readonly number[];
  readonly onKill?: (kill: number, acknowledged: number) => void;
}

export interface EdgeSoakReport {
  readonly kills: number;
  readonly evictions: number;
  /** Of the log: one more than it was raised. */
  readonly epochs: number;
  /** Requests of writers that failed, and were sent again. */
  readonly retries: number;
  /** Requests that were neither answered nor cut off. */
  readonly hung: number;
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
  /** Connections of live readers. */
  readonly connections: number;
  /** Events that a live reader was never sent, and those that it was sent twice or before an earlier one of their key. */
  readonly missed: number;
  readonly repeated: number;
  /** Whether the windows count other than a plain recount. */
  readonly miscounted: number;
}

const MANNERS: readonly Manner[] = ['push', 'publish', 'push', 'keyed'];
const FORMS = ['server-sent events', 'WebSocket', 'long poll'] as const;
const LIFE_MS = { least: 60, most: 700 };
/** Of the pauses in an edge's life that end in an eviction. */
const EVICTED = 0.5;
/** After this long with nothing more, nothing more comes. */
const STILL_MS = 120_000;

export async function edgeSoak({
  kills,
  seed,
  raises = [2, 4],
  onKill,
}: EdgeSoakOptions): Promise<EdgeSoakReport> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-edge-soak-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const workerd = await startPlainWorkerd({
    folder,
    entry: join(import.meta.dirname, '..', 'workers', 'edge-evicted.ts'),
    variables: { MILLRACE_ALLOW_LOOPBACK: 'true' },
  });
  stack.defer(() => workerd.kill());
  const edge = new SoakedEdge(workerd);
  const random = seeded(seed);
  const subscribed: Subscribed[] = [];
  for (const flaky of [false, true]) {
    const receiver = stack.use(await Receiver.listen());
    if (flaky) receiver.behaviour = () => ({ status: random() < 0.05 ? 500 : 204 });
    subscribed.push({ receiver, id: await subscribe(edge, receiver) });
  }
  const readers = FORMS.map((form) => stack.use(new Reader(edge, form)));
  const reading = readers.map((reader) => reader.run());
  const writers = MANNERS.map(
    (manner, i) => new Writer(edge, `writer-${i}`, manner, seeded(seed + i + 1)),
  );
  const writing = writers.map((writer) => writer.run());
  const acknowledged = () => writers.flatMap((writer) => writer.acknowledged);
  const names = shardNames(raises);
  let evictions = 0;
  let raising: Promise<unknown> = Promise.resolve();
  for (let kill = 1; kill <= kills; kill++) {
    // Not waited for: the kill may fall into it.
    for (const [i, shards] of raises.entries())
      if (kill === Math.ceil((kills * (i + 1)) / (raises.length + 1)))
        raising = raising.then(() => raise(edge, shards));
    await pause(LIFE_MS.least + random() * (LIFE_MS.most - LIFE_MS.least));
    if (random() < EVICTED) {
      evictions++;
      await evict(edge, victim(random, names, subscribed));
      await pause(random() * LIFE_MS.most);
    }
    await workerd.kill();
    await workerd.start();
    onKill?.(kill, acknowledged().length);
  }
  await raising;
  for (const writer of writers) writer.end();
  await Promise.all(writing);
  const log = await edgeEvents(workerd);
  const matching = log.filter(({ type }) => type === 'order.placed');
  for (const { receiver } of subscribed) {
    receiver.behaviour = () => ({ status: 204 });
    await drained(() => idsOf(receiver.accepted).size, matching.length);
  }
  for (const reader of readers) {
    await drained(() => reader.seen.length, log.length);
    reader[Symbol.dispose]();
  }
  await Promise.all(reading);
  const delivered = subscribed.map(({ receiver }) => compareDeliveries(receiver, matching));
  const read = readers.map(({ seen }) => compareReading(seen, log));
  const { epochs } = await edge.sure<{ readonly epochs: readonly unknown[] }>('GET', '/shards');
  const counted = asCounts(await edgeWindows(workerd));
  return {
    ...{ kills, evictions, epochs: epochs.length, hung: edge.hung },
    refused: sum(writers, ({ refused }) => refused.length),
    retries: sum(writers, ({ retries }) => retries),
    ...compareLog(acknowledged(), log),
    deliveries: sum(subscribed, ({ receiver }) => receiver.received.length),
    undelivered: sum(delivered, ({ undelivered }) => undelivered),
    misdelivered: sum(delivered, ({ misdelivered }) => misdelivered),
    connections: sum(readers, ({ connections }) => connections),
    missed: sum(read, ({ missed }) => missed),
    repeated: sum(read, ({ repeated }) => repeated),
    miscounted: isDeepStrictEqual(counted, recount(log)) ? 0 : 1,
  };
}

interface Subscribed {
  readonly receiver: Receiver;
  readonly id: string;
}

async function subscribe(edge: SoakedEdge, receiver: Receiver): Promise<string> {
  const asked = { service_name: 'soak', event_types: ['order.placed'], callback_url: receiver.url };
  const body = JSON.stringify(asked);
  const { id, secret } = await edge.sure<{ readonly id: string; readonly secret: string }>(
    'POST',
    '/subscriptions',
    { body },
  );
  receiver.secret = secret;
  return id;
}

/** Until they are so many: a kill may take a raise back that was not answered, or its answer. */
async function raise(edge: SoakedEdge, shards: number): Promise<void> {
  for (;;) {
    const { epochs } = await edge.sure<{ readonly epochs: readonly { readonly shards: number }[] }>(
      'GET',
      '/shards',
    );
    if (epochs.at(-1)!.shards >= shards) return;
    await edge.ask('POST', '/shards', { body: JSON.stringify({ shards }) }).catch(() => undefined);
  }
}

/** Those of each epoch, whether it is there yet or not. */
function shardNames(raises: readonly number[]): readonly string[] {
  const later = raises.flatMap((shards, i) =>
    Array.from({ length: shards }, (_, shard) => `shard-${i + 1}-${shard}`),
  );
  return ['shard-0', ...later];
}

type Victim = readonly [binding: string, name: string];

function victim(
  random: () => number,
  shards: readonly string[],
  subscribed: readonly Subscribed[],
): Victim {
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const lot = random();
  if (lot < 0.6) return ['SHARD', one(shards)];
  return lot < 0.8 ? ['DIRECTORY', 'tenant/main'] : ['SUBSCRIPTION', one(subscribed).id];
}

async function evict(edge: SoakedEdge, [binding, name]: Victim): Promise<void> {
  await edge
    .ask('POST', `/test/evict?binding=${binding}&name=${name}`)
    .catch((error: unknown) => (error as Error).name);
}

/** However slow the machine is: as long as something comes. */
async function drained(count: () => number, wanted: number): Promise<void> {
  let last = -1;
  for (let since = performance.now(); performance.now() - since < STILL_MS;) {
    const now = count();
    if (now >= wanted) return;
    if (now !== last) since = performance.now();
    last = now;
    await pause(200);
  }
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
