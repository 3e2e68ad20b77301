/** A service and a real edge: what goes wrong between them, and how it comes right. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { serve } from '../../examples/two-services/node-server.ts';
import { EventClient } from '../../src/service/client.ts';
import { EventService, type EventServiceOptions, type Gap } from '../../src/service/service.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { startPlainWorkerd, type PlainWorkerd } from '../plain-workerd.ts';
import { until } from './delivery-edge.ts';

let folder: string;
let edge: PlainWorkerd;
let till: EventClient;
let names = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-service-'));
  edge = await startPlainWorkerd({ folder, variables: { MILLRACE_ALLOW_LOOPBACK: 'true' } });
  till = new EventClient({ endpoint: edge.url, key: edge.keys.admin, source: 'till' });
});

afterAll(async () => {
  till.disconnect();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

/** A service of its own name, at a server that stays where it is when another service takes its place. */
class Place {
  readonly name = `service-${++names}`;
  readonly type = `${this.name}.asked`;
  current: EventService | undefined;
  /** What is answered in its place. */
  stand: ((request: Request) => Promise<Response>) | undefined;
  #server: Server | undefined;

  async listen(): Promise<this> {
    this.#server = await serve(
      async (request) =>
        this.stand?.(request) ??
        this.current?.handleIncomingEvent(request) ??
        new Response(null, { status: 503 }),
      0,
    );
    ending.push(async () => {
      await this.current?.unsubscribe().catch(() => undefined);
      await this.current?.stop();
      this.#server!.closeAllConnections();
      this.#server!.close();
    });
    return this;
  }

  open(storage: Storage, options: Partial<EventServiceOptions> = {}): EventService {
    const { port } = this.#server!.address() as AddressInfo;
    this.current = new EventService({
      ...{ name: this.name, endpoint: edge.url, key: edge.keys.admin, storage },
      callbackUrl: `http://127.0.0.1:${port}/`,
      auditMs: 300,
      ...options,
    });
    return this.current;
  }

  async ask(count: number, type = this.type): Promise<readonly string[]> {
    const drafts = Array.from({ length: count }, (_, i) => ({ type, data: i, subject: `s-${i % 3}` }));
    return (await till.publishEvents(drafts)).map(({ id }) => id);
  }
}

/** Counts how often each event was handled, in the storage. */
function counting(service: EventService, type: string): void {
  service.registerHandler(type, async ({ id }, transaction) => {
    transaction.put(`handled/${id}`, ((await transaction.get<number>(`handled/${id}`)) ?? 0) + 1);
  });
}

const handled = async (storage: Storage) => Object.fromEntries(await storage.list('handled/'));
const once = (ids: readonly string[]) => Object.fromEntries(ids.map((id) => [`handled/${id}`, 1]));

async function untilHandled(storage: Storage, ids: readonly string[]): Promise<void> {
  await until('every event', async () => Object.keys(await handled(storage)).length >= ids.length);
  expect(await handled(storage)).toEqual(once(ids));
}

/** As a backup of the storage and its restoring would leave it. */
async function copyOf(storage: Storage): Promise<Storage> {
  const copy = openMemory();
  await copy.commit([{ events: [], put: await storage.list('') }]);
  return copy;
}

test('a service whose storage was restored to an earlier state fetches what it has lost since', async () => {
  const place = await new Place().listen();
  const storage = openMemory();
  const first = place.open(storage);
  counting(first, place.type);
  await first.start();
  const before = await place.ask(10);
  await untilHandled(storage, before);
  const backup = await copyOf(storage);
  const since = await place.ask(10);
  await untilHandled(storage, [...before, ...since]);
  await first.stop();
  const gaps: Gap[] = [];
  const second = place.open(backup, { onGap: (gap) => void gaps.push(gap) });
  counting(second, place.type);
  await second.start();
  expect(await handled(backup)).toEqual(once([...before, ...since]));
  expect(gaps.map(({ outcome }) => outcome)).toEqual(since.map(() => 'healed'));
  const later = await place.ask(3);
  await untilHandled(backup, [...before, ...since, ...later]);
});

test('what the edge has given up, while nobody was there, is driven again', async () => {
  const place = await new Place().listen();
  const storage = openMemory();
  const service = place.open(storage, { retryForMs: 0 });
  counting(service, place.type);
  await service.start();
  place.stand = async () => new Response(null, { status: 422 });
  const ids = await place.ask(4);
  const [subscription] = await till.subscriptions.list();
  const letters = async () => (await till.subscriptions.get(subscription!.id))!.deadLetters;
  await until('dead letters', async () => (await letters()) === 4);
  place.stand = undefined;
  await untilHandled(storage, ids);
  expect((await service.status()).counts.gaps).toMatchObject({ redriven: 4, healed: 0, lost: 0 });
  await until('none', async () => (await letters()) === 0);
});

test('secrets are rotated while deliveries come, and one whose rotation was cut off is rotated again', async () => {
  const place = await new Place().listen();
  const storage = openMemory();
  const service = place.open(storage);
  counting(service, place.type);
  await service.start();
  const asked = place.ask(20);
  await service.rotateSecrets();
  const ids = [...(await asked), ...(await place.ask(5))];
  await untilHandled(storage, ids);
  await service.stop();
  // As if it had been killed after it asked the edge, and before it wrote the answer down: and a day has gone since.
  const key = `service/${place.name}/subscriptions`;
  const [kept] = (await storage.get(key)) as never as [object];
  const cut = { ...kept, rotating: true, secrets: [{ text: `whsec_${btoa('x'.repeat(32))}` }] };
  await storage.commit([{ events: [], put: [[key, [cut]]] }]);
  const again = place.open(storage);
  counting(again, place.type);
  await again.start();
  await untilHandled(storage, [...ids, ...(await place.ask(5))]);
});

