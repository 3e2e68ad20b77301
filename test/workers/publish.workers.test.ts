import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { isUuidV7 } from '../../src/event/ids.ts';
import { ask, evict, json, order, problem, publish, stored } from './edge-client.ts';

interface Answer {
  readonly event_id: string;
  readonly status: string;
  readonly timestamp: string;
}

beforeEach(reset);

const T = '2026-01-31T09:30:00.000Z';

describe('POST /events', () => {
  it('publishes one event, and fills in its id, time and priority', async () => {
    const answer = await json<Answer>(publish(order));
    expect(answer).toEqual({
      event_id: expect.any(String),
      status: 'published',
      timestamp: expect.any(String),
    });
    expect(isUuidV7(answer.event_id)).toBe(true);
    expect(Math.abs(Date.parse(answer.timestamp) - Date.now())).toBeLessThan(10_000);
    expect(await json(ask(`/events/${answer.event_id}`))).toEqual({
      ...order,
      id: answer.event_id,
      timestamp: answer.timestamp,
      priority: 2,
    });
  });

  it('keeps every field that was brought', async () => {
    const whole = {
      ...order,
      id: 'e-1',
      timestamp: T,
      priority: 4,
      correlation_id: 'visit-1',
      causation_id: 'e-0',
      subject: 'cart-1',
    };
    expect(await json(publish(whole))).toEqual({ event_id: 'e-1', status: 'published', timestamp: T });
    expect(await json(ask('/events/e-1'))).toEqual(whole);
  });

  it('answers an array in its order', async () => {
    const ids = ['c', 'a', 'b'];
    const answers = await json<Answer[]>(publish(ids.map((id) => ({ ...order, id }))));
    expect(answers.map((answer) => [answer.event_id, answer.status])).toEqual(
      ids.map((id) => [id, 'published']),
    );
    expect(await json(publish([]))).toEqual([]);
    expect(await stored()).toBe(3);
  });

  it('counts an id once, and says that the event is a duplicate', async () => {
    const event = { ...order, id: 'e-1', timestamp: T };
    const statuses = async (events: unknown) =>
      (await json<Answer[]>(publish(events))).map(({ status }) => status);
    expect(await statuses([event])).toEqual(['published']);
    expect(await statuses([event, { ...order, id: 'e-2' }, event])).toEqual([
      'duplicate',
      'published',
      'duplicate',
    ]);
    expect(
      await statuses([
        { ...order, id: 'e-3' },
        { ...order, id: 'e-3' },
      ]),
    ).toEqual(['published', 'duplicate']);
    expect(await stored()).toBe(3);
  });

  it('takes an id without a time as the event that it knows by it', async () => {
    const brought = { ...order, id: 'e-1' };
    await json(publish({ ...brought, timestamp: T }));
    expect(await json(publish(brought))).toEqual({ event_id: 'e-1', status: 'duplicate', timestamp: T });
    await evict();
    expect(await json(publish([brought]))).toMatchObject([{ status: 'duplicate', timestamp: T }]);
    const both = [
      { ...order, id: 'e-2' },
      { ...order, id: 'e-2', timestamp: T },
    ];
    expect(await json(publish(both))).toMatchObject([
      { status: 'published', timestamp: T },
      { status: 'duplicate', timestamp: T },
    ]);
    expect(await stored()).toBe(2);
  });

  it('refuses an id with other content, names it, and stores nothing of the request', async () => {
    const event = { ...order, id: 'e-1', timestamp: T };
    await json(publish(event));
    const other = { ...event, data: { total: 31 } };
    expect(await problem(publish(other))).toMatchObject({
      status: 409,
      code: 'event.conflict',
      errors: [{ pointer: '/id' }],
    });
    const mixed = [{ ...order, id: 'e-2' }, other, { ...event, id: 'e-3' }, { ...other, id: 'e-3' }];
    expect(await problem(publish(mixed))).toMatchObject({
      status: 409,
      errors: [{ pointer: '/1/id' }, { pointer: '/3/id' }],
    });
    expect(await problem(publish({ ...event, timestamp: '2026-01-31T09:30:00.001Z' }))).toMatchObject({
      status: 409,
    });
    expect(await stored()).toBe(1);
    expect(await json(ask('/events/e-1'))).toMatchObject({ data: { total: 30 } });
  });

  it('survives the eviction of the shard', async () => {
    await json(publish({ ...order, id: 'e-1', timestamp: T }));
    await evict();
    expect(await json(ask('/events/e-1'))).toMatchObject({ id: 'e-1' });
    expect(await json(publish({ ...order, id: 'e-1', timestamp: T }))).toMatchObject({
      status: 'duplicate',
    });
  });

  it('stores what concurrent requests bring, each event once', async () => {
    const batch = (n: number) =>
      Array.from({ length: 20 }, (_, i) => ({ ...order, id: `e-${n}-${i}`, timestamp: T }));
    const batches = Array.from({ length: 10 }, (_, n) => batch(n));
    const answers = await Promise.all(
      [...batches, ...batches].map((events) => json<Answer[]>(publish(events))),
    );
    expect(answers.flat().filter(({ status }) => status === 'published')).toHaveLength(200);
    expect(await stored()).toBe(200);
  });

  it('takes 10,000 events in one request', async () => {
    const events = Array.from({ length: 10_000 }, (_, i) => ({ ...order, id: `e-${i}` }));
    expect(await json<Answer[]>(publish(events))).toHaveLength(10_000);
    expect(await stored()).toBe(10_000);
  });

  it('may be used from any page', async () => {
    const origin = { origin: 'https://shop.example' };
    const asked = await ask('/events', {
      method: 'OPTIONS',
      headers: {
        ...origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-headers')).toContain('content-type');
    for (const path of ['/events', '/events/none', '/events/live?after=x', '/events/live']) {
      const response = await ask(path, { headers: origin });
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      await response.body?.cancel();
    }
  });
});
