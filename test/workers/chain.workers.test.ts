import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { hostDigest } from '../../src/ports.ts';
import { linkOf } from '../../src/sync/chain.ts';
import type { Push, PushAnswer } from '../../src/sync/protocol.ts';
import { ask, evict, json, order, problem, pushLines } from './edge-client.ts';

beforeEach(reset);

const line = (i: number, secret = 'tiger') =>
  JSON.stringify({
    ...order,
    id: `e-${i}`,
    timestamp: '2026-01-31T09:30:00.000Z',
    priority: 2,
    data: { secret },
  });

/** A push of the events `from` to `to`, whose sequences are their numbers. */
async function pushOf(from: number, to: number, previous = '', producer = 'tab'): Promise<Push> {
  const lines = Array.from({ length: to - from + 1 }, (_, i) => line(from + i));
  const push = { producer, epoch: 1, seq: from, count: lines.length, holes: [], lines };
  return { ...push, chain: await linkOf(hostDigest!, previous, push) };
}

const send = ({ lines, ...header }: Push): Promise<Response> => pushLines(header, lines);
const state = (producer = 'tab') => json(ask(`/sync/producers/${producer}`));

describe('a chained push', () => {
  it('is stated, over an eviction too; a repeat is answered as the first time', async () => {
    const first = await pushOf(1, 3);
    const { value } = first.chain!;
    expect(await json<PushAnswer>(send(first))).toMatchObject({ seq: 3, repeated: false, chain: value });
    await evict();
    expect(await json<PushAnswer>(send(first))).toMatchObject({ seq: 3, repeated: true, chain: value });
    const second = await pushOf(4, 5, value);
    await json(send(second));
    const chain = { since: 1, seq: 5, value: second.chain!.value };
    expect(await state()).toEqual({ epoch: 1, seq: 5, chain });
    expect(await state('nobody')).toEqual({ epoch: 0, seq: 0 });
  });

  it('whose lines were altered on the way is refused by name, and no event is to blame', async () => {
    const push = await pushOf(1, 3);
    const refused = await problem(send({ ...push, lines: push.lines.with(1, 'no event at all') }));
    expect(refused).toMatchObject({ status: 409, code: 'chain.broken' });
    expect(refused.rejected).toBeUndefined();
    const { expected, ...details } = refused.details!;
    expect(expected).toBe(push.chain!.value);
    expect(details).toMatchObject({ producer: 'tab', part: 'lines', seq: 1, last: 3 });
    expect(await state()).toEqual({ epoch: 0, seq: 0 });
  });

  it('that does not follow on what is stored is refused with both hashes', async () => {
    const first = await pushOf(1, 3);
    await json(send(first));
    const stranger = await pushOf(4, 5, 'a'.repeat(64));
    const { code, details } = await problem(send(stranger));
    expect({ code, ...details }).toMatchObject({
      ...{ code: 'chain.broken', part: 'before', seq: 4 },
      expected: first.chain!.value,
      received: 'a'.repeat(64),
    });
  });
});

describe('a producer that is forgotten', () => {
  it('has its data erased for every reader, others keep theirs, and it may push no more', async () => {
    const first = await pushOf(1, 3);
    await json(send(first));
    const other = await pushOf(4, 5);
    await json(
      send({
        ...other,
        producer: 'other',
        seq: 1,
        chain: await linkOf(hostDigest!, '', { ...other, producer: 'other', seq: 1 }),
      }),
    );
    const forget = () => json(ask('/sync/producers/tab', { method: 'DELETE' }));
    expect(await forget()).toEqual({ events: 3 });
    expect(await forget(), 'again').toEqual({ events: 3 });
    await evict();
    const { events } = await json<{ events: { id: string; data: unknown }[] }>(ask('/events'));
    expect(events.map(({ id }) => id)).toEqual(['e-1', 'e-2', 'e-3', 'e-4', 'e-5']);
    const erased = { $erased: true };
    const kept = { secret: 'tiger' };
    expect(events.map(({ data }) => data)).toEqual([erased, erased, erased, kept, kept]);
    expect(await json(ask('/events/e-2'))).toMatchObject({ id: 'e-2', data: erased });
    expect(await state()).toMatchObject({ forgotten: true });
    const { code } = await problem(send(await pushOf(4, 5, first.chain!.value)));
    expect(code).toBe('producer.fenced');
  });
});
