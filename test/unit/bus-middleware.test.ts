import { describe, expect, it, vi } from 'vitest';
import type { Next } from '../../src/bus/middleware.ts';
import { busWorld, gate } from './bus-world.ts';
import { settle } from './sync-world.ts';

describe('middleware', () => {
  it('is an onion: the first that was used is the outermost', () => {
    const { bus, event } = busWorld();
    const seen: string[] = [];
    for (const name of ['outer', 'inner'])
      bus.use((event, next) => {
        seen.push(`${name} in`);
        expect(next(event)).toMatchObject({ handled: 1 });
        seen.push(`${name} out`);
      });
    bus.subscribe('order.placed', () => void seen.push('handler'));
    expect(bus.publish(event())).toMatchObject({ handled: 1 });
    expect(seen).toEqual(['outer in', 'inner in', 'handler', 'inner out', 'outer out']);
  });

  it('may change the event, which is checked and goes by its new type', () => {
    const { bus, event } = busWorld();
    const handler = vi.fn<() => void>();
    bus.use((event, next) => next({ ...event, type: 'order.renamed' }));
    bus.subscribe('order.renamed', handler);
    expect(bus.publish(event())).toMatchObject({ handled: 1, event: { type: 'order.renamed' } });
    bus.use((event, next) => next({ ...event, type: '' }));
    expect(bus.publish(event())).toMatchObject({ status: 'failed', error: { code: 'event.invalid' } });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it('may drop the event, and the report says so', async () => {
    const { bus, event, deadLetters } = busWorld();
    const handler = vi.fn<() => void>();
    const undo = bus.use(({ data }, _next) => (data === 'later' ? settle() : undefined));
    bus.subscribe('#', handler);
    expect(bus.publish(event())).toMatchObject({ status: 'dropped', handled: 0 });
    expect(await bus.publish(event('a.b', 'later'))).toMatchObject({ status: 'dropped' });
    expect(handler).not.toHaveBeenCalled();
    expect(deadLetters.count()).toBe(0);
    undo();
    expect(bus.publish(event())).toMatchObject({ status: 'delivered', handled: 1 });
  });

  it('may delay the event', async () => {
    const { bus, event } = busWorld();
    const delay = gate();
    bus.use(async (event, next) => {
      await delay.promise;
      await next(event);
    });
    const handler = vi.fn<() => void>();
    bus.subscribe('order.placed', handler);
    const report = bus.publish(event());
    await settle();
    expect(handler).not.toHaveBeenCalled();
    delay.open();
    expect(await report).toMatchObject({ status: 'delivered', handled: 1 });
  });

  it('that delays leaves publishing from inside a handler as it is defined', async () => {
    const { bus, event } = busWorld();
    const seen: string[] = [];
    bus.use((event, next) => (event.type === 'a.b' ? next(event) : settle().then(() => next(event))));
    bus.subscribe(
      'order.placed',
      () => void seen.push(bus.publish(event('a.b')) instanceof Promise ? 'waits' : ''),
    );
    bus.subscribe('#', ({ type }) => void seen.push(type));
    await bus.publish(event());
    await settle();
    await settle();
    expect(seen).toEqual(['waits', 'order.placed', 'a.b']);
  });

  it('waits for asynchronous handlers, though it does not return what next answers', async () => {
    const { bus, event } = busWorld();
    const slow = gate();
    bus.use((event, next) => void next(event));
    bus.subscribe('order.placed', () => slow.promise);
    const report = bus.publish(event());
    expect(report).toBeInstanceOf(Promise);
    slow.open();
    expect(await report).toMatchObject({ handled: 1 });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('that %s ends the event’s way with a dead letter, and the bus goes on', async (_, broken) => {
    const { bus, event, deadLetters, failures } = busWorld();
    const undo = bus.use(function check() {
      return broken();
    });
    bus.subscribe('order.placed', () => {});
    expect(await bus.publish(event())).toMatchObject({
      status: 'failed',
      handled: 0,
      error: { message: 'broken' },
    });
    expect(deadLetters.list()).toMatchObject([
      { where: { part: 'bus', name: 'check', detail: 'middleware' }, reason: { message: 'broken' } },
    ]);
    expect(failures).toHaveLength(1);
    undo();
    expect(await bus.publish(event())).toMatchObject({ handled: 1 });
  });

  it('that fails after next fails alone: the event was delivered', async () => {
    const { bus, event, deadLetters, failures } = busWorld();
    bus.use(async (event, next) => {
      await next(event);
      throw new Error('broken');
    });
    bus.subscribe('order.placed', () => {});
    expect(await bus.publish(event())).toMatchObject({ status: 'delivered', handled: 1 });
    expect(failures).toMatchObject([{ final: false }]);
    expect(deadLetters.count()).toBe(0);
  });

  it('may call next once, and not after it has ended', async () => {
    const { bus, event } = busWorld();
    const misused = expect.objectContaining({ code: 'middleware.misused' }) as Error;
    const handler = vi.fn<() => void>();
    let kept: Next | undefined;
    bus.subscribe('order.placed', handler);
    const undo = bus.use((event, next) => {
      void next(event);
      expect(() => next(event)).toThrow(misused);
    });
    bus.publish(event());
    undo();
    bus.use((_, next) => void (kept = next));
    const late = event();
    bus.publish(late);
    expect(() => kept!(late)).toThrow(misused);
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it('that failed passes the event on to all, once it is driven again', async () => {
    const { bus, event, deadLetters } = busWorld();
    const seen: string[] = [];
    let broken = true;
    bus.use((one, next) => (seen.push('outer'), next(one)));
    const stop = bus.use(function check(one, next) {
      if (broken) throw new Error('broken');
      return next(one);
    });
    for (const name of ['one', 'two']) bus.subscribe('#', () => void seen.push(name), { name });
    await bus.publish(event());
    expect(await bus.deadLetters.redrive()).toEqual({ redriven: 0, failed: 1 });
    expect(deadLetters.list()).toMatchObject([{ attempts: 2, reason: { message: 'broken' } }]);
    broken = false;
    expect(await bus.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(seen).toEqual(['outer', 'one', 'two']);
    broken = true;
    await bus.publish(event());
    stop();
    expect(await bus.deadLetters.redrive()).toEqual({ redriven: 0, failed: 1 });
    expect(deadLetters.list()).toMatchObject([{ reason: { code: 'query.invalid' } }]);
  });
});
