import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PushAnswer } from '../../src/sync/protocol.ts';
import { ask, evict, json, order, post, problem, publish, pushLines, stored } from './edge-client.ts';

beforeEach(reset);

const line = (i: number, more: object = {}) =>
  JSON.stringify({
    ...order,
    id: `e-${i}`,
    timestamp: '2026-01-31T09:30:00.000Z',
    priority: 2,
    ...more,
  });
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => line(from + i));

/** A push of the events `from` to `to`, whose sequences are their numbers. */
function push(
  from: number,
  to: number,
  more: { producer?: string; epoch?: number; lines?: string[] } = {},
) {
  const header = {
    producer: more.producer ?? 'tab',
    epoch: more.epoch ?? 1,
    seq: from,
    count: to - from + 1,
    holes: [],
  };
  return pushLines(header, more.lines ?? lines(from, to));
}

const head = (producer = 'tab') => json(ask(`/sync/head?producer=${producer}`));

async function pull(
  query = '',
): Promise<{ next: string; head: string; more: boolean; lines: string[] }> {
  const response = await ask(`/sync/pull${query}`);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const [header, ...rest] = new TextDecoder().decode(await response.arrayBuffer()).split('\n');
  expect(rest.pop()).toBe('');
  return { ...JSON.parse(header!), lines: rest };
}

