import { describe, expect, it } from 'vitest';
import type { EventStream } from '../../src/bus/event-stream.ts';
import { busWorld } from './bus-world.ts';
import { settle } from './sync-world.ts';

async function read(stream: EventStream, count: number): Promise<unknown[]> {
  const seen: unknown[] = [];
  while (seen.length < count) {
    const { done, value } = await stream.next();
    if (done) break;
    seen.push(value.data);
  }
  return seen;
}

describe('waiting for an event', () => {
  it('resolves to the first that matches, and leaves nothing behind', async () => {
    const { bus, event, ports } = busWorld();
    const waiting = bus.waitFor('order.*', { filter: ({ data }) => data === 2, timeoutMs: 100 });
    const [first, second] = [event('order.placed', 1), event('order.placed', 2)];
    bus.publish(first);
    bus.publish(second);
    expect(await waiting).toBe(second);
    expect(bus.publish(event('order.placed', 2))).toMatchObject({ outcomes: [] });
    expect(ports.timers).toBe(0);
  });

  it('rejects when time is over, and leaves nothing behind', async () => {
    const { bus, event, ports } = busWorld();
    const waiting = bus.waitFor('order.placed', { timeoutMs: 100 });
    const outcome = waiting.catch((error: unknown) => error);
    await ports.step();
    expect(await outcome).toMatchObject({ code: 'timeout', details: { timeoutMs: 100 } });
    expect(bus.publish(event())).toMatchObject({ outcomes: [] });
  });

  it('rejects with the signal’s reason, before or while it waits', async () => {
    const { bus, ports } = busWorld();
    const stop = new AbortController();
    const waiting = bus.waitFor('order.placed', { signal: stop.signal, timeoutMs: 100 });
    stop.abort('enough');
    await expect(waiting).rejects.toBe('enough');
    await expect(bus.waitFor('order.placed', { signal: stop.signal })).rejects.toBe('enough');
    expect(ports.timers).toBe(0);
  });

  it('refuses a malformed pattern', async () => {
    const { bus } = busWorld();
    await expect(bus.waitFor('order..*')).rejects.toMatchObject({ code: 'topic.invalid' });
  });
});

describe('a stream of events', () => {
  it('gives what was published, buffered or awaited, until the loop is left', async () => {
    const { bus, event } = busWorld();
    const stream = bus.events('order.*', { policy: 'wait' });
    for (const data of [1, 2]) bus.publish(event('order.placed', data));
    const seen: unknown[] = [];
    for await (const { data } of stream) {
      seen.push(data);
      if (data === 2) setImmediate(() => bus.publish(event('order.placed', 3)));
      if (data === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(bus.publish(event())).toMatchObject({ outcomes: [] });
  });

  it('serves readers that wait in their order, and tells them of the end', async () => {
    const { bus, event } = busWorld();
    const stop = new AbortController();
    const stream = bus.events('order.placed', { policy: 'wait', signal: stop.signal });
    const readers = [stream.next(), stream.next(), stream.next()];
    for (const data of [1, 2]) bus.publish(event('order.placed', data));
    stop.abort();
    const results = await Promise.all(readers);
    expect(results.map(({ value }) => value?.data)).toEqual([1, 2, undefined]);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it.each([
    { policy: 'drop-oldest', kept: [3, 4], dropped: 2 },
    { policy: 'drop-newest', kept: [1, 2], dropped: 2 },
  ] as const)(
    'with $policy keeps to its bound and counts each drop',
    async ({ policy, kept, dropped }) => {
      const { bus, event } = busWorld();
      const stream = bus.events('order.placed', { policy, capacity: 2 });
      for (const data of [1, 2, 3, 4])
        expect(bus.publish(event('order.placed', data))).toMatchObject({ handled: 1 });
      expect(stream).toMatchObject({ length: 2, dropped });
      expect(await read(stream, 2)).toEqual(kept);
    },
  );

  it('with wait holds up the publisher’s report until there is room', async () => {
    const { bus, event } = busWorld();
    const stream = bus.events('order.placed', { policy: 'wait', capacity: 1 });
    expect(bus.publish(event('order.placed', 1))).not.toBeInstanceOf(Promise);
    let reported = false;
    const report = Promise.resolve(bus.publish(event('order.placed', 2))).finally(
      () => (reported = true),
    );
    await settle();
    expect(reported).toBe(false);
    expect(await read(stream, 1)).toEqual([1]);
    await report;
    expect(await read(stream, 1)).toEqual([2]);
    expect(stream.dropped).toBe(0);
  });

  it('with wait lets its publishers go when reading ends', async () => {
    const { bus, event } = busWorld();
    const stream = bus.events('order.placed', { policy: 'wait', capacity: 1 });
    const reports = [1, 2].map((data) => bus.publish(event('order.placed', data)));
    await stream.return();
    await Promise.all(reports);
    expect(stream).toMatchObject({ length: 0, dropped: 2 });
  });

  it('with fail throws after what was buffered, once, and ends its subscription', async () => {
    const { bus, event } = busWorld();
    const stream = bus.events('order.placed', { policy: 'fail', capacity: 1 });
    for (const data of [1, 2]) bus.publish(event('order.placed', data));
    expect(bus.publish(event('order.placed', 3))).toMatchObject({ outcomes: [] });
    expect(await read(stream, 1)).toEqual([1]);
    await expect(stream.next()).rejects.toMatchObject({ code: 'limit.exceeded' });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(stream.dropped).toBe(1);
  });

  it('refuses a policy that there is not, and a capacity of none', () => {
    const { bus } = busWorld();
    const invalid = expect.objectContaining({ code: 'query.invalid' }) as Error;
    expect(() => bus.events('a.b', { policy: 'shed' as never })).toThrow(invalid);
    expect(() => bus.events('a.b', { policy: 'wait', capacity: 0 })).toThrow(invalid);
  });
});
