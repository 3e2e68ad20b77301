import { reset } from 'cloudflare:test';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, json, order, post, problem, publish, stored } from './edge-client.ts';

beforeEach(reset);

afterEach(expectUntouched);

/** Whatever was asked: nothing is stored in part, and the edge goes on. */
async function expectUntouched(): Promise<void> {
  expect(await stored()).toBe(0);
  expect(await json(publish(order))).toMatchObject({ status: 'published' });
}

describe('a field that is wrong is named', () => {
  it.each([
    [{ data: 1, source: 's' }, '/type'],
    [{ ...order, type: '' }, '/type'],
    [{ ...order, type: 7 }, '/type'],
    [{ ...order, type: 'x'.repeat(257) }, '/type'],
    [{ ...order, type: 'a\ud800' }, '/type'],
    [{ ...order, type: 'a\0b' }, '/type'],
    [{ type: 'a.b', source: 's' }, '/data'],
    [{ type: 'a.b', data: null }, '/source'],
    [{ ...order, source: ['s'] }, '/source'],
    [{ ...order, priority: 5 }, '/priority'],
    [{ ...order, priority: 0 }, '/priority'],
    [{ ...order, priority: 1.5 }, '/priority'],
    [{ ...order, priority: 'high' }, '/priority'],
    [{ ...order, priority: '2' }, '/priority'],
    [{ ...order, id: '' }, '/id'],
    [{ ...order, id: 3 }, '/id'],
    [{ ...order, id: 'x'.repeat(129) }, '/id'],
    [{ ...order, timestamp: 'yesterday' }, '/timestamp'],
    [{ ...order, timestamp: 1_700_000_000_000 }, '/timestamp'],
    [{ ...order, timestamp: '2026-02-30T00:00:00Z' }, '/timestamp'],
    [{ ...order, correlation_id: {} }, '/correlation_id'],
    [{ ...order, causation_id: 1 }, '/causation_id'],
    [{ ...order, subject: false }, '/subject'],
    [{ ...order, subject: [] }, '/subject'],
    [{ ...order, subject: '' }, '/subject'],
    [{ ...order, subject: `\ud800${'x'.repeat(512)}` }, '/subject'],
    // What no address could name.
    [{ ...order, id: 'live' }, '/id'],
    [{ ...order, id: '.' }, '/id'],
    [{ ...order, id: '..' }, '/id'],
    [{ ...order, type: '..' }, '/type'],
    [{ ...order, correlation_id: '.' }, '/correlation_id'],
  ])('%j', async (event, pointer) => {
    const alone = await problem(publish(event));
    expect(alone).toMatchObject({ status: 400, code: 'event.invalid', errors: [{ pointer }] });
    expect(alone.detail).toMatch(/; nothing of the request was stored$/);
    const inArray = await problem(publish([order, order, order, event]));
    expect(inArray).toMatchObject({ status: 400, errors: [{ pointer: `/3${pointer}` }] });
  });

  it('all of them at once', async () => {
    const events = [{ ...order, priority: 9 }, order, { type: 'a.b' }, 'event', null];
    const { errors } = await problem(publish(events));
    expect(errors?.map(({ pointer }) => pointer)).toEqual([
      '/0/priority',
      '/2/data',
      '/2/source',
      '/3',
      '/4',
    ]);
  });

  it.each([
    ['1e400', '/data'],
    ['-1e400', '/data'],
    ['{"a":[0,{"b~/c":1e999}]}', '/data/a/1/b~0~1c'],
  ])('a number that would be stored as null: %s', async (data, pointer) => {
    const event = `{"type":"a.b","source":"s","data":${data}}`;
    expect(await problem(post(event))).toMatchObject({
      status: 400,
      code: 'event.invalid',
      errors: [{ pointer }],
    });
    expect(await problem(post(`[${JSON.stringify(order)},${event}]`))).toMatchObject({
      errors: [{ pointer: `/1${pointer}` }],
    });
  });

  it('null in an optional field is its absence', async () => {
    const absent = {
      id: null,
      timestamp: null,
      priority: null,
      correlation_id: null,
      causation_id: null,
      subject: null,
    };
    await json(publish({ ...order, ...absent }));
    await reset();
  });
});

