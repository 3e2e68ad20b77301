import { describe, expect, it, vi } from 'vitest';
import { MAX_WAITING_FOR_ROOM } from '../../src/bus/bounded-queue.ts';
import { busWorld, gate } from './bus-world.ts';
import { settle } from './sync-world.ts';

const throws = (): never => {
  throw new Error('broken');
};

describe('publish-subscribe', () => {
  it('queues until it is started, then calls the subscribers whose pattern matches the topic', async () => {
    const { pubSub, event } = busWorld();
    const seen: string[] = [];
    for (const pattern of ['order.#', 'order.*', '#.eu', 'page.#'])
      pubSub.subscribe(pattern, ({ data }) => void seen.push(`${pattern} ${data}`), { name: pattern });
    expect(pubSub.subscribers('order.placed.eu').toSorted()).toEqual(['#.eu', 'order.#']);
    expect(pubSub.publish('order.placed.eu', event('a.b', 1))).toEqual({
      topic: 'order.placed.eu',
      queued: 2,
      dropped: 0,
      refused: 0,
    });
    await settle();
    expect(seen).toEqual([]);
    expect(pubSub.queueLength).toBe(2);
    pubSub.start();
    pubSub.start();
    await settle();
    expect(seen.toSorted()).toEqual(['#.eu 1', 'order.# 1']);
    expect(pubSub.queueLength).toBe(0);
  });

  it('refuses what is no topic, no pattern, no event, and options that mean nothing', () => {
    const { pubSub, event } = busWorld();
    const code = (code: string) => expect.objectContaining({ code }) as Error;
    for (const topic of ['', 'a..b', 'a.*', '#', 'x'.repeat(257), 7 as never])
      expect(() => pubSub.publish(topic, event())).toThrow(code('topic.invalid'));
    expect(() => pubSub.subscribe('a..b', () => {})).toThrow(code('topic.invalid'));
    expect(() => pubSub.publish('a.b', {} as never)).toThrow(code('event.invalid'));
    for (const options of [
      { capacity: 0 },
      { policy: 'x' },
      { concurrency: 0 },
      { key: 'x' },
      { filter: 1 },
    ])
      expect(() => pubSub.subscribe('a.b', () => {}, options as never)).toThrow(code('query.invalid'));
    expect(() => pubSub.subscribe('a.b', 'x' as never)).toThrow(code('query.invalid'));
    pubSub.subscribe('a.b', () => {}, { name: 'pack' });
    expect(() => pubSub.subscribe('a.b', () => {}, { name: 'pack' })).toThrow(code('query.invalid'));
    expect(pubSub.subscribers('a.b')).toEqual(['pack']);
  });

  it('handles one after another by default, in order', async () => {
    const { pubSub, event } = busWorld();
    const gates = [gate(), gate(), gate()];
    const started: unknown[] = [];
    pubSub.subscribe('a.b', ({ data }) => (started.push(data), gates[data as number]!.promise));
    pubSub.start();
    for (const data of [0, 1, 2]) pubSub.publish('a.b', event('a.b', data));
    await settle();
    expect(started).toEqual([0]);
    gates[0]!.open();
    await settle();
    expect(started).toEqual([0, 1]);
  });

  it('lets a slow or failing subscriber stop no other', async () => {
    const { pubSub, event, deadLetters } = busWorld();
    const seen: unknown[] = [];
    pubSub.subscribe('a.b', () => gate().promise);
    pubSub.subscribe('a.b', throws, { name: 'broken' });
    pubSub.subscribe('a.b', ({ data }) => void seen.push(data));
    pubSub.start();
    for (const data of [1, 2]) pubSub.publish('a.b', event('a.b', data));
    await settle();
    expect(seen).toEqual([1, 2]);
    const where = { part: 'topic', name: 'broken', detail: 'a.b' };
    const letter = { where, reason: { code: 'failed', message: 'broken' }, attempts: 1 };
    expect(deadLetters.list()).toMatchObject([letter, letter]);
  });

  it.each([
    {
      policy: 'drop-oldest',
      seen: [3, 4],
      report: { queued: 1, dropped: 0, refused: 0 },
      dropped: 2,
      failed: 0,
    },
    {
      policy: 'drop-newest',
      seen: [1, 2],
      report: { queued: 0, dropped: 1, refused: 0 },
      dropped: 2,
      failed: 0,
    },
    {
      policy: 'fail',
      seen: [1, 2],
      report: { queued: 0, dropped: 0, refused: 1 },
      dropped: 0,
      failed: 2,
    },
  ] as const)(
    'with $policy keeps to its bound and counts',
    async ({ policy, seen, report, dropped, failed }) => {
      const { pubSub, event, deadLetters } = busWorld();
      const handled: unknown[] = [];
      const options = { policy, capacity: 2 };
      const subscription = pubSub.subscribe('a.b', ({ data }) => void handled.push(data), options);
      const [, , third] = [1, 2, 3, 4].map((data) => pubSub.publish('a.b', event('a.b', data)));
      expect(third).toMatchObject(report);
      expect(subscription.queueLength).toBe(2);
      pubSub.start();
      await settle();
      expect(handled).toEqual(seen);
      expect(subscription.counts).toEqual({ received: 4, handled: 2, dropped, failed });
      expect(deadLetters.count()).toBe(failed);
      for (const { reason } of deadLetters.list()) expect(reason.code).toBe('limit.exceeded');
    },
  );

  it('with wait holds up the publisher until there is room, to a bound', async () => {
    const { pubSub, event, ports } = busWorld();
    const first = gate();
    let calls = 0;
    const subscription = pubSub.subscribe('a.b', () => (calls++ === 0 ? first.promise : undefined), {
      capacity: 1,
    });
    pubSub.start();
    expect(await pubSub.publish('a.b', event())).toMatchObject({ queued: 1 });
    await settle();
    expect(pubSub.publish('a.b', event())).not.toBeInstanceOf(Promise);
    const waiting = Array.from({ length: MAX_WAITING_FOR_ROOM }, () => pubSub.publish('a.b', event()));
    expect(waiting[0]).toBeInstanceOf(Promise);
    expect(pubSub.publish('a.b', event())).toMatchObject({ refused: 1 });
    first.open();
    await ports.until(() => subscription.queueLength === 0);
    expect((await Promise.all(waiting)).every(({ queued }) => queued === 1)).toBe(true);
    expect(subscription.counts).toMatchObject({ handled: MAX_WAITING_FOR_ROOM + 2, failed: 1 });
  });

  it('keeps the order of each key while other keys pass by', async () => {
    const { pubSub, event } = busWorld();
    const gates = new Map(['a1', 'a2', 'b1', 'c1', 'b2'].map((data) => [data, gate()]));
    const started: string[] = [];
    pubSub.subscribe(
      'a.b',
      ({ data }) => {
        started.push(data as string);
        return gates.get(data as string)!.promise;
      },
      { concurrency: 2, key: ({ data }) => (data as string)[0] },
    );
    pubSub.start();
    for (const data of gates.keys()) pubSub.publish('a.b', event('a.b', data));
    await settle();
    expect(started).toEqual(['a1', 'b1']);
    gates.get('b1')!.open();
    await settle();
    expect(started).toEqual(['a1', 'b1', 'c1']);
    gates.get('c1')!.open();
    await settle();
    expect(started).toEqual(['a1', 'b1', 'c1', 'b2']);
    gates.get('a1')!.open();
    await settle();
    expect(started).toEqual(['a1', 'b1', 'c1', 'b2', 'a2']);
  });

  it('retries a key’s event before the next of that key', async () => {
    const { pubSub, event, ports } = busWorld();
    const seen: string[] = [];
    const options = { concurrency: 4, key: () => 'one', retry: { count: 2 } };
    pubSub.subscribe(
      'a.b',
      ({ data }, { attempt }) => {
        seen.push(`${data}/${attempt}`);
        if (data === 1 && attempt < 3) throws();
      },
      options,
    );
    pubSub.start();
    for (const data of [1, 2]) pubSub.publish('a.b', event('a.b', data));
    await ports.until(() => seen.length === 4);
    expect(seen).toEqual(['1/1', '1/2', '1/3', '2/1']);
  });

  it('asks filter and canHandle before it queues; where they or the key throw, the event is a dead letter', async () => {
    const { pubSub, event, deadLetters } = busWorld();
    const seen: unknown[] = [];
    const subscription = pubSub.subscribe(
      'a.b',
      { handle: ({ data }) => seen.push(data), canHandle: ({ data }) => data !== 2 },
      {
        filter: ({ data }, topic) => topic === 'a.b' && data !== 1,
        key: ({ data }) => (data === 3 ? throws() : 'key'),
      },
    );
    const reports = [1, 2, 3, 4].map((data) => pubSub.publish('a.b', event('a.b', data)));
    expect(reports).toMatchObject([{ queued: 0 }, { queued: 0 }, { refused: 1 }, { queued: 1 }]);
    pubSub.start();
    await settle();
    expect(seen).toEqual([4]);
    expect(deadLetters.list()).toMatchObject([{ attempts: 0, reason: { message: 'broken' } }]);
    expect(subscription.counts).toEqual({ received: 2, handled: 1, failed: 1, dropped: 0 });
  });

  it('brings a dead letter that is driven again to the one subscriber that failed', async () => {
    const { pubSub, event, deadLetters } = busWorld();
    const other = vi.fn<() => void>();
    const seen: unknown[] = [];
    const mended = vi
      .fn<(event: unknown) => void>((event) => void seen.push(event))
      .mockImplementationOnce(throws);
    pubSub.subscribe('#', mended, { name: 'mended' });
    pubSub.subscribe('#', other);
    pubSub.start();
    const published = event();
    pubSub.publish('a.b', published);
    await settle();
    expect(await pubSub.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(seen).toEqual([published]);
    expect(other).toHaveBeenCalledTimes(1);
    expect(deadLetters.count()).toBe(0);
  });

  it('drops what is queued of a subscriber that goes, counted, and lets its publishers go', async () => {
    const { pubSub, event } = busWorld();
    const stop = new AbortController();
    const handler = vi.fn<() => void>();
    const subscription = pubSub.subscribe('a.b', handler, { capacity: 1, signal: stop.signal });
    const reports = [1, 2].map((data) => pubSub.publish('a.b', event('a.b', data)));
    stop.abort();
    subscription.unsubscribe();
    expect(await Promise.all(reports)).toMatchObject([{ queued: 1 }, { dropped: 1 }]);
    expect(subscription.counts).toMatchObject({ received: 2, dropped: 2 });
    expect(pubSub.publish('a.b', event())).toMatchObject({ queued: 0 });
    pubSub.start();
    await settle();
    expect(handler).not.toHaveBeenCalled();
  });

  it('gives the host’s own loop a turn in a long run of synchronous handlers', async () => {
    const { pubSub, event, ports } = busWorld();
    let handled = 0;
    pubSub.subscribe('a.b', () => {
      handled++;
      void pubSub.publish('a.b', event());
    });
    pubSub.start();
    pubSub.publish('a.b', event());
    await settle();
    const first = handled;
    await ports.step();
    expect(first).toBeGreaterThan(0);
    expect(handled).toBe(2 * first);
  });
});

describe('stopping', () => {
  it('drains the queues, and refuses what is published meanwhile and after', async () => {
    const { pubSub, event, ports } = busWorld();
    const slow = gate();
    const seen: unknown[] = [];
    pubSub.subscribe('a.b', async ({ data }) => (await slow.promise, seen.push(data)));
    pubSub.start();
    for (const data of [1, 2, 3]) pubSub.publish('a.b', event('a.b', data));
    const stopped = pubSub.stop({ drainMs: 1_000 });
    const disposed = expect.objectContaining({ code: 'disposed' }) as Error;
    expect(() => pubSub.publish('a.b', event())).toThrow(disposed);
    expect(() => pubSub.start()).toThrow(disposed);
    expect(pubSub.stop()).toBeInstanceOf(Promise);
    slow.open();
    expect(await stopped).toEqual({ left: 0, aborted: 0 });
    expect(seen).toEqual([1, 2, 3]);
    expect(ports.timers).toBe(0);
    expect(() => pubSub.publish('a.b', event())).toThrow(disposed);
    expect(await pubSub.stop()).toEqual({ left: 0, aborted: 0 });
  });

  it('ends within its limit: what runs is aborted and a dead letter, what is queued stays for the next start', async () => {
    const { pubSub, event, ports, deadLetters } = busWorld();
    const seen: unknown[] = [];
    let signal: AbortSignal | undefined;
    let hangs = true;
    const options = { capacity: 1 };
    pubSub.subscribe(
      'a.b',
      ({ data }, attempt) => {
        seen.push(data);
        signal = attempt.signal;
        return hangs ? gate().promise : undefined;
      },
      options,
    );
    pubSub.start();
    const first = pubSub.publish('a.b', event('a.b', 1));
    await settle();
    const waiting = [first, ...[2, 3].map((data) => pubSub.publish('a.b', event('a.b', data)))];
    const start = ports.now();
    const stopped = pubSub.stop({ drainMs: 500 });
    await ports.step();
    expect(await stopped).toEqual({ left: 2, aborted: 1 });
    expect(ports.now() - start).toBe(500);
    expect(await Promise.all(waiting)).toMatchObject([{ queued: 1 }, { queued: 1 }, { queued: 1 }]);
    expect(signal?.aborted).toBe(true);
    expect(deadLetters.list()).toMatchObject([{ event: { data: 1 }, reason: { code: 'disposed' } }]);
    expect(pubSub.queueLength).toBe(2);
    hangs = false;
    pubSub.start();
    await settle();
    expect(seen).toEqual([1, 2, 3]);
  });

  it('ends a wait before a retry as a dead letter', async () => {
    const { pubSub, event, ports, deadLetters } = busWorld();
    pubSub.subscribe('a.b', throws, { retry: { count: 9, firstMs: 60_000, maximumMs: 60_000 } });
    vi.spyOn(ports, 'random').mockReturnValue(1);
    pubSub.start();
    pubSub.publish('a.b', event());
    await settle();
    const stopped = pubSub.stop({ drainMs: 10 });
    await ports.step();
    expect(await stopped).toEqual({ left: 0, aborted: 1 });
    await settle();
    expect(deadLetters.list()).toMatchObject([{ attempts: 1, reason: { message: 'broken' } }]);
    expect(ports.timers).toBe(0);
  });

  it('without a start leaves all that is queued', async () => {
    const { pubSub, event } = busWorld();
    pubSub.subscribe('a.b', () => {});
    pubSub.publish('a.b', event());
    expect(await pubSub.stop()).toEqual({ left: 1, aborted: 0 });
    await expect(pubSub.stop({ drainMs: -1 })).rejects.toMatchObject({ code: 'query.invalid' });
  });
});
