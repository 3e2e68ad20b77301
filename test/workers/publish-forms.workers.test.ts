import { reset } from 'cloudflare:test';
import { CloudEvent, emitterFor, HTTP, Mode, type Message } from 'cloudevents';
import { beforeEach, describe, expect, it } from 'vitest';
import { ask, bearer, evict, json, order, post, problem, stored } from './edge-client.ts';

beforeEach(reset);

const T = '2026-01-31T09:30:00.000Z';
const NDJSON = 'application/x-ndjson';
const event = (i: number, more: object = {}) => ({ ...order, id: `e-${i}`, timestamp: T, ...more });
const lines = (...events: readonly unknown[]) => events.map((one) => JSON.stringify(one)).join('\n');

interface Answer {
  readonly event_id?: string;
  readonly status: string;
  readonly code?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

describe('NDJSON', () => {
  it('is one event a line, all of them or none', async () => {
    const answers = await json<Answer[]>(post(`${lines(event(1), event(2))}\n\n`, NDJSON));
    expect(answers.map(({ event_id }) => event_id)).toEqual(['e-1', 'e-2']);
    const refused = await problem(
      post(`${lines(event(3))}\n{"type":\n${lines({ type: 'a.b' })}`, NDJSON),
    );
    expect(refused.errors?.map(({ pointer }) => pointer)).toEqual(['/1', '/2/data', '/2/source']);
    expect(await stored()).toBe(2);
    expect(await json(post('', NDJSON))).toEqual([]);
  });
});

describe('the official CloudEvents SDK as a client', () => {
  const cloudEvent = (id: string) =>
    new CloudEvent({
      id,
      type: 'order.placed',
      source: '/shops/%C3%A5lesund?',
      subject: 'cart é%1',
      time: T,
      data: { total: 30 },
      correlationid: 'visit 1',
      causationid: 'e-0',
      priority: 3,
    });
  const wire = {
    type: 'order.placed',
    source: '/shops/%C3%A5lesund?',
    subject: 'cart é%1',
    timestamp: T,
    data: { total: 30 },
    correlation_id: 'visit 1',
    causation_id: 'e-0',
    priority: 3,
  };
  const send = async ({ headers, body }: Message) =>
    json<Answer>(
      ask('/events', { method: 'POST', headers: headers as HeadersInit, body: body as BodyInit }),
    );

  it('publishes in the structured mode', async () => {
    const emit = emitterFor(send, { binding: HTTP, mode: Mode.STRUCTURED });
    expect(await emit(cloudEvent('s'))).toMatchObject({ event_id: 's', status: 'published' });
    expect(await json(ask('/events/s'))).toEqual({ id: 's', ...wire });
  });

  it('publishes in the binary mode', async () => {
    const emit = emitterFor(send, { binding: HTTP, mode: Mode.BINARY });
    const plain = cloudEvent('b').cloneWith({ source: '/shops/1', subject: 'cart 1' });
    expect(await emit(plain)).toMatchObject({ event_id: 'b', status: 'published' });
    expect(await json(ask('/events/b'))).toEqual({
      id: 'b',
      ...wire,
      source: '/shops/1',
      subject: 'cart 1',
    });
    expect(await emit(plain)).toMatchObject({ status: 'duplicate' });
  });

  it('publishes a batch', async () => {
    const body = JSON.stringify([cloudEvent('1'), cloudEvent('2')]);
    const answers = await json<Answer[]>(post(body, 'application/cloudevents-batch+json'));
    expect(answers.map(({ event_id }) => event_id)).toEqual(['1', '2']);
    expect(await json(ask('/events/2'))).toEqual({ id: '2', ...wire });
  });

  it.each([
    [{ specversion: '1.0', id: 'e', source: 's' }, '/type'],
    [{ specversion: '1.0', id: 'e', source: 's', type: 'a.b', time: 'never' }, '/time'],
    [{ specversion: '1.0', id: 'e', source: 's', type: 'a.b', correlationid: 7 }, '/correlationid'],
    [{ specversion: '0.3', id: 'e', source: 's', type: 'a.b' }, '/specversion'],
    [{ specversion: '1.0', id: 'e', source: 's', type: 'a.b', data_base64: 'AA==' }, '/data_base64'],
    [[], ''],
    [null, ''],
  ])('%j is refused by the attribute’s name', async (given, pointer) => {
    const refused = await problem(post(JSON.stringify(given), 'application/cloudevents+json'));
    expect(refused).toMatchObject({ status: 400, errors: [{ pointer }] });
    const batch = await problem(post(JSON.stringify([given]), 'application/cloudevents-batch+json'));
    expect(batch).toMatchObject({ status: 400, errors: [{ pointer: `/0${pointer}` }] });
    expect(await stored()).toBe(0);
  });

  it('is refused in the binary mode where the data is no JSON', async () => {
    const headers = { 'ce-specversion': '1.0', 'ce-id': 'e', 'ce-source': 's', 'ce-type': 'a.b' };
    const send = (type: string, body: string) =>
      problem(ask('/events', { method: 'POST', headers: { ...headers, 'content-type': type }, body }));
    expect(await send('text/plain', 'x')).toMatchObject({ status: 415 });
    expect(await send('application/json', 'x')).toMatchObject({
      status: 400,
      code: 'request.malformed',
    });
    const bad = { ...headers, 'ce-priority': 'high', 'content-type': 'application/json' };
    expect(await problem(ask('/events', { method: 'POST', headers: bad, body: '1' }))).toMatchObject({
      errors: [{ pointer: '/priority' }],
    });
  });
});

describe('?partial=true', () => {
  it('stores what can be stored, and says of the others why not', async () => {
    await json(post(JSON.stringify(event(1))));
    const given = [
      event(2),
      { type: 'a.b' },
      event(1, { data: 'other' }),
      event(3),
      event(3, { data: 1 }),
      null,
    ];
    const answers = await json<Answer[]>(
      post(JSON.stringify(given), 'application/json', '/events?partial=true'),
    );
    expect(answers.map(({ status, code }) => code ?? status)).toEqual([
      'published',
      'event.invalid',
      'event.conflict',
      'published',
      'event.conflict',
      'event.invalid',
    ]);
    expect(answers[1]!.errors?.map(({ pointer }) => pointer)).toEqual(['/1/data', '/1/source']);
    expect(answers[2]!.errors?.map(({ pointer }) => pointer)).toEqual(['/2/id']);
    expect(await stored()).toBe(3);
    expect(await problem(post(JSON.stringify(given)))).toMatchObject({ status: 400 });
    expect(await problem(post('{}', 'application/json', '/events?partial=yes'))).toMatchObject({
      errors: [{ pointer: '/partial' }],
    });
  });

  it('may leave nothing', async () => {
    const answers = await json<Answer[]>(post('[1,2]', 'application/json', '/events?partial=true'));
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await stored()).toBe(0);
  });
});

