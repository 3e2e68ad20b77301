/**
 * What a monitor costs a publish: the same bus with one and without, in turns. The handlers are functions of their own,
 * as in a program; what they do is next to nothing, so that the bus's own time is what is measured against.
 */
import { createEventFactory, EventBus, hostPorts, Monitor, type Event } from '../../src/index.ts';
import type { Bench, Row } from './table.ts';
import { mustEqual } from './timing.ts';

const ROUNDS = 400;
const TYPE = 'order.placed';
const order = createEventFactory({ source: 'shop', ports: hostPorts })(TYPE, { total: 3 });

interface Subject {
  readonly bus: EventBus;
  readonly seen: () => number;
}

const totalOf = ({ data }: Event): number => (data as { total: number }).total;

/** Each kind is written down by itself, as a program's handlers are. */
function subjectOf(handlers: number, later: boolean): Subject {
  const bus = new EventBus();
  let sum = 0;
  const kinds: readonly ((event: Event) => unknown)[] = [
    (event) => void (sum += totalOf(event)),
    (event) => {
      sum += totalOf(event);
      return sum;
    },
    ({ data }) => {
      const { total } = data as { total: number };
      sum += total;
    },
  ];
  for (let i = 0; i < handlers; i++) {
    const kind = kinds[i % kinds.length]!;
    bus.subscribe(TYPE, later ? async (event) => kind(event) : (event) => kind(event));
  }
  return { bus, seen: () => sum };
}

async function compare(label: string, handlers: number, later: boolean): Promise<Row> {
  const plain = subjectOf(handlers, later);
  const watched = subjectOf(handlers, later);
  const monitor = new Monitor();
  monitor.watchBus('shop', watched.bus);
  const publishes = Math.round((later ? 10_000 : 60_000) / Math.sqrt(handlers));
  // Of rounds that are short the fastest: whatever else the machine does only adds to one.
  const fastest = { plain: Infinity, watched: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? (['plain', 'watched'] as const) : (['watched', 'plain'] as const);
    for (const which of order) {
      const { bus } = which === 'plain' ? plain : watched;
      const took = later ? await publishLater(bus, publishes) : publish(bus, publishes);
      fastest[which] = Math.min(fastest[which], took);
    }
  }
  await check(monitor, watched, { handlers, publishes: publishes * ROUNDS });
  mustEqual(plain.seen(), watched.seen(), `${label}: what the handlers saw`);
  const rate = (ms: number): number => (publishes / ms) * 1000;
  return {
    case: label,
    unit: 'events/s',
    ours: rate(fastest.watched),
    peer: rate(fastest.plain),
    ratio: fastest.watched / fastest.plain,
    goal: '<=1.03',
  };
}

function publish(bus: EventBus, publishes: number): number {
  const start = performance.now();
  for (let count = 0; count < publishes; count++) void bus.publish(order);
  return performance.now() - start;
}

async function publishLater(bus: EventBus, publishes: number): Promise<number> {
  const start = performance.now();
  for (let count = 0; count < publishes; count++) await bus.publish(order);
  return performance.now() - start;
}

/** What the monitor says is what was published, to the event. */
async function check(
  monitor: Monitor,
  { seen }: Subject,
  { handlers, publishes }: { readonly handlers: number; readonly publishes: number },
): Promise<void> {
  mustEqual(seen(), publishes * handlers * 3, 'what the handlers saw');
  const families = await monitor.read();
  const sum = (name: string): number =>
    families
      .find((family) => family.name === name)!
      .samples.reduce((all, { value = 0 }) => all + value, 0);
  mustEqual(sum('millrace_bus_events_total'), publishes, 'events that were counted');
  mustEqual(sum('millrace_handler_received_total'), publishes * handlers, 'events of the handlers');
  mustEqual(sum('millrace_handler_failed_total'), 0, 'failures');
}

const bench: Bench = {
  name: 'monitor',
  async run() {
    const rows: Row[] = [];
    for (const handlers of [1, 3, 10, 100])
      rows.push(await compare(`${handlers} handlers, with a monitor and without`, handlers, false));
    for (const handlers of [1, 10])
      rows.push(await compare(`${handlers} async handlers, awaited`, handlers, true));
    return rows;
  },
};

export default bench;
