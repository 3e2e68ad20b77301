/** What the bus costs an event, its isolation and its report included, against emitters that have neither. */
import Emittery from 'emittery';
import * as mittModule from 'mitt';
import { createEventFactory, EventBus, hostPorts, type Event } from '../../src/index.ts';
import type { Bench, Row } from './table.ts';
import { alternate, mustEqual } from './timing.ts';

/** Its types say CommonJS, and what is loaded is a module. */
const mitt = mittModule.default as unknown as typeof mittModule.default.default;

const ROUNDS = 15;
const TYPE = 'order.placed';
const event = createEventFactory({ source: 'shop', ports: hostPorts })(TYPE, { total: 3 });

type Listener = (event: Event) => unknown;

/** Something that is published to, and the sum of what its listeners saw. */
interface Subject {
  readonly publish: (event: Event) => unknown;
  readonly seen: () => number;
}

type Make = (subscribe: (listener: Listener) => void) => () => number;

/** Each listener is a closure of its own, as in a program. */
const counting: Make = (subscribe) => {
  let sum = 0;
  subscribe((event) => {
    sum += (event.data as { total: number }).total;
  });
  return () => sum;
};

const countingLater: Make = (subscribe) => {
  let sum = 0;
  subscribe(async (event) => {
    sum += (event.data as { total: number }).total;
  });
  return () => sum;
};

function subject(
  subscribe: (listener: Listener) => void,
  publish: (event: Event) => unknown,
  listeners: number,
  make: Make,
): Subject {
  const sums = Array.from({ length: listeners }, () => make(subscribe));
  return { publish, seen: () => sums.reduce((sum, one) => sum + one(), 0) };
}

function ours(listeners: number, make: Make): Subject {
  const bus = new EventBus();
  return subject(
    (listener) => bus.subscribe(TYPE, listener),
    (event) => bus.publish(event),
    listeners,
    make,
  );
}

function mitts(listeners: number, make: Make): Subject {
  const emitter = mitt<{ [TYPE]: Event }>();
  return subject(
    (listener) => emitter.on(TYPE, listener),
    (event) => emitter.emit(TYPE, event),
    listeners,
    make,
  );
}

function emitterys(listeners: number, make: Make): Subject {
  const emitter = new Emittery<{ [TYPE]: Event }>();
  return subject(
    (listener) => emitter.on(TYPE, listener as (event: Event) => void),
    (event) => emitter.emit(TYPE, event),
    listeners,
    make,
  );
}

/** The least that awaiting can cost: the calls themselves and one `Promise.all`, isolated by nothing. */
function direct(listeners: number, make: Make): Subject {
  const all: Listener[] = [];
  return subject(
    (listener) => all.push(listener),
    (event) => Promise.all(all.map((listener) => listener(event))),
    listeners,
    make,
  );
}

async function compare(
  label: string,
  goal: string,
  listeners: number,
  [us, peer]: readonly [Subject, Subject],
  awaited: boolean,
): Promise<Row> {
  const publishes = Math.max(2_000, Math.round(400_000 / (listeners * (awaited ? 5 : 1))));
  const run = ({ publish }: Subject) =>
    awaited
      ? async () => {
          for (let count = 0; count < publishes; count++) await publish(event);
        }
      : () => {
          for (let count = 0; count < publishes; count++) publish(event);
        };
  const times = await alternate({ ours: run(us), peer: run(peer) }, ROUNDS);
  const expected = (ROUNDS + 1) * publishes * listeners * 3;
  mustEqual(us.seen(), expected, `${label}: what our listeners saw`);
  mustEqual(peer.seen(), expected, `${label}: what the peer's listeners saw`);
  const rate = (ms: number): number => (publishes / ms) * 1000;
  return {
    case: label,
    unit: 'events/s',
    ours: rate(times.ours),
    peer: rate(times.peer),
    ratio: times.peer / times.ours,
    goal,
  };
}

const bench: Bench = {
  name: 'bus',
  async run() {
    const rows: Row[] = [];
    for (const n of [10, 100]) {
      const pair = [ours(n, counting), mitts(n, counting)] as const;
      rows.push(await compare(`${n} listeners, against mitt`, '>=1', n, pair, false));
    }
    for (const n of [10, 100]) {
      const pair = [ours(n, counting), emitterys(n, counting)] as const;
      rows.push(await compare(`${n} listeners, awaited, against emittery`, '>=10', n, pair, true));
    }
    for (const n of [1, 10, 100]) {
      const pair = [ours(n, countingLater), emitterys(n, countingLater)] as const;
      rows.push(await compare(`${n} async listeners, awaited, against emittery`, '>=10', n, pair, true));
      const limit = [ours(n, countingLater), direct(n, countingLater)] as const;
      rows.push(
        await compare(`${n} async listeners, against Promise.all of bare calls`, '', n, limit, true),
      );
    }
    return rows;
  },
};

export default bench;
