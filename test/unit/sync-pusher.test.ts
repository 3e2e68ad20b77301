import { afterEach, describe, expect, it } from 'vitest';
import { MillraceError, type ErrorDetails } from '../../src/errors.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { formatCursor } from '../../src/storage/cursor.ts';
import { hostDigest } from '../../src/ports.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { deadLetterEntry, listDeadLetters, pushDeadLetter } from '../../src/sync/dead-letter.ts';
import { Pusher, type PusherOptions, type PushStatus } from '../../src/sync/pusher.ts';
import { readProgress } from '../../src/sync/progress.ts';
import type { Push, PushAnswer } from '../../src/sync/protocol.ts';
import type { SyncTransport } from '../../src/sync/transport.ts';
import {
  crashing,
  damagedAt,
  faultyTransport,
  idsOf,
  MemoryEdge,
  replaceable,
  settle,
  shopEvents,
  SteppedPorts,
} from './sync-world.ts';

const running: Pusher[] = [];

function begin(options: Omit<PusherOptions, 'ports'> & { ports?: SteppedPorts }) {
  const ports = options.ports ?? new SteppedPorts();
  const seen: PushStatus[] = [];
  const pusher = new Pusher({ onStatus: (status) => seen.push(status), ...options, ports });
  running.push(pusher);
  return {
    pusher: pusher.start(),
    ports,
    seen,
    is: (state: string) => () => pusher.status.state === state,
  };
}

function device(events = shopEvents(10)): Storage {
  const storage = openMemory();
  if (events.length > 0) void storage.commit([{ events }]);
  return storage;
}

/** A transport whose pushes are answered by a function. */
function answering(
  push: (push: Push, signal?: AbortSignal) => PushAnswer | Promise<PushAnswer>,
): SyncTransport {
  const other = faultyTransport(new MemoryEdge());
  return { ...other, push: async (given, signal) => push(given, signal) };
}

function refused(status: number, code?: string): MillraceError {
  const details: ErrorDetails['sync.refused'] = {
    endpoint: 'edge',
    status,
    reason: `it is ${status}`,
    ...(code !== undefined && { code }),
  };
  return new MillraceError('sync.refused', `it is ${status}`, details);
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((pusher) => pusher.stop()));
});

