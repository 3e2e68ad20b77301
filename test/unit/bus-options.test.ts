import { describe, expect, it, vi } from 'vitest';
import type { Attempt } from '../../src/bus/event-handler.ts';
import { MAX_WAITING } from '../../src/bus/slots.ts';
import { busWorld, gate } from './bus-world.ts';
import { settle } from './sync-world.ts';

const throws = (): never => {
  throw new Error('broken');
};

describe('a subscription', () => {
  it('with a higher priority is called first; among equals, who subscribed first', () => {
    const { bus, event } = busWorld();
    const seen: string[] = [];
    bus.subscribe('order.placed', () => void seen.push('first'));
    bus.subscribe('#', () => void seen.push('high'), { priority: 5 });
    bus.subscribe('order.placed', () => void seen.push('low'), { priority: -1 });
    bus.subscribe('order.*', () => void seen.push('second'));
    bus.publish(event());
    expect(seen).toEqual(['high', 'first', 'second', 'low']);
  });

  it('with a filter or canHandle skips what they say no to, and fails where they throw', () => {
    const { bus, event, deadLetters } = busWorld();
    const handle = vi.fn<() => void>();
    bus.subscribe(
      'order.placed',
      { handle, canHandle: ({ data }) => data !== 'no' },
      {
        filter: ({ data }) => (data === 'bad' ? throws() : data !== 'never'),
      },
    );
    const outcomes = ['yes', 'no', 'never', 'bad'].map((data) => {
      const { handled, skipped, failed } = bus.publish(event('order.placed', data)) as never;
      return [handled, skipped, failed];
    });
    expect(outcomes).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
    expect(handle).toHaveBeenCalledTimes(1);
    expect(deadLetters.count()).toBe(1);
  });

  it('keeps a handler object’s own `this`', () => {
    const { bus, event } = busWorld();
    class Counter {
      count = 0;
      handle(): void {
        this.count++;
      }
      canHandle(): boolean {
        return this.count < 1;
      }
    }
    const counter = new Counter();
    bus.subscribe('order.placed', counter);
    bus.publishAll([event(), event()]);
    expect(counter.count).toBe(1);
  });

  it('for once ends with the first event that passes its filter, published from inside or not', () => {
    const { bus, event } = busWorld();
    const seen: unknown[] = [];
    bus.subscribe(
      'order.placed',
      ({ data }) => {
        seen.push(data);
        bus.publish(event('order.placed', 3));
      },
      { once: true, filter: ({ data }) => data !== 1 },
    );
    for (const data of [1, 2, 4]) bus.publish(event('order.placed', data));
    expect(seen).toEqual([2]);
  });

  it('for once still retries its one event', async () => {
    const { bus, event, ports } = busWorld();
    const handle = vi.fn<() => void>().mockImplementationOnce(throws);
    bus.subscribe('order.placed', handle, { once: true, retry: { count: 1 } });
    const report = bus.publish(event());
    bus.publish(event());
    await ports.until(() => ports.timers === 0);
    expect(await report).toMatchObject({ handled: 1 });
    expect(handle).toHaveBeenCalledTimes(2);
  });

  it('with a concurrency runs so many at a time, the others in their order, sync ones at once', async () => {
    const { bus, event } = busWorld();
    const gates = [gate(), gate(), gate(), gate()];
    const started: number[] = [];
    bus.subscribe(
      'order.placed',
      ({ data }) => {
        started.push(data as number);
        return gates[data as number]!.promise;
      },
      { concurrency: 2 },
    );
    const reports = bus.publishAll([0, 1, 2, 3].map((data) => event('order.placed', data)));
    expect(started).toEqual([0, 1]);
    gates[1]!.open();
    await settle();
    expect(started).toEqual([0, 1, 2]);
    for (const { open } of gates) open();
    expect((await reports).map(({ handled }) => handled)).toEqual([1, 1, 1, 1]);
    expect(started).toEqual([0, 1, 2, 3]);
    bus.subscribe('page.viewed', () => {}, { concurrency: 1 });
    expect(bus.publish(event('page.viewed'))).not.toBeInstanceOf(Promise);
  });

  it('with a concurrency of 1 and a failing handler goes on with the next', async () => {
    const { bus, event, deadLetters } = busWorld();
    bus.subscribe('order.placed', async ({ data }) => (data === 0 ? throws() : undefined), {
      concurrency: 1,
    });
    const reports = await bus.publishAll([0, 1].map((data) => event('order.placed', data)));
    expect(reports.map(({ failed }) => failed)).toEqual([1, 0]);
    expect(deadLetters.count()).toBe(1);
  });

  it('lets a bounded number wait for its handler; what comes then is a dead letter', async () => {
    const { bus, event, deadLetters } = busWorld();
    const first = gate();
    let calls = 0;
    bus.subscribe('order.placed', () => (calls++ === 0 ? first.promise : undefined), { concurrency: 1 });
    const reports = Array.from({ length: MAX_WAITING + 2 }, () => bus.publish(event()));
    expect(await reports.at(-1)).toMatchObject({ failed: 1, outcomes: [{ attempts: 0 }] });
    expect(deadLetters.list()).toMatchObject([{ reason: { code: 'limit.exceeded' }, attempts: 0 }]);
    first.open();
    await Promise.all(reports);
    expect(calls).toBe(MAX_WAITING + 1);
  });

  it('with a time limit fails when it is over, aborts its signal, and ignores a late answer', async () => {
    const { bus, event, ports, deadLetters } = busWorld();
    const late = gate();
    let attempt: Attempt | undefined;
    bus.subscribe('order.placed', (_, given) => ((attempt = given), late.promise), { timeoutMs: 50 });
    const report = bus.publish(event());
    const start = ports.now();
    await ports.step();
    expect(ports.now() - start).toBe(50);
    expect(await report).toMatchObject({ failed: 1, outcomes: [{ error: { code: 'timeout' } }] });
    expect(attempt?.signal?.aborted).toBe(true);
    late.fail(new Error('too late'));
    await settle();
    expect(deadLetters.count()).toBe(1);
  });

  it('with a time limit that was kept leaves no timer behind', async () => {
    const { bus, event, ports } = busWorld();
    bus.subscribe('order.placed', async () => {}, { timeoutMs: 50 });
    expect(await bus.publish(event())).toMatchObject({ handled: 1 });
    expect(ports.timers).toBe(0);
  });

  it('with a time limit frees its place for the next event', async () => {
    const { bus, event, ports } = busWorld();
    const seen: unknown[] = [];
    bus.subscribe('order.placed', ({ data }) => (seen.push(data), gate().promise), {
      concurrency: 1,
      timeoutMs: 50,
    });
    bus.publishAll([1, 2].map((data) => event('order.placed', data)));
    await ports.until(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
  });

  it('with retries tries again after a growing wait, tells of each failure, and reports its attempts', async () => {
    const { bus, event, ports, failures, deadLetters } = busWorld();
    const at: number[] = [];
    vi.spyOn(ports, 'random').mockReturnValue(0.5);
    bus.subscribe(
      'order.placed',
      (_, { attempt }) => {
        at.push(ports.now());
        if (attempt < 4) throws();
      },
      { retry: { count: 5, firstMs: 100, maximumMs: 150 } },
    );
    const report = bus.publish(event());
    await ports.until(() => at.length === 4);
    expect(at.map((time) => time - at[0]!)).toEqual([0, 50, 125, 200]);
    expect(await report).toMatchObject({ handled: 1, outcomes: [{ status: 'handled', attempts: 4 }] });
    expect(failures.map(({ attempts, final }) => [attempts, final])).toEqual([
      [1, false],
      [2, false],
      [3, false],
    ]);
    expect(deadLetters.count()).toBe(0);
  });

  it('whose retries are used up leaves a dead letter with event, handler, reason and attempts', async () => {
    const { bus, event, ports, failures, deadLetters } = busWorld();
    bus.subscribe('order.placed', async () => throws(), { name: 'pack', retry: { count: 2 } });
    const published = event();
    const report = bus.publish(published);
    await ports.until(() => deadLetters.count() === 1);
    expect(await report).toMatchObject({ failed: 1, outcomes: [{ status: 'failed', attempts: 3 }] });
    expect(deadLetters.list()).toMatchObject([
      { event: published, where: { name: 'pack' }, reason: { message: 'broken' }, attempts: 3 },
    ]);
    expect(failures.map(({ final }) => final)).toEqual([false, false, true]);
  });

  it('that is unsubscribed retries no more, aborts what runs, and skips what waits', async () => {
    const { bus, event, ports, deadLetters } = busWorld();
    let signal: AbortSignal | undefined;
    const retrying = bus.subscribe('a.b', throws, { retry: { count: 9 } });
    const running = bus.subscribe('a.b', (_, attempt) => ((signal = attempt.signal), gate().promise), {
      concurrency: 1,
    });
    const [first, second] = [bus.publish(event('a.b')), bus.publish(event('a.b'))];
    await settle();
    retrying.unsubscribe();
    running.unsubscribe();
    expect((await first).outcomes).toMatchObject([
      { status: 'failed', attempts: 1 },
      { status: 'failed', attempts: 1, error: { code: 'disposed' } },
    ]);
    expect((await second).outcomes[1]).toMatchObject({ status: 'skipped', attempts: 0 });
    expect(signal?.aborted).toBe(true);
    expect(deadLetters.count()).toBe(3);
    expect(ports.timers).toBe(0);
  });

  it('ends with its signal, and does not begin with an aborted one', () => {
    const { bus, event } = busWorld();
    const handler = vi.fn<() => void>();
    const stop = new AbortController();
    bus.subscribe('order.placed', handler, { signal: stop.signal });
    bus.publish(event());
    stop.abort();
    bus.subscribe('order.placed', handler, { signal: stop.signal });
    expect(bus.publish(event())).toMatchObject({ outcomes: [] });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it('leaves no listener on a signal that outlives it', () => {
    const { bus, event } = busWorld();
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    bus.subscribe('order.placed', () => {}, { signal, once: true });
    bus.publish(event());
    expect(removed).toHaveBeenCalledTimes(1);
  });
});
