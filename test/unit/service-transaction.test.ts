/** What a handler may do through its transaction, and until when. */
import { describe, expect, test } from 'vitest';
import { createEventFactory, type EventFactory } from '../../src/event/factory.ts';
import type { EventSchemas } from '../../src/event/catalogue.ts';
import { hostPorts } from '../../src/ports.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { EventService } from '../../src/service/service.ts';
import { OpenTransaction } from '../../src/service/transaction.ts';

const make = createEventFactory({ source: 'test', ports: hostPorts });
const storage = openMemory();
const transactionOf = (event = make('order.placed', 1), traceparent = event.traceparent) =>
  new OpenTransaction({
    ...{ storage, cause: { event, traceparent }, attempt: 1, since: 0 },
    make: make as EventFactory<EventSchemas>,
  });

describe('a transaction', () => {
  test('reads what it has put, and what is not there', async () => {
    await storage.commit([{ events: [], put: [['a', 1]] }]);
    const transaction = transactionOf();
    expect(await transaction.get('a')).toBe(1);
    transaction.put('a', 2);
    transaction.put('b', undefined);
    expect([await transaction.get('a'), await transaction.get('b')]).toEqual([2, undefined]);
    expect([...transaction.reads]).toEqual(['a']);
    expect(await storage.get('a')).toBe(1);
  });

  test('takes nothing more once it has ended: it would be in no commit', () => {
    const transaction = transactionOf();
    transaction.end();
    for (const late of [() => transaction.put('a', 1), () => transaction.publish('late.come', 1)])
      expect(late).toThrow(expect.objectContaining({ code: 'disposed' }));
    expect([transaction.writes.size, transaction.events.length]).toEqual([0, 0]);
  });

  test.each(['service/x', 'sync/acked', 'dead/1', 'dead-letters/x/1'])('does not touch %s', (key) => {
    const put = () => transactionOf().put(key, 1);
    expect(put).toThrow(expect.objectContaining({ code: 'query.invalid' }));
  });

  test('publishes with the cause’s id, and its correlation or else its id', () => {
    const alone = make('order.placed', 1);
    expect(transactionOf(alone).publish('parcel.sent', 2, { subject: 's' })).toMatchObject({
      ...{ causationId: alone.id, correlationId: alone.id, subject: 's', source: 'test' },
    });
    const visit = make('order.placed', 1, { correlationId: 'visit-1' });
    expect(transactionOf(visit).publish('parcel.sent', 2).correlationId).toBe('visit-1');
  });
});

describe('a service', () => {
  const options = {
    ...{ name: 'stock', endpoint: 'https://edge.test', callbackUrl: 'https://stock.test' },
    storage,
  };

  test.each([
    ['name', { name: 'a/b' }],
    ['name', { name: '' }],
    ['attempts', { attempts: 0 }],
    ['handlerTimeoutMs', { handlerTimeoutMs: Number.NaN }],
    ['auditMs', { auditMs: 0 }],
  ])('with a bad %s is refused', (path, given) => {
    const details = expect.objectContaining({ path: `/${path}` });
    expect(() => new EventService({ ...options, ...given })).toThrow(
      expect.objectContaining({ code: 'query.invalid', details }),
    );
  });

  test('has each handler under one name, and none that is no function', () => {
    const service = new EventService(options);
    const undo = service.registerHandler('order.placed', () => {});
    expect(() => service.registerHandler('order.placed', () => {})).toThrow('another handler’s');
    service.registerHandler('order.placed', () => {}, { name: 'second' });
    undo();
    service.registerHandler('order.placed', () => {});
    expect(() => service.registerHandler('order.x', 1 as never)).toThrow('function');
    expect(() => service.registerHandler('order..x*', () => {})).toThrow(
      expect.objectContaining({ code: 'topic.invalid' }),
    );
  });

  test('that does not listen asks for what comes to come again, and says what it takes', async () => {
    const service = new EventService(options);
    const ask = (method: string) =>
      service.handleIncomingEvent(new Request('https://stock.test', { method }));
    const [posted, got] = [await ask('POST'), await ask('GET')];
    expect([posted.status, posted.headers.get('retry-after')]).toEqual([503, '1']);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    expect((await service.status()).counts.refused.busy).toBe(1);
    const handshake = new Request('https://stock.test', {
      method: 'OPTIONS',
      headers: { 'webhook-request-origin': 'edge.test' },
    });
    expect((await service.handleIncomingEvent(handshake)).status).toBe(200);
    await service.stop();
  });
});
