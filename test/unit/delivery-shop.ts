/** A log, a subscription to it in a real SQLite, and a deliverer that is run as an object's alarm would run it. */
import { makeEvent, type Event } from '../../src/event/event.ts';
import { toWire } from '../../src/event/wire.ts';
import { hostPorts, type Ports } from '../../src/ports.ts';
import { openMemory } from '../../src/storage/memory.ts';
import {
  change,
  create,
  redriveDead,
  replay,
  type Change,
  type Controlled,
} from '../../workers/edge/delivery/control.ts';
import { Deliverer } from '../../workers/edge/delivery/deliverer.ts';
import { readLedger, writeLedger } from '../../workers/edge/delivery/ledger.ts';
import type { Queues } from '../../workers/edge/delivery/queue.ts';
import { defaultSettings, type Settings } from '../../workers/edge/delivery/settings.ts';
import type { Source } from '../../workers/edge/delivery/source.ts';
import type { SqlDatabase } from '../../workers/edge/delivery/tables.ts';
import { viewDelivery, viewSubscription } from '../../workers/edge/delivery/view.ts';
import { deliveriesOf, listDeliveries } from '../../workers/edge/delivery/history.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import type { Receiver } from './delivery-receiver.ts';

export interface ShopOptions extends Partial<Omit<Settings, 'batch'>> {
  readonly batch?: number;
  /** Of the wait that backoff allows, how much is waited. Default: as good as nothing. */
  readonly random?: () => number;
  /** Replaces the loopback's switch. */
  readonly allowLoopback?: boolean;
  /** Those that there are. Default: none. */
  readonly queues?: Queues;
}

export class Shop {
  readonly log = openMemory();
  readonly database: SqlDatabase = nodeSqlite(':memory:');
  readonly errors: unknown[] = [];
  readonly secret: string;
  /** Whether the deliverer is told of what is published. */
  hints = true;
  /** Added to the clock. */
  later = 0;
  /** Asked before each page after a position. */
  beforePage: (after: number) => void = () => undefined;
  deliverer: Deliverer;
  readonly #ports: Ports;
  readonly #allowLoopback: boolean;
  readonly #queues: Queues;
  #count = 0;

  constructor(
    receiver: Receiver,
    { random = () => 0, allowLoopback = true, queues = {}, ...given }: ShopOptions = {},
  ) {
    this.#ports = { ...hostPorts, now: () => Date.now() + this.later, random };
    this.#allowLoopback = allowLoopback;
    this.#queues = queues;
    const settings: Settings = {
      id: 'sub_1',
      tenant: 'main',
      serviceName: 'shop',
      selection: { eventTypes: ['order.placed'] },
      callbackUrl: receiver.url,
      origin: 'edge.test',
      createdAt: 0,
      ...defaultSettings,
      ...given,
    };
    this.secret = create(this.database, settings, { 'shard-0': 0 }, this.#ports);
    receiver.secret = this.secret;
    this.deliverer = this.restart();
  }

  get view() {
    return viewSubscription(this.database, {
      now: this.#ports.now(),
      trouble: this.deliverer.trouble,
    });
  }

  get deliveries() {
    return listDeliveries(this.database, { limit: 1000 }).map((each) => viewDelivery('sub_1', each));
  }

  get controlled(): Controlled {
    return { database: this.database, scheduler: this.deliverer.scheduler, ports: this.#ports };
  }

  /** What is in memory is lost. */
  restart(): Deliverer {
    const source: Source = {
      name: 'shard-0',
      page: async (query) => {
        this.beforePage(query.after ?? 0);
        const { events, ...page } = await this.log.read(query);
        return { ...page, lines: events.map(({ line }) => line) };
      },
    };
    return (this.deliverer = new Deliverer({
      database: this.database,
      sources: [source],
      fetch: (input, init) => fetch(input, init),
      resolve: async () => ['93.184.216.34'],
      rules: { allowLoopback: this.#allowLoopback },
      queues: this.#queues,
      ports: this.#ports,
      onError: (error) => void this.errors.push(error),
    }));
  }

  async publish(count: number, fields: Partial<Event> = {}): Promise<readonly Event[]> {
    const events = Array.from({ length: count }, () => {
      const number = ++this.#count;
      const event = { type: 'order.placed', data: { number }, source: 'shop', priority: 2 as const };
      return makeEvent({ id: `e-${number}`, timestamp: number, subject: 'cart-1', ...event, ...fields });
    });
    await this.log.commit([{ events }]);
    if (this.hints) this.deliverer.hint();
    return events;
  }

  /** Runs as the alarm asks for, until it holds. */
  async until(holds: () => boolean, limitMs = 10_000): Promise<void> {
    const end = performance.now() + limitMs;
    while (!holds()) {
      if (performance.now() > end)
        throw new Error(
          `it does not come: ${JSON.stringify(this.view)} ${JSON.stringify(this.deliveries)}`,
        );
      const at = this.deliverer.nextAt();
      if (at !== undefined && at <= this.#ports.now()) await this.deliverer.run();
      else await new Promise((done) => setTimeout(done, 2));
    }
  }

  /** Until nothing waits. */
  settle(): Promise<void> {
    return this.until(() => {
      const { waiting, sequence } = this.view;
      return waiting === 0 && sequence > 0 && this.deliverer.nextAt()! > this.#ports.now();
    });
  }

  change(given: Change): string | undefined {
    const secret = change(this.controlled, given);
    this.deliverer.reload();
    this.deliverer.hint();
    return secret;
  }

  redrive(): void {
    redriveDead(this.controlled);
    this.deliverer.hint();
  }

  replay(after: number, until: number): readonly string[] {
    const ids = replay(this.controlled, [{ source: 'shard-0', after, until }]);
    this.deliverer.hint();
    return ids;
  }

  trailOf(id: string) {
    return deliveriesOf(this.database, id).map((each) => viewDelivery('sub_1', each));
  }

  /** As if so many deliveries waited. */
  pretendWaiting(waiting: number): void {
    writeLedger(this.database, { ...readLedger(this.database), waiting });
  }
}

export function wiresOf(events: readonly Event[]): readonly unknown[] {
  return events.map((event) => toWire(event));
}
