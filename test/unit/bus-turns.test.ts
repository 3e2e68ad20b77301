import { describe, expect, it } from 'vitest';
import { MAX_CHAIN } from '../../src/bus/turns.ts';
import { busWorld } from './bus-world.ts';
import { settle } from './sync-world.ts';

describe('publishing from inside a handler', () => {
  it('waits until the event that is dispatched has reached all of its handlers, then goes in order', async () => {
    const { bus, event } = busWorld();
    const seen: string[] = [];
    bus.subscribe('order.placed', () => {
      bus.publish(event('mail.sent'));
      bus.publish(event('stock.taken'));
    });
    for (const name of ['a', 'b']) bus.subscribe('#', ({ type }) => void seen.push(`${name} ${type}`));
    bus.publish(event('order.placed'));
    const types = ['order.placed', 'mail.sent', 'stock.taken'];
    expect(seen).toEqual(types.flatMap((type) => [`a ${type}`, `b ${type}`]));
  });

  it('gives a promise of the report, which the handler may await', async () => {
    const { bus, event } = busWorld();
    bus.subscribe('order.placed', async () => {
      const report = await bus.publish(event('mail.sent'));
      expect(report).toMatchObject({ status: 'delivered', handled: 1 });
    });
    bus.subscribe('mail.sent', async () => {});
    expect(await bus.publish(event())).toMatchObject({ handled: 1, failed: 0 });
  });

  it('after an await is a turn of its own', async () => {
    const { bus, event } = busWorld();
    const seen: string[] = [];
    bus.subscribe('order.placed', async () => {
      await settle();
      const report = bus.publish(event('mail.sent'));
      seen.push(report instanceof Promise ? 'a promise' : 'at once');
    });
    await bus.publish(event());
    expect(seen).toEqual(['at once']);
  });

  it('in a circle ends with an error at the handler that goes too far, and the bus goes on', () => {
    const { bus, event, deadLetters } = busWorld();
    let count = 0;
    const circle = bus.subscribe('a.b', () => {
      count++;
      void bus.publish(event('a.b'));
    });
    bus.publish(event('a.b'));
    expect(count).toBe(MAX_CHAIN + 1);
    expect(deadLetters.list()).toMatchObject([{ reason: { code: 'limit.exceeded' } }]);
    circle.unsubscribe();
    expect(bus.publish(event('a.b'))).toMatchObject({ handled: 0 });
  });

  it('many times over is no circle', () => {
    const { bus, event } = busWorld();
    let count = 0;
    bus.subscribe('mail.sent', () => void count++);
    bus.subscribe('order.placed', () => {
      for (let index = 0; index < 5_000; index++) void bus.publish(event('mail.sent'));
    });
    bus.publish(event());
    bus.publish(event());
    expect(count).toBe(10_000);
  });

  it('is counted anew with each event that comes from outside', () => {
    const { bus, event } = busWorld();
    bus.subscribe('order.placed', () => void bus.publish(event('mail.sent')));
    for (let index = 0; index < 2 * MAX_CHAIN; index++)
      expect(bus.publish(event())).toMatchObject({ handled: 1 });
  });
});