describe('a pusher', () => {
  it('pushes what waits, and says what is acknowledged', async () => {
    const edge = new MemoryEdge();
    const storage = device();
    const { pusher, ports, is } = begin({
      storage,
      transport: faultyTransport(edge),
      limits: { events: 4 },
    });
    await ports.until(is('idle'));
    expect(edge.pushes.map(({ seq, count }) => [seq, count])).toEqual([
      [1, 4],
      [5, 4],
      [9, 2],
    ]);
    expect(pusher.status).toMatchObject({ state: 'idle' });
    expect(await readProgress(storage)).toMatchObject({ waiting: 0, acknowledged: 10, rejected: 0 });
    expect(await storage.get('sync/acked')).toBe(10);
  });

  it('bounds a push by its characters, and still sends an event that is longer alone', async () => {
    const edge = new MemoryEdge();
    const events = shopEvents(4);
    const transport = faultyTransport(edge);
    const { ports, is } = begin({ storage: device(events), transport, limits: { characters: 1 } });
    await ports.until(is('idle'));
    expect(edge.pushes.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
  });

  it('reads what is next while a push is on its way, and sends it as soon as that is taken', async () => {
    const inner = device(shopEvents(7));
    const happened: string[] = [];
    const storage: Storage = {
      ...crashing(inner, undefined),
      read: (query) => (happened.push(`read after ${query.after}`), inner.read(query)),
    };
    const edge = new MemoryEdge();
    const transport = answering(async (push) => {
      happened.push(`push ${push.seq}`);
      // Until all that can be done meanwhile is done.
      await settle();
      happened.push('answer');
      return edge.push(push);
    });
    const { ports, is } = begin({ storage, transport, limits: { events: 3 } });
    await ports.until(is('idle'));
    expect(happened.slice(0, 8)).toEqual([
      'read after 0',
      'push 1',
      'read after 3',
      'answer',
      'push 4',
      'read after 6',
      'answer',
      'push 7',
    ]);
    // Nothing stands behind the last.
    expect(happened[8]).toBe('answer');
    expect(await idsOf(edge.storage)).toEqual(await idsOf(inner));
  });

  it('sends what it has read meanwhile no further than what the edge says that it has', async () => {
    const pushes: Push[] = [];
    const transport = answering((push) => {
      pushes.push(push);
      const repeated = push.seq === 1;
      const seq = repeated ? 5 : push.seq + push.count - 1;
      return { epoch: push.epoch, seq, duplicates: 0, repeated, time: '' };
    });
    const { ports, is } = begin({ storage: device(shopEvents(7)), transport, limits: { events: 3 } });
    await ports.until(is('idle'));
    expect(pushes.map(({ seq, count }) => [seq, count])).toEqual([
      [1, 3],
      [4, 2],
      [6, 2],
    ]);
  });

  it('links what it has read meanwhile to nothing that the edge does not vouch for', async () => {
    const pushes: Push[] = [];
    const transport = answering((push) => {
      pushes.push(push);
      const seq = push.seq + push.count - 1;
      return { epoch: push.epoch, seq, duplicates: 0, repeated: false, time: '' };
    });
    const storage = device(shopEvents(5));
    begin({ storage, transport, digest: hostDigest, limits: { events: 3 } });
    await expect.poll(() => pushes.length).toBe(2);
    expect(pushes.map(({ chain }) => chain?.previous)).toEqual(['', '']);
  });

  it('sends nothing that it has read meanwhile of a log that was emptied while it was switched off', async () => {
    const edge = new MemoryEdge();
    let inner = device(shopEvents(5));
    const storage = replaceable(() => inner, new Set());
    const { pusher, ports } = begin({
      transport: faultyTransport(edge),
      limits: { events: 3 },
      storage: {
        ...storage,
        commit: async (batch) => {
          const results = await storage.commit(batch);
          if (edge.pushes.length > 0) pusher.setOnline(false);
          return results;
        },
      },
    });
    await ports.until(() => pusher.status.state === 'offline');
    inner = openMemory();
    pusher.setOnline(true);
    await ports.until(() => pusher.status.state === 'backoff');
    expect(edge.pushes).toHaveLength(1);
  });

  it('wakes at a commit, without waiting for the poll', async () => {
    const edge = new MemoryEdge();
    const storage = device([]);
    const { ports, is } = begin({ storage, transport: faultyTransport(edge), pollMs: 1e9 });
    await ports.until(is('idle'));
    const before = ports.now();
    await storage.commit([{ events: shopEvents(1) }]);
    await settle();
    expect(edge.pushes).toHaveLength(1);
    expect(ports.now()).toBe(before);
  });

  it('finds by its poll what no hint told of', async () => {
    const edge = new MemoryEdge();
    const storage = device([]);
    const deaf = { ...crashing(storage, undefined), onCommit: () => () => {} };
    const { ports, is } = begin({ storage: deaf, transport: faultyTransport(edge), pollMs: 5_000 });
    await ports.until(is('idle'));
    await storage.commit([{ events: shopEvents(1) }]);
    await ports.until(() => edge.pushes.length === 1, 2);
  });

  it('keeps its identity over a restart, and raises its epoch', async () => {
    const edge = new MemoryEdge();
    const storage = device();
    for (const count of [1, 2]) {
      const { pusher, ports, is } = begin({ storage, transport: faultyTransport(edge) });
      await ports.until(is('idle'));
      await pusher.stop();
      await storage.commit([{ events: shopEvents(count + 20).slice(-1) }]);
    }
    const [first, second] = edge.pushes;
    expect(second!.producer).toBe(first!.producer);
    expect([first!.epoch, second!.epoch]).toEqual([1, 2]);
    expect(second!.seq).toBe(11);
  });

  it('goes on by itself after a storage error, whether or not the change came down', async () => {
    for (let call = 1; call <= 14; call++) {
      for (const applied of [true, false]) {
        const edge = new MemoryEdge();
        const storage = device();
        const broken = crashing(storage, { call, applied, fatal: false });
        const { pusher, ports } = begin({
          storage: broken,
          transport: faultyTransport(edge),
          limits: { events: 3 },
        });
        await ports.until(async () => (await readProgress(storage)).waiting === 0);
        expect([call, applied, pusher.status.state]).not.toContain('fenced');
        expect(await edge.ids()).toEqual(await idsOf(storage));
        await pusher.stop();
      }
    }
  });

  it('ends as stopped when its log is closed', async () => {
    const storage = device();
    const { pusher, ports, is } = begin({ storage, transport: faultyTransport(new MemoryEdge()) });
    await ports.until(is('idle'));
    await storage.close();
    await ports.step();
    await pusher.finished;
    expect(pusher.status).toMatchObject({ state: 'stopped', lastError: { code: 'storage.closed' } });
  });
});

describe('two leaders of one log', () => {
  it('the newer one fences the older, which ends and says so', async () => {
    const edge = new MemoryEdge();
    const storage = device();
    const old = begin({ storage, transport: faultyTransport(edge) });
    await old.ports.until(old.is('idle'));
    const next = begin({ storage, transport: faultyTransport(edge), ports: old.ports });
    await storage.commit([{ events: shopEvents(11).slice(10) }]);
    await old.ports.until(() => next.is('idle')() && old.is('fenced')());
    await old.pusher.finished;
    expect(old.pusher.status.lastError).toMatchObject({ code: 'producer.fenced' });
    expect(await edge.ids()).toHaveLength(11);
  });

  it('a push of the older that is under way is refused by the edge once the newer has pushed', async () => {
    const edge = new MemoryEdge();
    const events = shopEvents(3);
    const storage = device(events.slice(0, 2));
    let late: (() => void) | undefined;
    const outcomes: unknown[] = [];
    const slow = answering(async (push) => {
      await new Promise<void>((resolve) => (late = resolve));
      try {
        return edge.push(push);
      } catch (error) {
        outcomes.push((error as MillraceError).code);
        throw error;
      }
    });
    const old = begin({ storage, transport: slow });
    await settle();
    const next = begin({ storage, transport: faultyTransport(edge), ports: old.ports });
    await old.ports.until(next.is('idle'));
    await storage.commit([{ events: events.slice(2) }]);
    await old.ports.until(next.is('idle'));
    late!();
    await old.pusher.finished;
    expect(outcomes).toEqual(['producer.fenced']);
    expect(old.pusher.status.state).toBe('fenced');
    expect(await edge.ids()).toEqual(events.map(({ id }) => id));
  });

  it('one that is fenced by the edge alone goes on above its epoch: the log has lost its record of it', async () => {
    const edge = new MemoryEdge();
    const storage = device();
    const first = begin({ storage, transport: faultyTransport(edge) });
    await first.ports.until(first.is('idle'));
    const { id } = (await storage.get('sync/producer')) as { id: string };
    await edge.storage.commit([{ events: [], producer: { id, epoch: 9, seq: 11, count: 1 } }]);
    await storage.commit([{ events: shopEvents(12).slice(10) }]);
    await first.ports.until(async () => (await edge.ids()).length === 12);
    expect(first.pusher.status.state).not.toBe('fenced');
    expect(edge.pushes.at(-1)!.epoch).toBeGreaterThan(0);
  });
});

describe('failures', () => {
  it.each(['lost', '503', 'nonsense', 'behind'] as const)(
    '%s: backs off longer and longer, and loses nothing',
    async (fault) => {
      const edge = new MemoryEdge();
      const faults = Array.from({ length: 10 }, () => fault);
      const { ports, is, seen } = begin({ storage: device(), transport: faultyTransport(edge, faults) });
      await ports.until(is('idle'));
      const waits = seen.filter(({ state }) => state === 'backoff');
      expect(waits).toHaveLength(10);
      expect(waits.every(({ lastError }) => lastError?.code === 'sync.unreachable')).toBe(true);
      expect(await edge.ids()).toHaveLength(10);
      expect(seen.at(-1)!.lastError).toBeUndefined();
      expect(seen.at(-1)!.nextAttemptAt).toBeUndefined();
    },
  );

  it('waits as long as the edge asks, even if the network says that it is back', async () => {
    const edge = new MemoryEdge();
    const { pusher, ports, is } = begin({
      storage: device(),
      transport: faultyTransport(edge, ['429']),
    });
    const start = ports.now();
    await ports.until(is('backoff'), 1);
    pusher.retry();
    await settle();
    expect(pusher.status).toMatchObject({ state: 'backoff', nextAttemptAt: start + 2_000 });
    await ports.until(is('idle'));
    expect(ports.now()).toBe(start + 2_000);
  });

  it('tries at once when the network is back', async () => {
    const edge = new MemoryEdge();
    const { pusher, ports, is } = begin({
      storage: device(),
      transport: faultyTransport(edge, ['lost']),
    });
    await ports.until(is('backoff'), 1);
    const before = ports.now();
    pusher.retry();
    await settle();
    expect(pusher.status.state).toBe('idle');
    expect(ports.now()).toBe(before);
  });

  it.each([401, 403, 404, 405])(
    '%i is about the caller or the route: it is tried again, and no event is given up',
    async (status) => {
      const storage = device();
      const edge = new MemoryEdge();
      let refusals = 5;
      const transport = answering((push) => {
        if (refusals-- > 0) throw refused(status);
        return edge.push(push);
      });
      const { ports, is } = begin({ storage, transport });
      await ports.until(is('idle'));
      expect(await listDeadLetters(storage)).toEqual([]);
      expect(await edge.ids()).toHaveLength(10);
    },
  );

  it('a recovery that brings nothing forward is paced like a failure', async () => {
    let calls = 0;
    const transport = answering((push) => {
      calls++;
      const details = { producer: push.producer, expected: push.seq, received: push.seq };
      throw new MillraceError('producer.gap', 'nonsense', details);
    });
    const { ports, is } = begin({ storage: device(), transport });
    await ports.until(is('backoff'), 1);
    expect(calls).toBeLessThan(6);
  });
});

describe('an edge that is out of reach', () => {
  it('is asked by one event at a time until it is back, and then gets all', async () => {
    const edge = new MemoryEdge();
    const tried: number[] = [];
    let down = 6;
    const transport = answering((push) => {
      tried.push(push.lines.length);
      if (down-- > 0) throw new MillraceError('sync.unreachable', 'down', { endpoint: 'edge' });
      return edge.push(push);
    });
    const { ports, is } = begin({ storage: device(shopEvents(400)), transport });
    await ports.until(is('idle'));
    expect(tried).toEqual([400, 1, 1, 1, 1, 1, 1, 399]);
    expect(await edge.ids()).toHaveLength(400);
  });
});

describe('a pusher that gathers', () => {
  it('waits after a rest for what follows the first event, and sends all in one push', async () => {
    const edge = new MemoryEdge();
    const storage = device([]);
    const transport = faultyTransport(edge);
    const { ports, is } = begin({ storage, transport, gatherMs: 100, pollMs: 1e9 });
    await ports.until(is('idle'));
    const events = shopEvents(3);
    const start = ports.now();
    await storage.commit([{ events: events.slice(0, 1) }]);
    await settle();
    await storage.commit([{ events: events.slice(1) }]);
    await settle();
    expect(edge.pushes).toHaveLength(0);
    await ports.until(() => edge.pushes.length > 0, 2);
    expect(edge.pushes.map(({ count }) => count)).toEqual([3]);
    expect(ports.now()).toBe(start + 100);
  });

  it('pushes at its pace while events keep coming, and soon after a longer rest', async () => {
    const edge = new MemoryEdge();
    const storage = device([]);
    const transport = faultyTransport(edge);
    const { ports, is } = begin({ storage, transport, gatherMs: 100, paceMs: 1_000, pollMs: 1e9 });
    await ports.until(is('idle'));
    const pushedAfter: number[] = [];
    for (const [index, event] of shopEvents(4).entries()) {
      const start = ports.now();
      await storage.commit([{ events: [event] }]);
      await ports.until(() => edge.pushes.length > index);
      pushedAfter.push(ports.now() - start);
      await ports.until(is('idle'));
      // Before the last, more than a second goes by; before the third, the clock is set back by an hour.
      if (index === 1) ports.jump(-3_600_000);
      if (index === 2) ports.jump(5_000);
    }
    expect(pushedAfter).toEqual([100, 1_000, 1_000, 100]);
  });
});

describe('poison', () => {
  it('that the edge names becomes a dead letter at once, and its sequence a hole', async () => {
    const edge = new MemoryEdge();
    const events = shopEvents(10);
    for (const index of [0, 3, 9]) edge.poison.add(events[index]!.id);
    const storage = device(events);
    const { ports, is } = begin({ storage, transport: faultyTransport(edge) });
    await ports.until(is('idle'));
    expect(edge.pushes.map(({ count, holes }) => [count, holes])).toEqual([
      [10, []],
      [10, [1, 4, 10]],
    ]);
    expect(await readProgress(storage)).toMatchObject({ waiting: 0, acknowledged: 7, rejected: 3 });
    const letters = await listDeadLetters(storage);
    expect(letters.map(({ position, reason, lastAt }) => [position, reason.message, lastAt])).toEqual(
      [1, 4, 10].map((position) => [position, 'poison', ports.now()]),
    );
    expect(await storage.get(`dead/${formatCursor(4)}`)).toMatchObject({
      position: 4,
      line: letters[1]!.line,
    });
  });

  it('that the edge does not name is found by halving, in log₂ n + 2 pushes at most', async () => {
    for (let at = 0; at < 64; at++) {
      const edge = new MemoryEdge();
      edge.names = false;
      const events = shopEvents(64);
      edge.poison.add(events[at]!.id);
      const storage = device(events);
      const { pusher, ports, is } = begin({ storage, transport: faultyTransport(edge) });
      await ports.until(is('idle'));
      const [letter] = await listDeadLetters(storage);
      expect(letter).toMatchObject({
        position: at + 1,
        reason: { code: 'sync.refused', message: 'bad events' },
      });
      expect(await edge.ids()).toHaveLength(63);
      const alone = edge.pushes.findIndex(({ seq, lines }) => seq === at + 1 && lines.length === 1);
      expect(alone).toBeLessThanOrEqual(Math.log2(64) + 1);
      await pusher.stop();
    }
  });

  it('is not believed in where the edge that refuses cannot say its head: nothing is given up', async () => {
    const storage = device();
    const transport = answering(() => {
      throw refused(400, 'event.invalid');
    });
    transport.head = () =>
      Promise.reject(new MillraceError('sync.unreachable', 'no', { endpoint: 'edge' }));
    const { ports } = begin({ storage, transport });
    for (let step = 0; step < 50; step++) await ports.step();
    expect(await listDeadLetters(storage)).toEqual([]);
    expect((await readProgress(storage)).waiting).toBe(10);
  });

  it.each([400, 411, 413, 414, 415, 417, 418, 431, 494, 499])(
    'is not believed in where a gateway says %i to all: no event is given up, and all go when it stops',
    async (status) => {
      const storage = device();
      const edge = new MemoryEdge();
      let open = false;
      const transport = answering((push) => {
        if (!open) throw refused(status);
        return edge.push(push);
      });
      const { ports, pusher, is } = begin({ storage, transport });
      for (let step = 0; step < 40; step++) await ports.step();
      expect(pusher.status).toMatchObject({
        state: 'backoff',
        lastError: { code: 'sync.refused' },
      });
      expect(await readProgress(storage)).toMatchObject({ waiting: 10 });
      open = true;
      await ports.until(is('idle'));
      expect(await listDeadLetters(storage)).toEqual([]);
      expect(await edge.ids()).toHaveLength(10);
    },
  );

  it.each(['request.malformed', 'query.invalid', 'producer.gap'])(
    'is not believed in where the edge’s code is %s: it speaks of the request',
    async (code) => {
      const storage = device(shopEvents(1));
      const { ports } = begin({
        storage,
        transport: answering(() => {
          throw refused(400, code);
        }),
      });
      for (let step = 0; step < 20; step++) await ports.step();
      expect(await listDeadLetters(storage)).toEqual([]);
    },
  );

  it('is an event that the edge says is too large', async () => {
    const storage = device();
    const edge = new MemoryEdge();
    const transport = answering((push) => {
      if (push.lines.some((line) => line.includes('/3'))) throw refused(413, 'limit.exceeded');
      return edge.push(push);
    });
    const { ports, is } = begin({ storage, transport });
    await ports.until(is('idle'));
    expect((await listDeadLetters(storage)).map(({ position }) => position)).toEqual([4]);
    expect(await edge.ids()).toHaveLength(9);
  });

  it('is counted however many there are ahead', async () => {
    const events = shopEvents(2500);
    const storage = device(events);
    const details = { endpoint: 'edge', status: 422, reason: 'poison' };
    const poison = new MillraceError('sync.refused', 'poison', details).toWire();
    const put = events.map(({ id }, index) => deadLetterEntry(pushDeadLetter(index + 1, id, poison, 0)));
    await storage.commit([{ events: [], put: [...put, ['sync/rejected', 2500]] }]);
    const progress = { waiting: 0, acknowledged: 0, rejected: 2500 };
    expect(await readProgress(storage)).toMatchObject({ head: 2500, ...progress });
    const { ports, pusher } = begin({
      storage,
      transport: faultyTransport(new MemoryEdge(), ['lost']),
    });
    await ports.until(() => pusher.status.state === 'backoff', 1);
    expect(await readProgress(storage)).toMatchObject(progress);
  });

  it('is not looked for in events that were only too many: the pushes become smaller', async () => {
    const edge = new MemoryEdge();
    const storage = device(shopEvents(100));
    let tooLarge = 0;
    const transport = answering((push) => {
      if (push.lines.length > 10) {
        tooLarge++;
        throw refused(413);
      }
      return edge.push(push);
    });
    const { ports, is } = begin({ storage, transport });
    await ports.until(is('idle'));
    expect(await listDeadLetters(storage)).toEqual([]);
    expect(await edge.ids()).toHaveLength(100);
    expect(tooLarge).toBeLessThan(6);
  });
});

describe('damage', () => {
  it.each([
    ['one', [4]],
    ['the first', [1]],
    ['the last', [10]],
    ['several, alone and together', [1, 2, 5, 9, 10]],
    ['all', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  ])('of %s costs no other event: a dead letter without its line, and a hole', async (_, positions) => {
    for (const events of [1, 3, 500]) {
      const edge = new MemoryEdge();
      const inner = device();
      const storage = damagedAt(inner, positions);
      const transport = faultyTransport(edge);
      const { pusher, ports, is, seen } = begin({ storage, transport, limits: { events } });
      await ports.until(is('idle'));
      const good = (await idsOf(inner)).filter((_, index) => !positions.includes(index + 1));
      expect(await edge.ids()).toEqual(good);
      const letters = await listDeadLetters(storage);
      expect(letters.map(({ position, line }) => [position, line])).toEqual(
        positions.map((position) => [position, '']),
      );
      const counts = { waiting: 0, acknowledged: good.length, rejected: positions.length };
      expect(pusher.status.state).toBe('idle');
      expect(await readProgress(storage)).toMatchObject(counts);
      expect(seen.some(({ lastError }) => lastError?.code === 'storage.corrupt')).toBe(true);
      await pusher.stop();
    }
  });

  it('that took whole positions away is told from what was trimmed', async () => {
    const edge = new MemoryEdge();
    const inner = device();
    const storage = crashing(inner, undefined);
    const read: Storage['read'] = async (query) => {
      const page = await inner.read(query);
      return { ...page, events: page.events.filter(({ position }) => position < 4 || position > 6) };
    };
    await inner.trim(2);
    const { ports, is } = begin({
      storage: { ...storage, read },
      transport: faultyTransport(edge),
    });
    await ports.until(is('idle'));
    expect((await listDeadLetters(inner)).map(({ position }) => position)).toEqual([4, 5, 6]);
    expect(await edge.ids()).toHaveLength(5);
  });

  it('does not hide what waits', async () => {
    const inner = device();
    const transport = faultyTransport(new MemoryEdge(), ['lost']);
    const { pusher, ports } = begin({ storage: damagedAt(inner, [1]), transport });
    await ports.until(() => pusher.status.state === 'backoff', 1);
    expect(await readProgress(inner)).toMatchObject({ waiting: 9, rejected: 1 });
  });
});

describe('a log that is emptied beneath its pusher', () => {
  it.each([3, 10, 15])('is a new log: a new producer, from its first event on, of %i', async (count) => {
    const edge = new MemoryEdge();
    let inner = device();
    const hints = new Set<(head: number) => void>();
    const storage = replaceable(() => inner, hints);
    const { ports, is } = begin({ storage, transport: faultyTransport(edge) });
    await ports.until(is('idle'));
    inner = openMemory();
    await inner.commit([{ events: shopEvents(10 + count).slice(10) }]);
    for (const hint of hints) hint(count);
    await ports.until(async () => (await edge.ids()).length === 10 + count);
    await ports.until(is('idle'));
    expect(new Set(edge.pushes.map(({ producer }) => producer)).size).toBe(2);
    expect(edge.pushes.at(-1)).toMatchObject({ seq: 1, count });
    expect(await readProgress(inner)).toMatchObject({ waiting: 0, acknowledged: count });
  });
});

describe('switched off', () => {
  it('sends nothing, counts what waits, and goes on when switched on', async () => {
    const edge = new MemoryEdge();
    const storage = device();
    const { pusher, ports, is } = begin({ storage, transport: faultyTransport(edge), online: false });
    await settle();
    expect(pusher.status.state).toBe('offline');
    expect(edge.pushes).toEqual([]);
    pusher.setOnline(true);
    await ports.until(is('idle'));
    pusher.setOnline(false);
    await settle();
    await storage.commit([{ events: shopEvents(12).slice(10) }]);
    await settle();
    expect(pusher.status.state).toBe('offline');
    expect(await readProgress(storage)).toMatchObject({ waiting: 2, acknowledged: 10 });
    pusher.setOnline(true);
    await ports.until(is('idle'));
    expect(await edge.ids()).toHaveLength(12);
  });

  it('aborts the request under way', async () => {
    let aborted = false;
    const transport = answering(
      (_, signal) =>
        new Promise(() => {
          signal!.addEventListener('abort', () => (aborted = true));
        }),
    );
    const { pusher } = begin({ storage: device(), transport });
    await settle();
    pusher.setOnline(false);
    await settle();
    expect(aborted).toBe(true);
    expect(pusher.status.state).toBe('offline');
  });
});

describe('stop', () => {
  it('waits neither for a request that never ends, nor for a storage that does not answer', async () => {
    const hanging = begin({
      storage: device(),
      transport: faultyTransport(new MemoryEdge(), ['hangs']),
    });
    await settle();
    expect(hanging.pusher.status.state).toBe('pushing');
    await hanging.pusher.stop();
    expect(hanging.pusher.status.state).toBe('stopped');
    const mute = { ...crashing(device(), undefined), get: () => new Promise<never>(() => {}) };
    const waiting = begin({ storage: mute, transport: faultyTransport(new MemoryEdge()) });
    await settle();
    await waiting.pusher.stop();
    expect(waiting.pusher.status.state).toBe('stopped');
  });

  it('leaves no timer behind, and a listener that throws stops nothing', async () => {
    const edge = new MemoryEdge();
    const ports = new SteppedPorts();
    const onStatus = (): void => {
      throw new Error('a listener’s own defect');
    };
    const { pusher } = begin({
      storage: device(),
      transport: faultyTransport(edge, ['lost']),
      ports,
      onStatus,
    });
    await ports.until(async () => (await edge.ids()).length === 10);
    await pusher.stop();
    expect(ports.timers).toBe(0);
  });
});
