import { describe, expect, it, vi } from 'vitest';
import { MemoryDeadLetters } from '../../src/storage/dead-letters/memory-dead-letters.ts';
import type { DeadLetterStore } from '../../src/storage/dead-letters/dead-letters.ts';
import { EventBus } from '../../src/bus/event-bus.ts';
import type { PublishReport } from '../../src/bus/dispatch.ts';
import { defineEvents } from '../../src/event/catalogue.ts';
import { z } from 'zod/mini';
import { busWorld, gate } from './bus-world.ts';
import { settle } from './sync-world.ts';

const throws = (): never => {
  throw new Error('broken');
};

describe('a bus', () => {
  it('brings an event to the handlers of its type and of the patterns that match it, and to no other', () => {
    const { bus, event } = busWorld();
    const seen: string[] = [];
    for (const selector of ['order.placed', 'order.*', '#', 'order.cancelled', 'page.*', '*'])
      bus.subscribe(selector, () => void seen.push(selector));
    bus.publish(event('order.placed'));
    expect(seen).toEqual(['order.placed', 'order.*', '#']);
  });

  it('reports at once, without a promise, where all handlers are synchronous', () => {
    const { bus, event } = busWorld();
    bus.subscribe('order.placed', function pack() {});
    bus.subscribe('order.placed', () => 'an answer that is ignored', { name: 'bill' });
    const report = bus.publish(event());
    expect(report).not.toBeInstanceOf(Promise);
    expect(report).toMatchObject({ status: 'delivered', handled: 2, skipped: 0, failed: 0 });
    expect((report as PublishReport).outcomes).toEqual([
      { handler: 'pack-1', status: 'handled', attempts: 1 },
      { handler: 'bill', status: 'handled', attempts: 1 },
    ]);
  });

  it('reports once the last asynchronous handler has answered', async () => {
    const { bus, event } = busWorld();
    const slow = gate();
    bus.subscribe('order.placed', () => slow.promise);
    bus.subscribe('order.placed', async () => {});
    const settled = vi.fn<() => void>();
    const report = Promise.resolve(bus.publish(event())).finally(settled);
    await settle();
    expect(settled).not.toHaveBeenCalled();
    slow.open();
    expect(await report).toMatchObject({ handled: 2, failed: 0 });
  });

  it('reports nothing handled where nobody subscribed', () => {
    const { bus, event } = busWorld();
    expect(bus.publish(event())).toMatchObject({ status: 'delivered', handled: 0, outcomes: [] });
  });

  it.each([
    ['throws', throws],
    ['rejects', async () => throws()],
  ])(
    'lets a handler that %s stop no other, and tells sink, dead letters and report',
    async (_, broken) => {
      const { bus, event, failures, deadLetters, ports } = busWorld();
      const seen: string[] = [];
      bus.subscribe('order.placed', () => void seen.push('before'));
      bus.subscribe('order.placed', broken, { name: 'broken' });
      bus.subscribe('order.placed', async () => void seen.push('after'));
      const published = event();
      const report = await bus.publish(published);
      const error = expect.objectContaining({ message: 'broken' }) as Error;
      expect(seen).toEqual(['before', 'after']);
      expect(report).toMatchObject({ handled: 2, failed: 1 });
      expect(report.outcomes[1]).toEqual({ handler: 'broken', status: 'failed', attempts: 1, error });
      const failure = { event: published, handler: 'broken', error, attempts: 1 };
      expect(failures).toEqual([{ ...failure, final: true }]);
      const at = ports.now();
      expect(deadLetters.list()).toEqual([
        {
          id: `${published.id}/broken`,
          where: { part: 'bus', name: 'broken' },
          reason: {
            name: 'MillraceError',
            code: 'failed',
            message: 'broken',
            details: { error: 'Error' },
          },
          ...{ event: published, attempts: 1, firstAt: at, lastAt: at },
        },
      ]);
    },
  );

  it('tells of a failure before a slower handler has answered', async () => {
    const { bus, event, failures } = busWorld();
    const slow = gate();
    bus.subscribe('order.placed', () => slow.promise);
    bus.subscribe('order.placed', async () => throws());
    const report = bus.publish(event());
    await settle();
    expect(failures).toHaveLength(1);
    slow.open();
    await report;
  });

  it('survives an error sink and a dead letter sink that throw or reject', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const throwing = Object.assign(new MemoryDeadLetters(), { add: throws });
    const rejecting: DeadLetterStore = Object.assign(Object.create(throwing) as DeadLetterStore, {
      add: async () => throws(),
    });
    for (const deadLetters of [throwing, rejecting]) {
      const { bus, event } = busWorld({ onError: throws, deadLetters });
      bus.subscribe('order.placed', throws);
      expect(bus.publish(event())).toMatchObject({ failed: 1 });
      await settle();
    }
    expect(log).toHaveBeenCalledTimes(4);
    log.mockRestore();
  });

  it('logs failures where it was given no error sink', () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { event } = busWorld();
    const bus = new EventBus();
    bus.subscribe('order.placed', throws);
    bus.publish(event());
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });

  it('takes what a handler throws, whatever it is', () => {
    const { bus, event, deadLetters } = busWorld();
    for (const thrown of [undefined, null, 'text', Object.create(null)])
      bus.subscribe('order.placed', () => {
        throw thrown;
      });
    expect(bus.publish(event())).toMatchObject({ failed: 4 });
    expect(deadLetters.count()).toBe(4);
    expect(deadLetters.list()[2]).toMatchObject({ reason: { message: 'text' } });
  });

  it('calls no handler again once it is unsubscribed, even in the dispatch that runs', () => {
    const { bus, event } = busWorld();
    const called = vi.fn<() => void>();
    const first = bus.subscribe('order.placed', () => second.unsubscribe());
    const second = bus.subscribe('order.*', called);
    expect(bus.publish(event())).toMatchObject({ handled: 1, skipped: 1 });
    first.unsubscribe();
    first.unsubscribe();
    expect(bus.publish(event())).toMatchObject({ handled: 0, outcomes: [] });
    expect(called).not.toHaveBeenCalled();
  });

  it('calls a handler that subscribes in a dispatch from the next event on', () => {
    const { bus, event } = busWorld();
    const late = vi.fn<() => void>();
    bus.subscribe('order.placed', () => void bus.subscribe('order.placed', late), { once: true });
    bus.publish(event());
    expect(late).not.toHaveBeenCalled();
    bus.publish(event());
    expect(late).toHaveBeenCalledTimes(1);
  });

  it('unsubscribes by selector and handler', () => {
    const { bus, event } = busWorld();
    const handler = vi.fn<() => void>();
    bus.subscribe('order.placed', handler);
    bus.subscribe('order.*', handler);
    expect(bus.unsubscribe('order.placed', handler)).toBe(true);
    expect(bus.unsubscribe('order.placed', handler)).toBe(false);
    bus.publish(event());
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it('publishes many in their order, without waiting for one before the next', async () => {
    const { bus, event } = busWorld();
    const slow = gate();
    const seen: unknown[] = [];
    bus.subscribe('order.placed', ({ data }) => {
      seen.push(data);
      return data === 1 ? slow.promise : undefined;
    });
    const reports = bus.publishAll([1, 2, 3].map((data) => event('order.placed', data)));
    expect(seen).toEqual([1, 2, 3]);
    slow.open();
    expect((await reports).map((report) => report.event.data)).toEqual([1, 2, 3]);
    expect(bus.publishAll([])).toEqual([]);
  });

  it('brings a dead letter that is driven again to the handler that failed alone', async () => {
    const { bus, event, deadLetters } = busWorld();
    let broken = true;
    const other = vi.fn<() => void>();
    const mended = vi.fn<() => void>();
    bus.subscribe('order.placed', () => (broken ? throws() : mended()), { name: 'mended' });
    bus.subscribe('order.placed', other);
    bus.publish(event());
    broken = false;
    expect(await bus.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(deadLetters.count()).toBe(0);
    expect(mended).toHaveBeenCalledTimes(1);
    expect(other).toHaveBeenCalledTimes(1);
  });

  it('is closed for good: nothing is called, published or subscribed any more', async () => {
    const { bus, event } = busWorld();
    const handler = vi.fn<() => void>();
    bus.subscribe('order.placed', handler);
    const stream = bus.events('order.placed', { policy: 'wait' });
    const waiting = bus.waitFor('order.placed');
    bus.close();
    bus.close();
    const disposed = expect.objectContaining({ code: 'disposed' }) as Error;
    expect(() => bus.publish(event())).toThrow(disposed);
    expect(() => bus.subscribe('order.placed', handler)).toThrow(disposed);
    await expect(waiting).rejects.toEqual(disposed);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(handler).not.toHaveBeenCalled();
  });

  it('finds a type’s handlers anew after each change, among many types', () => {
    const { bus, event } = busWorld();
    const seen: string[] = [];
    const types = Array.from({ length: 20 }, (_, index) => `order.t${index}`);
    for (const type of types) bus.publish(event(type));
    const all = bus.subscribe('order.*', ({ type }) => void seen.push(type));
    for (const type of types) bus.publish(event(type));
    all.unsubscribe();
    for (const type of types) bus.publish(event(type));
    expect(seen).toEqual(types);
  });
});

describe('bad input is refused when it is subscribed', () => {
  const { bus } = busWorld();
  const code = (code: string) => expect.objectContaining({ code }) as Error;
  const handler = (): void => {};

  it.each([undefined, null, 'text', {}, { handle: 'text' }])('a handler that is none: %j', (broken) => {
    expect(() => bus.subscribe('order.placed', broken as never)).toThrow(code('query.invalid'));
  });

  it.each([
    { concurrency: 0 },
    { concurrency: 1.5 },
    { timeoutMs: 0 },
    { timeoutMs: Number.NaN },
    { priority: Number.NaN },
    { retry: { count: -1 } },
    { retry: { count: 1, firstMs: -1 } },
    { retry: { count: 1, maximumMs: Number.NaN } },
    { filter: 'x' as never },
    { name: '' },
  ])('an option that means nothing: %j', (options) => {
    expect(() => bus.subscribe('order.placed', handler, options)).toThrow(code('query.invalid'));
  });

  it('an empty selector, or one that is no text', () => {
    expect(() => bus.subscribe('', handler)).toThrow(code('query.invalid'));
    expect(() => bus.subscribe(7 as never, handler)).toThrow(code('query.invalid'));
  });

  it.each(['order..*', '.#', '*.', 'order*', 'a.#b', `${'a.'.repeat(200)}*`])(
    'the pattern %s',
    (pattern) => {
      expect(() => bus.subscribe(pattern, handler)).toThrow(code('topic.invalid'));
    },
  );

  it('a name that is taken, until its bearer has gone', () => {
    const first = bus.subscribe('order.placed', handler, { name: 'pack' });
    expect(() => bus.subscribe('#', handler, { name: 'pack' })).toThrow(code('query.invalid'));
    first.unsubscribe();
    bus.subscribe('#', handler, { name: 'pack' }).unsubscribe();
  });

  it('a type that a strict catalogue does not name', () => {
    const catalogue = defineEvents({ 'order.placed': z.object({}) }, { strict: true });
    const strict = new EventBus({ catalogue });
    expect(() => strict.subscribe('order.plcaed' as never, handler)).toThrow(
      code('catalogue.unknown-type'),
    );
    strict.subscribe('order.placed', handler);
    strict.subscribe('order.*', handler);
  });

  it('what is published and is no event, or is a middleware and no function', () => {
    expect(() => bus.publish({ type: 'order.placed' } as never)).toThrow(code('event.invalid'));
    expect(() => bus.use('text' as never)).toThrow(code('query.invalid'));
  });
});