test('a service that has lost its storage finds its subscription, and handles all that the edge remembers', async () => {
  const place = await new Place().listen();
  const first = place.open(openMemory());
  counting(first, place.type);
  await first.start();
  const ids = await place.ask(5);
  await until('all', async () => (await first.status()).counts.handled === 5);
  await first.stop();
  const storage = openMemory();
  const second = place.open(storage);
  counting(second, place.type);
  await second.start();
  expect(await handled(storage)).toEqual(once(ids));
  const named = (await till.subscriptions.list()).filter(
    ({ serviceName }) => serviceName === place.name,
  );
  expect(named).toHaveLength(1);
});

test('new handlers are subscribed beside the old ones, and an event that both select is handled once', async () => {
  const place = await new Place().listen();
  const storage = openMemory();
  const first = place.open(storage);
  counting(first, place.type);
  await first.start();
  const before = await place.ask(3);
  await untilHandled(storage, before);
  await first.stop();
  const second = place.open(storage, { batch: 10 });
  counting(second, place.type);
  second.registerHandler(`${place.name}.*`, async (event, transaction) => {
    transaction.put(`wild/${event.id}`, ((await transaction.get<number>(`wild/${event.id}`)) ?? 0) + 1);
  });
  await second.start();
  const after = await place.ask(3);
  const others = await place.ask(3, `${place.name}.other`);
  await place.ask(1, `${place.name}.too.deep`);
  await until('the others', async () => (await storage.list('wild/')).length === 6);
  expect(await storage.list('wild/')).toEqual(
    [...after, ...others].toSorted().map((id) => [`wild/${id}`, 1]),
  );
  expect(await handled(storage)).toEqual(once([...before, ...after]));
  // A pattern is a wildcard of any text at the edge: what it selects too much is acknowledged, and counted.
  await until('what nobody handles', async () => (await second.status()).counts.ignored >= 4);
});

test('a handler that throws is called again, one that goes on so has a dead letter, and others wait for neither', async () => {
  const place = await new Place().listen();
  const storage = openMemory();
  const service = place.open(storage, { attempts: 3, handlerTimeoutMs: 200 });
  counting(service, place.type);
  let broken = true;
  const calls: Record<string, number[]> = {};
  service.registerHandler(
    place.type,
    async ({ data }, transaction) => {
      (calls[String(data)] ??= []).push(transaction.attempt);
      transaction.put(`mail/${data as number}`, transaction.attempt);
      if (data === 0 && transaction.attempt < 3) throw new Error('not yet');
      if (data === 1 && broken) throw new Error('never');
      // It hangs: what it does after its time is in no commit.
      if (data === 2 && broken) await new Promise((done) => setTimeout(done, 400));
      if (data === 2) transaction.put('mail/2', 'late');
    },
    { name: 'mail' },
  );
  await service.start();
  const ids = await place.ask(4);
  await untilHandled(storage, ids);
  await until('both dead', async () => (await service.deadLetters.count()) === 2, 90_000);
  expect(calls).toEqual({ 0: [1, 2, 3], 1: [1, 2, 3], 2: [1, 2, 3], 3: [1] });
  expect(await storage.list('mail/')).toEqual([
    ['mail/0', 3],
    ['mail/3', 1],
  ]);
  const letters = await service.deadLetters.list();
  expect(
    letters
      .map(({ event, where, reason, attempts }) => [event?.data, where.name, reason.code, attempts])
      .toSorted(),
  ).toEqual([
    [1, 'mail', 'failed', 3],
    [2, 'mail', 'timeout', 3],
  ]);
  const { counts } = await service.status();
  expect(counts).toMatchObject({ failures: 8, deadLetters: 2, deliveries: 4 });
  broken = false;
  expect(await service.deadLetters.redrive()).toEqual({ redriven: 2, failed: 0 });
  expect(await service.deadLetters.count()).toBe(0);
  expect(await storage.list('mail/')).toEqual([
    ['mail/0', 3],
    ['mail/1', 4],
    ['mail/2', 'late'],
    ['mail/3', 1],
  ]);
});

test('a stop waits for what is under way, and what comes meanwhile comes again', async () => {
  const place = await new Place().listen();
  const storage = openMemory();
  const service = place.open(storage);
  const { promise: open, resolve } = Promise.withResolvers<void>();
  let begun = false;
  service.registerHandler(place.type, async ({ id }, transaction) => {
    begun = true;
    await open;
    transaction.put(`handled/${id}`, 1);
  });
  await service.start();
  const first = await place.ask(1);
  await until('a handler', () => begun);
  const stopping = service.stop();
  // The first of them has to wait for the one that is under way: it is of the same subject.
  const second = await place.ask(2);
  await until('a refusal', async () => (await service.status()).counts.refused.busy > 0);
  resolve();
  await stopping;
  expect(await handled(storage)).toEqual(once(first));
  const again = place.open(storage);
  counting(again, place.type);
  await again.start();
  await untilHandled(storage, [...first, ...second]);
});

test('a subscription that somebody has deleted is an error, until it is said where to go on', async () => {
  const place = await new Place().listen();
  const storage = openMemory();
  const service = place.open(storage);
  counting(service, place.type);
  await service.start();
  await service.stop();
  const known = await till.subscriptions.list();
  const { id } = known.find(({ serviceName }) => serviceName === place.name)!;
  await till.subscriptions.remove(id);
  const missed = await place.ask(2);
  const again = place.open(storage);
  counting(again, place.type);
  await expect(again.start()).rejects.toMatchObject({ code: 'subscription.unknown' });
  const third = place.open(storage);
  counting(third, place.type);
  await third.start({ resubscribe: 'start' });
  await untilHandled(storage, missed);
});