describe('Idempotency-Key', () => {
  const send = (body: unknown, key: string, more: Record<string, string> = {}, query = '') =>
    ask(`/events${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key, ...more },
      body: JSON.stringify(body),
    });

  it('gives a repeated request the first outcome, across an eviction', async () => {
    const first = await send([order, order], 'k');
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const outcome = await json(Promise.resolve(first));
    await evict();
    const again = await send([order, order], 'k');
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await json(Promise.resolve(again))).toEqual(outcome);
    expect(await stored()).toBe(2);
    await json(send([order, order], 'other'));
    expect(await stored()).toBe(4);
  });

  it('gives the first outcome to those that come at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => json<Answer>(send(order, 'k'))));
    expect(new Set(answers.map(({ event_id }) => event_id)).size).toBe(1);
    expect(await stored()).toBe(1);
  });

  it('keeps what was a duplicate, and what was left out', async () => {
    await json(send(event(1), 'before'));
    const given = [event(1), event(1, { data: 0 }), event(2), 7];
    const first = await json<Answer[]>(send(given, 'k', {}, '?partial=true'));
    expect(first.map(({ status }) => status)).toEqual([
      'duplicate',
      'rejected',
      'published',
      'rejected',
    ]);
    expect(await json(send(given, 'k', {}, '?partial=true'))).toEqual(first);
  });

  it('of another request is refused', async () => {
    await json(send(event(1), 'k'));
    for (const [body, more, query] of [
      [event(2), {}, ''],
      [event(1), { 'content-type': 'application/x-ndjson' }, ''],
    ] as const) {
      const refused = await problem(send(body, 'k', more, query));
      expect(refused).toMatchObject({ status: 422, code: 'request.reused-key' });
    }
    expect(await stored()).toBe(1);
    await json(send(event(2), 'k', { authorization: bearer('publish') }));
    expect(await stored()).toBe(2);
  });

  it('is not used up by a request that was refused', async () => {
    await json(send(event(1), 'a'));
    expect(await problem(send(event(1, { data: 0 }), 'k'))).toMatchObject({ status: 409 });
    await json(send(event(2), 'k'));
    expect(await problem(send(event(3), 'ü'))).toMatchObject({
      status: 400,
      errors: [{ pointer: '/idempotency-key' }],
    });
    expect(await problem(send(event(3), 'x'.repeat(256)))).toMatchObject({ status: 400 });
  });
});
