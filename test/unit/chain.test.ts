import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { listDeadLetters } from '../../src/sync/dead-letter.ts';
import { syncKeys } from '../../src/sync/producer-state.ts';
import { readProgress } from '../../src/sync/progress.ts';
import { encodePush, type Push } from '../../src/sync/protocol.ts';
import { Pusher, type PusherOptions } from '../../src/sync/pusher.ts';
import { linkOf } from '../../src/sync/chain.ts';
import { isErased } from '../../src/storage/event-store/personal-data.ts';
import { damageRow } from '../conformance/drivers/damage-row.ts';
import { ChainEdge, digest, recompute, safely, transportOver, type Passage } from './chain-world.ts';
import { SteppedPorts, shopEvents } from './sync-world.ts';

const ports = new SteppedPorts();
const lines = shopEvents(60, ports).map(encodeLine);

/** The push of the lines `from` to `to`, chained on `previous`. */
async function pushOf(from: number, to: number, previous = '', epoch = 1): Promise<Push> {
  const push = {
    producer: 'device',
    epoch,
    seq: from,
    count: to - from + 1,
    holes: [],
    lines: lines.slice(from - 1, to),
  };
  return { ...push, chain: await linkOf(digest, previous, push) };
}

function unchained({ chain: _, ...push }: Push): Push {
  return push;
}

async function codeOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => 'applied',
    (error: { code?: string }) => error.code ?? error,
  );
}

/** What the network may do to a body of NDJSON. Each gives another body, or the same where it has nothing to do. */
const alterations = fc.tuple(
  fc.constantFrom('drop', 'swap', 'repeat', 'insert', 'flip', 'cut'),
  fc.nat(),
  fc.nat(),
);