describe('a push', () => {
  it('is applied once, however often it comes', async () => {
    expect(await head()).toEqual({ epoch: 0, seq: 0 });
    const answer = await json<PushAnswer>(push(1, 3));
    expect(answer).toEqual({
      epoch: 1,
      seq: 3,
      duplicates: 0,
      repeated: false,
      time: expect.any(String),
    });
    expect(Math.abs(Date.parse(answer.time) - Date.now())).toBeLessThan(10_000);
    await evict();
    expect(await json(push(1, 3))).toMatchObject({ seq: 3, repeated: true });
    expect(await json(push(2, 2))).toMatchObject({ seq: 3, repeated: true });
    expect(await json(push(4, 5))).toMatchObject({ seq: 5, repeated: false });
    expect((await pull()).lines).toEqual(lines(1, 5));
    expect(await head()).toEqual({ epoch: 1, seq: 5 });
  });

  it('that comes twice at the same time is applied once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => json<PushAnswer>(push(1, 50))));
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
    expect(await stored()).toBe(50);
  });

  it('with a gap is refused with the sequence to go on with', async () => {
    await json(push(1, 2));
    for (const [from, to] of [
      [4, 5],
      [2, 4],
    ] as const) {
      expect(await problem(push(from, to))).toMatchObject({
        status: 409,
        code: 'producer.gap',
        details: { producer: 'tab', expected: 3, received: from },
      });
    }
    expect(await stored()).toBe(2);
  });

  it('of an older epoch is fenced', async () => {
    await json(push(1, 2));
    await json(push(3, 3, { epoch: 2 }));
    expect(await problem(push(4, 4))).toMatchObject({
      status: 409,
      code: 'producer.fenced',
      details: { producer: 'tab', epoch: 1, current: 2 },
    });
    expect(await head()).toEqual({ epoch: 2, seq: 3 });
  });

  it('that repeats a sequence with other events has diverged', async () => {
    await json(push(1, 3));
    expect(await problem(push(2, 3, { lines: [line(102), line(103)] }))).toMatchObject({
      status: 409,
      code: 'producer.diverged',
      details: { producer: 'tab', seq: 2, id: 'e-102' },
    });
    expect(await stored()).toBe(3);
  });

  it('may have holes, and be of holes alone', async () => {
    const holed = { producer: 'tab', epoch: 1, seq: 1, count: 4, holes: [2, 3] };
    expect(await json(pushLines(holed, [line(1), line(4)]))).toMatchObject({ seq: 4 });
    expect(
      await json(pushLines({ producer: 'tab', epoch: 1, seq: 5, count: 2, holes: [5, 6] }, [])),
    ).toMatchObject({ seq: 6 });
    expect(await stored()).toBe(2);
    expect(await json(push(7, 7))).toMatchObject({ seq: 7 });
  });

  it('counts an event that somebody else has brought before', async () => {
    await json(publish(JSON.parse(line(1))));
    expect(await json(push(1, 2))).toMatchObject({ duplicates: 1, repeated: false, seq: 2 });
    expect(await json(push(1, 2, { producer: 'other' }))).toMatchObject({
      duplicates: 2,
      repeated: false,
      seq: 2,
    });
    expect(await stored()).toBe(2);
  });

  it('cannot take the place of what the edge itself keeps', async () => {
    await json(publish(order));
    await json(ask('/windows/events-per-minute'));
    await json(push(1, 2, { producer: 'window/events-per-minute', epoch: 9 }));
    expect(await json(ask('/windows/events-per-minute'))).toHaveLength(2);
    expect(await head('window/events-per-minute')).toEqual({ epoch: 9, seq: 2 });
  });

  it('lists every event that cannot be stored, and stores none', async () => {
    const bad = [
      line(1),
      'no json',
      line(3, { priority: 7 }),
      line(4, { data: 'x'.repeat(262_144) }),
      line(5),
      line(6, { timestamp: 'never' }),
      line(7, { id: '\ud800' }),
      '[]',
      line(9, { data: undefined }),
      `{"data":${'['.repeat(50_000)}${']'.repeat(50_000)},${line(10).slice(1)}`.replace(
        '"data":{"total":30},',
        '',
      ),
    ];
    const refused = await problem(push(1, bad.length, { lines: bad }));
    expect(refused).toMatchObject({ status: 422, code: 'sync.refused' });
    expect(refused.rejected?.map(({ index }) => index)).toEqual([1, 2, 3, 5, 6, 7, 8, 9]);
    for (const { reason } of refused.rejected ?? []) expect(reason).not.toBe('');
    expect(await stored()).toBe(0);
    expect(await head()).toEqual({ epoch: 0, seq: 0 });
  });

  it('lists the ids that are known with other content', async () => {
    await json(publish([JSON.parse(line(1)), JSON.parse(line(3))]));
    const other = [line(1, { data: 1 }), line(2), line(3), line(4), line(4, { data: 1 })];
    const refused = await problem(push(1, 5, { lines: other }));
    expect(refused).toMatchObject({ status: 422, code: 'sync.refused' });
    expect(refused.rejected?.map(({ index }) => index)).toEqual([0, 4]);
    expect(await stored()).toBe(2);
    expect(await head()).toEqual({ epoch: 0, seq: 0 });
  });

  it.each([
    '',
    'nothing',
    '[]',
    'null',
    '{}',
    '{"producer":"","epoch":1,"seq":1,"count":1}',
    '{"producer":"p\\u0000","epoch":1,"seq":1,"count":1,"holes":[1]}',
    '{"producer":"p","epoch":0,"seq":1,"count":1,"holes":[1]}',
    '{"producer":"p","epoch":1,"seq":0,"count":1,"holes":[0]}',
    '{"producer":"p","epoch":1,"seq":1.5,"count":1,"holes":[1]}',
    '{"producer":"p","epoch":1,"seq":1,"count":2,"holes":[1]}',
    '{"producer":"p","epoch":1,"seq":1,"count":0,"holes":[]}',
    '{"producer":"p","epoch":1,"seq":1,"count":2,"holes":[2,1]}',
    '{"producer":"p","epoch":1,"seq":1,"count":1,"holes":"x"}',
    '{"producer":"p","epoch":1,"seq":9007199254740991,"count":2,"holes":[9007199254740991,9007199254740992]}',
  ])('with the header %s is refused', async (header) => {
    const asked = await problem(post(header, 'application/x-ndjson', '/sync/push'));
    expect(asked.status).toBe(400);
    expect(await stored()).toBe(0);
  });

  it('past its bounds is refused', async () => {
    const many = Array.from({ length: 10_001 }, (_, i) => line(i + 1));
    expect(await problem(push(1, 10_001, { lines: many }))).toMatchObject({ status: 413 });
    expect(await problem(push(1, 1, { lines: ['x'.repeat(5_000_000)] }))).toMatchObject({ status: 413 });
    expect(await problem(post('{}', 'application/json', '/sync/push'))).toMatchObject({ status: 415 });
    expect(await stored()).toBe(0);
  });
});