describe('a body that is no event', () => {
  it.each(['', '{', '{"type":', 'undefined', '[1,]', "{'type':'a'}", '\u{feff}x', '{}{}'])(
    '%j',
    async (body) => {
      expect(await problem(post(body))).toMatchObject({ status: 400, code: 'request.malformed' });
    },
  );

  it.each(['null', '7', '"event"', 'true'])('%s', async (body) => {
    expect(await problem(post(body))).toMatchObject({
      status: 400,
      code: 'event.invalid',
      errors: [{ pointer: '' }],
    });
  });

  it('that is no UTF-8', async () => {
    const body = new Uint8Array([0x22, 0xff, 0xfe, 0x22]);
    expect(await problem(post(body))).toMatchObject({ status: 400, code: 'request.malformed' });
    expect(await problem(post(new Uint8Array([0x22, 0xe2, 0x82])))).toMatchObject({ status: 400 });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', ''])(
    'of type %j',
    async (type) => {
      expect(await problem(post(JSON.stringify(order), type))).toMatchObject({ status: 415 });
    },
  );

  it('without a type, or compressed', async () => {
    const body = new TextEncoder().encode(JSON.stringify(order));
    expect(await problem(ask('/events', { method: 'POST', body }))).toMatchObject({ status: 415 });
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expect(await problem(ask('/events', { method: 'POST', body, headers }))).toMatchObject({
      status: 415,
    });
    expect((await post(JSON.stringify([]), 'Application/JSON; charset=utf-8')).status).toBe(200);
  });

  it('nested without end', async () => {
    const nested = (depth: number) =>
      `{"type":"a.b","source":"s","data":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    for (const depth of [101, 5000, 100_000]) {
      expect(await problem(post(nested(depth)))).toMatchObject({
        status: 400,
        errors: [{ pointer: '/data' }],
      });
      expect(await problem(post(`[${nested(depth)}]`))).toMatchObject({
        errors: [{ pointer: '/0/data' }],
      });
    }
    expect(await problem(post('['.repeat(1_000_000)))).toMatchObject({
      status: 400,
      code: 'request.malformed',
    });
    expect(await json(post(nested(100)))).toMatchObject({ status: 'published' });
    await reset();
  });
});

describe('a request past its bounds', () => {
  it('of 5 MB, with its length stated', async () => {
    const body = JSON.stringify({ ...order, data: 'x'.repeat(5_000_000) });
    expect(await problem(post(body))).toMatchObject({ status: 413, code: 'limit.exceeded' });
  });

  it('of 5 MB, streamed, and of no end at all', async () => {
    for (const chunks of [80, Infinity]) {
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (sent++ < chunks) controller.enqueue(new Uint8Array(65_536).fill(0x20));
          else controller.close();
        },
      });
      expect(await problem(post(body))).toMatchObject({ status: 413, code: 'limit.exceeded' });
      expect(sent).toBeLessThan(200);
    }
  });

  it('of 10,001 events', async () => {
    const events = Array.from({ length: 10_001 }, () => order);
    expect(await problem(publish(events))).toMatchObject({
      status: 413,
      code: 'limit.exceeded',
      details: { maximum: 10_000, actual: 10_001 },
    });
  });

  it('with an event that is too long, which is named', async () => {
    const long = { ...order, data: 'x'.repeat(262_144) };
    const alone = await problem(publish(long));
    expect(alone).toMatchObject({ status: 413, errors: [{ pointer: '' }] });
    expect(alone.detail).toMatch(/^the body is an event of 262\d+ characters, the limit is 262144: /);
    expect(await problem(publish([order, long]))).toMatchObject({
      status: 413,
      errors: [{ pointer: '/1' }],
    });
  });

  it('but not the widest that is within them', async () => {
    const wide = (i: number, length: number) => `${i}${'界'.repeat(length - 4)}`;
    const events = Array.from({ length: 500 }, (_, i) => ({
      type: wide(i, 256),
      data: '界',
      source: 's',
      id: wide(i, 128),
      correlation_id: wide(i, 256),
      subject: wide(i, 512),
    }));
    expect(await json(publish(events))).toHaveLength(500);
    expect(await json(ask(`/events/correlation/${encodeURIComponent(wide(7, 256))}`))).toMatchObject({
      count: 1,
    });
    await reset();
  });
});