function alter(body: string, [kind, a, b]: [string, number, number]): string {
  const parts = body.split('\n');
  const i = 1 + (a % (parts.length - 1));
  const j = 1 + (b % (parts.length - 1));
  if (kind === 'drop') parts.splice(i, 1);
  else if (kind === 'swap') [parts[i], parts[j]] = [parts[j]!, parts[i]!];
  else if (kind === 'repeat') parts.splice(i, 0, parts[j]!);
  else if (kind === 'insert') parts.splice(i, 0, lines.at(-1)!);
  else if (kind === 'flip') parts[i] = parts[i]!.replace(/\/\d+"/, `/${b}"`);
  else return body.slice(0, a % body.length);
  return parts.join('\n');
}

/** As a middleman would who also makes the count fit. */
function withCount(body: string): string {
  const [header = '', ...rest] = body.split('\n');
  try {
    const parsed = JSON.parse(header) as Push;
    return [JSON.stringify({ ...parsed, count: rest.length + parsed.holes.length }), ...rest].join('\n');
  } catch {
    return body;
  }
}

async function pushAll(
  storage: Storage,
  options: Pick<PusherOptions, 'transport'> & Partial<PusherOptions>,
): Promise<void> {
  const ports = new SteppedPorts();
  const pusher = new Pusher({ storage, ports, digest, ...options }).start();
  await ports.until(async () => (await readProgress(storage)).waiting === 0);
  await pusher.stop();
}

async function deviceWith(count: number): Promise<Storage> {
  const storage = openMemory({ log: 'device' });
  await storage.commit([{ events: shopEvents(count, new SteppedPorts()) }]);
  return storage;
}

async function producerOf(storage: Storage): Promise<string> {
  return ((await storage.get(syncKeys.producer)) as unknown as { id: string }).id;
}

describe('the chain', () => {
  it('is extended by each push, and stated for its producer', async () => {
    const edge = new ChainEdge();
    const first = await pushOf(1, 3);
    const second = await pushOf(4, 9, first.chain!.value);
    expect(await edge.push(encodePush(first))).toMatchObject({ seq: 3, chain: first.chain!.value });
    expect(await edge.push(encodePush(second))).toMatchObject({ seq: 9, chain: second.chain!.value });
    const chain = { since: 1, seq: 9, value: recompute([first, second]) };
    expect(await edge.state('device')).toEqual({ epoch: 1, seq: 9, chain });
  });

  it('answers a repeat as the first time, whoever leads now', async () => {
    const edge = new ChainEdge();
    await edge.push(encodePush(await pushOf(1, 3)));
    const again = await edge.push(encodePush(await pushOf(1, 3, '', 2)));
    expect(again).toMatchObject({ repeated: true, chain: (await pushOf(1, 3)).chain!.value });
    expect(edge.applied).toHaveLength(1);
  });

  it('names the events that were altered on the way, and nothing of the push is stored', async () => {
    const edge = new ChainEdge();
    const push = await pushOf(1, 3);
    const body = encodePush(push).replace('"/1"', '"/9"');
    expect(await codeOf(edge.push(body))).toBe('chain.broken');
    expect(edge.broken[0]!.details).toMatchObject({
      ...{ producer: 'device', part: 'lines', seq: 1, last: 3, expected: push.chain!.value },
      received: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await edge.lines()).toEqual([]);
  });

  it('names where a push does not follow on what is stored', async () => {
    const edge = new ChainEdge();
    const first = await pushOf(1, 3);
    await edge.push(encodePush(first));
    const stranger = await pushOf(4, 5, (await pushOf(1, 2)).chain!.value);
    expect(await codeOf(edge.push(encodePush(stranger)))).toBe('chain.broken');
    const { part, seq, expected, received } = edge.broken[0]!.details;
    expect({ part, seq }).toEqual({ part: 'before', seq: 4 });
    expect([expected, received]).toEqual([first.chain!.value, stranger.chain!.previous]);
    const without = edge.push(encodePush(unchained(stranger)));
    expect(await codeOf(without), 'nobody goes on without it').toBe('chain.broken');
    expect(await edge.lines()).toHaveLength(3);
  });

  it('leaves gaps and fenced leaders to the sequence', async () => {
    const edge = new ChainEdge();
    await edge.push(encodePush(await pushOf(1, 3, '', 5)));
    expect(await codeOf(edge.push(encodePush(await pushOf(7, 8))))).toBe('producer.fenced');
    expect(await codeOf(edge.push(encodePush(await pushOf(7, 8, '', 5))))).toBe('producer.gap');
  });

  it('begins where a producer had pushed before it had one', async () => {
    const edge = new ChainEdge();
    await edge.push(encodePush(unchained(await pushOf(1, 3))));
    expect(await edge.chain('device')).toBeUndefined();
    await edge.push(encodePush(await pushOf(4, 5)));
    expect(await edge.chain('device')).toMatchObject({ since: 4, seq: 5 });
  });

  it('refuses a header whose hashes are none', async () => {
    const edge = new ChainEdge();
    for (const chain of [null, {}, { previous: 'x', value: 'y' }, { previous: '', value: '' }]) {
      const body = encodePush({ ...(await pushOf(1, 2)), chain } as unknown as Push);
      expect(await codeOf(edge.push(body))).toBe('query.invalid');
    }
  });

  it('detects any alteration of the lines on the way: all that is stored is what was sent, in its order', async () => {
    const run = fc.asyncProperty(fc.array(alterations, { minLength: 1, maxLength: 6 }), async (all) => {
      const edge = new ChainEdge();
      let previous = '';
      for (const [index, alteration] of all.entries()) {
        const push = await pushOf(index * 5 + 1, index * 5 + 5, previous);
        const body = encodePush(push);
        const altered = alter(body, alteration);
        for (const other of [altered, withCount(altered)].filter((other) => other !== body))
          expect(await codeOf(edge.push(other))).not.toBe('applied');
        await edge.push(body);
        await edge.push(body);
        previous = push.chain!.value;
      }
      expect(await edge.lines()).toEqual(lines.slice(0, all.length * 5));
      const seq = all.length * 5;
      expect(await edge.chain('device')).toEqual({ since: 1, seq, value: recompute(edge.applied) });
    });
    await fc.assert(run, { numRuns: 150 });
  });
});

describe('a pusher with a chain', () => {
  it('brings every event once, over alterations, lost answers and pushes of other sizes', async () => {
    const passage = fc.oneof(
      alterations.map((how): Passage => ({ alter: (body) => alter(body, how), answers: true })),
      alterations.map((how): Passage => ({
        alter: (body) => withCount(alter(body, how)),
        answers: true,
      })),
      fc.constant<Passage>({ ...safely, answers: false }),
      fc.constant(safely),
    );
    const life = fc.record({
      passages: fc.array(passage, { maxLength: 6 }),
      events: fc.integer({ min: 1, max: 9 }),
      steps: fc.integer({ min: 0, max: 12 }),
    });
    const run = fc.asyncProperty(fc.array(life, { maxLength: 3 }), async (lives) => {
      const edge = new ChainEdge();
      const storage = await deviceWith(25);
      for (const { passages, events, steps } of lives) {
        const ports = new SteppedPorts();
        const transport = transportOver(edge, passages);
        const pusher = new Pusher({ storage, transport, ports, digest, limits: { events } }).start();
        for (let step = 0; step < steps; step++) await ports.step();
        await pusher.stop();
      }
      await pushAll(storage, { transport: transportOver(edge) });
      const kept = (await storage.read({ limit: 100 })).events.map(({ line }) => line);
      expect(await edge.lines()).toEqual(kept);
      expect(await listDeadLetters(storage), 'no event is given up for the network').toEqual([]);
      const value = recompute(edge.applied);
      expect(await edge.chain(await producerOf(storage))).toEqual({ since: 1, seq: 25, value });
      expect(await storage.get(syncKeys.chain)).toBe(value);
    });
    await fc.assert(run, { numRuns: 100 });
  });

  it('takes the edge’s hash over where its own is lost, and goes on', async () => {
    const edge = new ChainEdge();
    const storage = await deviceWith(10);
    await pushAll(storage, { transport: transportOver(edge), limits: { events: 4 } });
    await storage.commit([{ events: [], put: [[syncKeys.chain, undefined]] }]);
    await storage.commit([
      { events: shopEvents(3, new SteppedPorts()).map((e) => ({ ...e, id: `${e.id}b` })) },
    ]);
    await pushAll(storage, { transport: transportOver(edge) });
    const producer = await producerOf(storage);
    expect(await edge.chain(producer)).toMatchObject({
      since: 1,
      seq: 13,
      value: recompute(edge.applied),
    });
  });

  it('does not take an answer for its own that states another hash', async () => {
    const edge = new ChainEdge();
    const storage = await deviceWith(6);
    const inner = transportOver(edge);
    let pushes = 0;
    const transport: typeof inner = {
      ...inner,
      push: async (push) => {
        const answer = await inner.push(push);
        return ++pushes > 1 ? answer : { ...answer, chain: 'e'.repeat(64) };
      },
    };
    await pushAll(storage, { transport });
    expect(pushes, 'it asks again').toBeGreaterThan(1);
    expect(await storage.get(syncKeys.chain)).toBe(recompute(edge.applied));
  });

  it('goes on as a new producer where the two hashes differ, and loses nothing', async () => {
    const edge = new ChainEdge();
    const storage = await deviceWith(10);
    await pushAll(storage, { transport: transportOver(edge) });
    const before = await producerOf(storage);
    await storage.commit([{ events: [], put: [[syncKeys.chain, 'f'.repeat(64)]] }]);
    await storage.commit([
      { events: shopEvents(3, new SteppedPorts()).map((e) => ({ ...e, id: `${e.id}b` })) },
    ]);
    await pushAll(storage, { transport: transportOver(edge) });
    expect(await edge.lines()).toHaveLength(13);
    expect(await producerOf(storage)).not.toBe(before);
    expect(await edge.chain(before)).toMatchObject({ since: 1, seq: 10 });
  });
});

describe('a producer that is forgotten', () => {
  it('has its data erased where it stands, and no other’s; what it pushes later is refused', async () => {
    const edge = new ChainEdge();
    // In turns, so that both stand in every segment.
    for (let from = 1; from <= 60; from += 3) {
      const producer = from % 2 === 1 ? 'mine' : 'other';
      const seq = from - Math.floor(from / 6) * 3 - (from % 2 === 1 ? 0 : 3);
      const push = { ...(await pushOf(from, from + 2)), producer, seq };
      await edge.push(encodePush(unchained(push)));
    }
    while (await edge.storage.compact());
    const before = await edge.storage.read({ limit: 100 });
    expect((await edge.storage.stats()).segments).toBe(1);
    expect(await edge.forget('mine')).toEqual({ events: 30 });
    expect(await edge.forget('mine'), 'again').toEqual({ events: 30 });
    const after = await edge.storage.read({ limit: 100 });
    for (const [index, { position, event }] of after.events.entries()) {
      const was = before.events[index]!;
      expect(position).toBe(was.position);
      const erased = index % 6 < 3;
      expect(isErased(event)).toBe(erased);
      expect(event).toEqual(erased ? { ...was.event, data: { $erased: true } } : was.event);
      const [found] = (await edge.storage.read({ id: event.id })).events;
      expect(found?.position, 'it is found by its id').toBe(position);
    }
    const { bytes } = await edge.storage.stats();
    expect(bytes).toBe(after.events.reduce((sum, { line }) => sum + line.length, 0));
    expect(await edge.state('mine')).toMatchObject({ forgotten: true });
    const late = unchained({ ...(await pushOf(31, 32)), producer: 'mine' });
    const refused = await edge.push(encodePush(late)).catch((error: unknown) => error);
    expect(hasCode(refused, 'producer.fenced')).toBe(true);
  });

  it('is erased beside events that are damaged, which stay so, and those that are damaged themselves are gone', async () => {
    const edge = new ChainEdge();
    await edge.push(encodePush(unchained({ ...(await pushOf(1, 3)), producer: 'mine' })));
    const others = { ...(await pushOf(4, 6)), producer: 'other', seq: 1 };
    await edge.push(encodePush(unchained(others)));
    for (let at = 7; at <= 60; at += 3)
      await edge.push(
        encodePush(unchained({ ...(await pushOf(at, at + 2)), producer: `p${at}`, seq: 1 })),
      );
    while (await edge.storage.compact());
    for (const path of ['/1"', '/4"']) damageRow(edge.database, 'log', path);
    await edge.forget('mine');
    const read = (position: number) =>
      codeOf((async () => edge.storage.read({ after: position - 1, limit: 1 }))());
    expect(await Promise.all([2, 5].map(read))).toEqual(['storage.corrupt', 'storage.corrupt']);
    const rest = await edge.storage.read({ after: 5, limit: 100 });
    expect(rest.events.map(({ line }) => line)).toEqual(lines.slice(5));
    const text = JSON.stringify(
      edge.database.exec('SELECT CAST(lines AS TEXT) AS text FROM log_segment'),
    );
    const has = (path: string): boolean => text.includes(`\\"path\\":\\"${path}\\"`);
    expect(['/0', '/2', '/3', '/5'].map(has)).toEqual([false, false, true, true]);
  });
});