describe('a line that can be read in more than one way', () => {
  const fields = `"id":"e","type":"a.b","timestamp":"2026-01-31T09:30:00.000Z","source":"s","priority":2`;
  const plain = `{"id":"e","type":"a.b","data":{"a":2},"timestamp":"2026-01-31T09:30:00.000Z","source":"s","priority":2}`;

  it.each([
    ['repeats a key', `{"id":"f","type":"x.y","data":{"a":2},${fields}}`],
    ['repeats it escaped', `{"\\u0069d":"f","data":{"a":2},${fields}}`],
    ['repeats a key inside', `{${fields},"data":{"a":1,"a":2}}`],
    ['has an unknown key', `{${fields},"data":{"a":2},"admin":true}`],
    ['has a key of the language', `{${fields},"data":{"a":2},"constructor":1}`],
  ])('since it %s is given as the event alone', async (_, given) => {
    await json(push(1, 1, { lines: [given] }));
    expect((await pull()).lines).toEqual([plain]);
    expect(await (await ask('/events/e')).text()).toBe(plain);
    expect(await json(push(1, 1, { lines: [given] }))).toMatchObject({ repeated: true });
  });

  it.each([
    `{ "priority" : 2 ,${fields.slice(0, -13)},"data":[{"id":1,"a":"\\\\"},{"id":2,"x":"\\",\\"id\\":"}]}`,
    `{${fields},"data":{"unknown":1.0,"a":{"unknown":1e2}},"subject":null}`,
    `{${fields},"data":"\\u0041{[\\\\","correlation_id":"c"}`,
  ])('but not since it is written otherwise: %s', async (given) => {
    await json(push(1, 1, { lines: [given] }));
    expect((await pull()).lines).toEqual([given]);
  });
});

it('a pushed event that no address could name, or whose number is none of JSON’s, is rejected', async () => {
  const bad = [
    line(1),
    line(2, { id: 'live' }),
    line(3, { id: '.' }),
    line(4, { id: '..' }),
    line(5, { type: '.' }),
    line(6, { correlation_id: '..' }),
    line(7, { data: { a: [0] } }).replace('[0]', '[1e400]'),
  ];
  const refused = await problem(push(1, bad.length, { lines: bad }));
  expect(refused).toMatchObject({ status: 422, code: 'sync.refused' });
  expect(refused.rejected?.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(refused.rejected?.[5]?.reason).toMatch(/^data\/a\/0 must be a number/);
  expect(await stored()).toBe(0);
});

describe('a pull', () => {
  it('past the head of the log is refused', async () => {
    await json(push(1, 2));
    expect((await pull('?after=12')).lines).toEqual([]);
    expect(await problem(ask('/sync/pull?after=13'))).toMatchObject({
      status: 400,
      code: 'cursor.invalid',
    });
  });

  it('gives the lines as they were captured, by pages that fit together', async () => {
    await json(push(1, 25));
    const seen: string[] = [];
    for (let after = ''; ;) {
      const page = await pull(`?limit=10${after}`);
      seen.push(...page.lines);
      after = `&after=${page.next}`;
      if (page.more) continue;
      expect(page.next).toBe(page.head);
      expect((await pull(`?${after}`)).lines).toEqual([]);
      break;
    }
    expect(seen).toEqual(lines(1, 25));
  });
});

describe('a producer’s clock', () => {
  it('is kept as the producer tells it, beside the events, whose own time is untouched', async () => {
    const pushed = (seq: number, more: object) =>
      pushLines({ producer: 'tab', epoch: 1, seq, count: 1, holes: [], ...more }, lines(seq, seq));
    const statement = () => json<object>(ask('/sync/producers/tab'));
    await json(pushed(1, {}));
    expect(await statement()).not.toHaveProperty('skewMs');
    await json(pushed(2, { skewMs: -86_400_000 }));
    await json(pushed(3, {}));
    expect(await statement()).toMatchObject({ seq: 3, skewMs: -86_400_000 });
    expect((await pull()).lines).toEqual(lines(1, 3));
    expect(await problem(pushed(4, { skewMs: 'much' }))).toMatchObject({ code: 'query.invalid' });
  });
});
