/**
 * A service's deliveries over a storage that can be killed at any step, from a model of the edge: sequences without a gap,
 * within a key one after another, keys side by side, whatever is not acknowledged sent again, and some of it twice.
 */
import { createEventFactory } from '../../src/event/factory.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import type { EventSchemas } from '../../src/event/catalogue.ts';
import type { EventFactory } from '../../src/event/factory.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Tracer } from '../../src/monitor/tracing.ts';
import { hostPorts } from '../../src/ports.ts';
import { StoredDeadLetters } from '../../src/storage/dead-letters/stored-dead-letters.ts';
import type { JsonValue, Storage } from '../../src/storage/storage.ts';
import { DeliveryRun, type DeliveryOutcome } from '../../src/service/delivery-run.ts';
import type { Delivery } from '../../src/service/delivery-request.ts';
import { Handlers, type ServiceHandler } from '../../src/service/handlers.ts';
import { Inbox } from '../../src/service/inbox.ts';
import { noCounts } from '../../src/service/service-status.ts';
import { CommitOrder } from '../../src/service/transaction.ts';

export const SUBSCRIPTION = 'sub_1';
const ports = { ...hostPorts };

/** The machine stops: whatever is asked of the storage from then on fails, as nobody is there to ask. */
export class Stopped extends Error {}

/** A storage of which some calls fail, once in so many: before they are carried out, or after. Nobody dies of it. */
export function flaky(storage: Storage, every: number, after: boolean): Storage {
  let calls = 0;
  const failed = (): MillraceError =>
    new MillraceError('storage.failed', 'the disk says no', { log: 'log', operation: 'commit' });
  return {
    ...mortal(storage, Infinity, false),
    commit: async (batch) => {
      const fails = ++calls % every === 0;
      if (fails && !after) throw failed();
      const results = await storage.commit(batch);
      if (fails) throw failed();
      return results;
    },
  };
}

/** A storage that works for so many calls. `after`: the last of them is carried out, and its answer is lost. */
export function mortal(storage: Storage, calls: number, after: boolean): Storage {
  let left = calls;
  const step = async <T>(run: () => T | Promise<T>): Promise<T> => {
    if (left < 0) throw new Stopped();
    if (left-- > 0) return run();
    if (after) await run();
    throw new Stopped();
  };
  return {
    ...{ onCommit: storage.onCommit.bind(storage), close: () => undefined },
    commit: (batch) => step(() => storage.commit(batch)),
    read: (query) => step(() => storage.read(query)),
    get: (key) => step(() => storage.get(key)),
    list: (prefix, options) => step(() => storage.list(prefix, options)),
    producer: (id) => step(() => storage.producer(id)),
    version: (subject) => step(() => storage.version(subject)),
    trim: (until) => step(() => storage.trim(until)),
    compact: () => step(() => storage.compact()),
    stats: () => step(() => storage.stats()),
  };
}

export interface ServiceProcess {
  readonly inbox: Inbox;
  readonly letters: StoredDeadLetters;
  take(delivery: Delivery): Promise<DeliveryOutcome>;
}

/** What a handler throws where it is to fail. */
export type Fails = (event: Event, handler: string, attempt: number) => boolean;

/** Counts all events, and appends to its key's list: both read what they change. */
const effect =
  (name: string, fails: Fails): ServiceHandler =>
  async (event, transaction) => {
    const count = (await transaction.get<number>(`${name}/count`)) ?? 0;
    transaction.put(`${name}/count`, count + 1);
    const key = `${name}/seen/${event.subject}`;
    const seen = (await transaction.get<readonly JsonValue[]>(key)) ?? [];
    transaction.put(key, [...seen, event.id]);
    transaction.publish(`${name}.done`, { of: event.id });
    if (fails(event, name, transaction.attempt)) throw new Error(`not ${event.id}`);
  };

export function startProcess(
  storage: Storage,
  names: readonly string[],
  fails: Fails,
  attempts = 3,
  tracer?: Tracer,
): ServiceProcess {
  const handlers = new Handlers({ timeoutMs: 60_000, attempts });
  for (const name of names) handlers.add('order.placed', effect(name, fails), { name });
  const inbox = new Inbox(storage, 'service/world/');
  const letters = new StoredDeadLetters(storage, 'world');
  const run = new DeliveryRun({
    ...{ service: 'world', storage, ports, handlers, inbox, letters, counts: noCounts(), tracer },
    make: createEventFactory({ source: 'world', ports }) as EventFactory<EventSchemas>,
    order: new CommitOrder(storage, 'service/world/inbox'),
  });
  return { inbox, letters, take: (delivery) => run.run(delivery, () => true) };
}

/** Deliveries of the keys' events; one holds up to `batch` of its key. */
export function deliveriesOf(keys: readonly number[], batch: number): readonly Delivery[] {
  const open = new Map<number, { sequence: number; events: Event[] }>();
  const deliveries: { sequence: number; events: Event[] }[] = [];
  for (const [i, key] of keys.entries()) {
    let delivery = open.get(key);
    if (delivery === undefined || delivery.events.length >= batch) {
      delivery = { sequence: deliveries.length + 1, events: [] };
      deliveries.push(delivery);
      open.set(key, delivery);
    }
    delivery.events.push(
      makeEvent({
        ...{ id: `e-${i + 1}`, type: 'order.placed', source: 'shop', priority: 2, timestamp: i },
        ...{ subject: `key-${key}`, data: i },
      }),
    );
  }
  return deliveries.map((delivery) => ({ subscription: SUBSCRIPTION, ...delivery }));
}

/** What the storage says was done, by handler: each key's events in their order, and how many in all. */
export async function effectsIn(storage: Storage, names: readonly string[]) {
  const effects: Record<string, { count: number; seen: Record<string, readonly string[]> }> = {};
  for (const name of names) {
    const seen = await storage.list(`${name}/seen/`);
    const count = ((await storage.get(`${name}/count`)) as number | undefined) ?? 0;
    effects[name] = {
      count,
      seen: Object.fromEntries(
        seen.map(([key, ids]) => [key.split('/').at(-1)!, ids as readonly string[]]),
      ),
    };
  }
  return effects;
}

/** Of what each handler published: the ids of the events that it was for. */
export async function publishedIn(storage: Storage): Promise<readonly string[]> {
  const { events } = await storage.read({ limit: 10_000 });
  return events.map(({ event }) => `${event.type} ${event.causationId}`).toSorted();
}
