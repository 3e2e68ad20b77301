/** Dead letters of a stream, driven again: each event counts once after all, and each result comes where it was to come. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { EventBus } from '../../src/bus/event-bus.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { hostPorts } from '../../src/ports.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import { toDocuments, toHandler, toLog, toStorage } from '../../src/windows/streams/outputs.ts';
import { fromBus, fromStore } from '../../src/windows/streams/sources.ts';
import { stream, type ResultFlow } from '../../src/windows/streams/stream.ts';
import type { StreamResult } from '../../src/windows/streams/stream-result.ts';
import { tumbling } from '../../src/windows/windows.ts';

const MINUTE = 60_000;
const BASE = 1_700_000_040_000;
const ports = { ...hostPorts, now: () => BASE + 3_600_000 };

function order(id: string, minute: number, total: unknown, type = 'order.placed'): Event {
  return makeEvent({
    ...{ id, type, data: { total }, timestamp: BASE + minute * MINUTE },
    ...{ source: 'till', priority: 2 },
  });
}

/** What is broken, until it is mended. */
class Broken {
  readonly #parts = new Set<string>();

  constructor(...parts: readonly string[]) {
    for (const part of parts) this.#parts.add(part);
  }

  /** Whether it is sound. */
  check(part: string): true {
    if (this.#parts.has(part)) throw new Error(`${part} is broken`);
    return true;
  }

  mend(): void {
    this.#parts.clear();
  }
}

const own = (broken: Broken) => ({
  initial: () => 0,
  add: (state: number, event: Event) => (broken.check(`add ${event.id}`), state + 1),
  merge: (left: number, right: number) => left + right,
  result: (state: number) => (broken.check(`result ${state}`), state),
});

const told = ({ name, key, value, revision }: StreamResult): unknown => [name, key, value, revision];

async function storeOf(events: readonly Event[]): Promise<EventStore> {
  const store = new EventStore(openMemory());
  await store.append(events);
  return store;
}

const orders = [order('a', 0, 1), order('b', 0.5, 2), order('c', 1, 4)];

describe('a dead letter of a stream that is driven again', () => {
  it.each(['filter b', 'map b', 'key b'])(
    'goes on from its %s into the windows, late as it is',
    async (part) => {
      const broken = new Broken(part);
      const store = await storeOf(orders);
      const results: unknown[] = [];
      const flow = stream(fromStore(store))
        .filter(({ id }) => broken.check(`filter ${id}`))
        .map((event) => (broken.check(`map ${event.id}`), event))
        .keyBy(({ id, source }) => (broken.check(`key ${id}`), source))
        .window(tumbling(MINUTE), { name: 'sums' })
        .aggregate(sum('total'))
        .output(toHandler((one) => results.push(told(one))));
      const run = flow.open({ name: 'sums', ports });
      await run.catchUp();
      await run.finish();
      expect(results).toEqual([
        ['sums', 'till', 1, 1],
        ['sums', 'till', 4, 1],
      ]);
      expect(await run.deadLetters.redrive()).toEqual({ redriven: 0, failed: 1 });
      broken.mend();
      // By another process of the name.
      const next = flow.open({ name: 'sums', ports });
      expect(await next.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
      expect(results.at(-1)).toEqual(['sums', 'till', 3, 2]);
      expect(next.counts).toEqual({ events: 3, late: 0, deadLetters: part === 'key b' ? 2 : 0 });
      expect(await run.deadLetters.count()).toBe(0);
      expect(await run.deadLetters.redrive()).toEqual({ redriven: 0, failed: 0 });
      await next.catchUp();
      expect(results).toHaveLength(3);
    },
  );

  it('is folded by the one window that has refused it, and by no other a second time', async () => {
    const broken = new Broken('add b');
    const store = await storeOf(orders);
    const latest = new Map<string, unknown>();
    const run = stream(fromStore(store))
      .window(tumbling(MINUTE), { name: 'all' })
      .aggregate(count())
      .window(tumbling(MINUTE), { name: 'own' })
      .aggregate(own(broken))
      .window(tumbling(MINUTE), { name: 'sums' })
      .aggregate(sum('total'))
      .output(toHandler((one) => latest.set(`${one.name} ${one.window.start - BASE}`, one.value)))
      .open({ name: 'three', ports });
    await run.catchUp();
    await run.finish();
    const values = (): unknown => Object.fromEntries(latest);
    const others = { 'all 0': 2, 'all 60000': 1, 'own 60000': 1, 'sums 0': 3, 'sums 60000': 4 };
    expect(values()).toEqual({ ...others, 'own 0': 1 });
    broken.mend();
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(values()).toEqual({ ...others, 'own 0': 2 });
  });

  it('goes by its own side of a join', async () => {
    const broken = new Broken('left p');
    const store = await storeOf([order('p', 0, 1, 'order.placed'), order('q', 0, 2, 'order.paid')]);
    const left = stream(fromStore(store, { types: ['order.placed'] })).filter(({ id }) =>
      broken.check(`left ${id}`),
    );
    const right = stream(fromStore(store, { types: ['order.paid'] }));
    const results: unknown[] = [];
    const run = left
      .keyBy('source')
      .join(right.keyBy('source'))
      .window(tumbling(MINUTE))
      .output(toHandler(({ value }) => results.push((value as { pairs: unknown }).pairs)))
      .open({ name: 'joined', ports });
    await run.catchUp();
    await run.finish();
    const [letter] = await run.deadLetters.list();
    expect(letter!.where.detail).toBe('left filter');
    broken.mend();
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(results.at(-1)).toEqual([{ left: { total: 1 }, right: { total: 2 } }]);
  });

  it('is read again, where the store could not', async () => {
    const { storage } = await storeOf(orders);
    const broken = new Broken('upcast 2');
    const upcast = (data: { readonly total: number }) => (broken.check(`upcast ${data.total}`), data);
    const store = new EventStore(storage, { upcasters: [{ type: 'order.placed', version: 1, upcast }] });
    const results: unknown[] = [];
    const run = stream(fromStore(store))
      .window(tumbling(60 * MINUTE))
      .aggregate(sum('total'))
      .output(toHandler(({ value }) => results.push(value)))
      .open({ name: 'read', ports });
    await run.catchUp();
    await run.finish();
    expect(results).toEqual([5]);
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 0, failed: 1 });
    broken.mend();
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(results).toEqual([5, 7]);
  });

  it('makes a result of the state that it had, or is settled by a newer one', async () => {
    const broken = new Broken('result 2');
    const store = await storeOf(orders);
    const results: unknown[] = [];
    const run = stream(fromStore(store))
      .window(tumbling(MINUTE), { name: 'own' })
      .aggregate(own(broken))
      .output(toHandler((one) => results.push(told(one))))
      .open({ name: 'own', ports });
    await run.catchUp();
    await run.finish();
    expect(results).toEqual([['own', '', 1, 1]]);
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 0, failed: 1 });
    expect(await run.deadLetters.list()).toMatchObject([{ attempts: 2, where: { detail: 'result' } }]);
    await store.append(order('d', 0, 1));
    await run.catchUp();
    expect(results.at(-1)).toEqual(['own', '', 3, 3]);
    expect(await run.deadLetters.count()).toBe(0);
    await store.append([order('e', 5, 1), order('f', 5, 1)]);
    await run.catchUp();
    await run.finish();
    expect(await run.deadLetters.count()).toBe(1);
    broken.mend();
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(results.at(-1)).toEqual(['own', '', 2, 2]);
    expect(await run.deadLetters.count()).toBe(0);
  });

  it('makes a total after all, once, though two try at a time', async () => {
    const broken = new Broken('total 3');
    const store = await storeOf(orders);
    const results: unknown[] = [];
    const flow = stream(fromStore(store))
      .keyBy('id')
      .window(tumbling(60 * MINUTE), { name: 'keys' })
      .aggregate(count())
      .total({
        initial: () => 0,
        add: (state: number, value: number) => state + value,
        subtract: (state: number, value: number) => state - value,
        result: (state: number) => (broken.check(`total ${state}`), state),
      })
      .output(toHandler((one) => results.push(told(one))));
    const [run, other] = [0, 1].map(() => flow.open({ name: 'total', ports }));
    await run!.catchUp();
    await run!.finish();
    expect(results).toEqual([]);
    expect(await run!.deadLetters.redrive()).toEqual({ redriven: 0, failed: 1 });
    broken.mend();
    const both = await Promise.all([run!.deadLetters.redrive(), other!.deadLetters.redrive()]);
    expect(both.reduce((sum, { redriven }) => sum + redriven, 0)).toBe(1);
    expect(results).toEqual([['keys', '', 3, 3]]);
    expect(await run!.deadLetters.count()).toBe(0);
  });

  it('is handed to the output that has refused it, and to that alone', async () => {
    const broken = new Broken('mail', 'log', 'far');
    const store = await storeOf(orders);
    const far = openMemory();
    const got: string[] = [];
    const run = stream(fromStore(store, { types: ['order.placed'] }))
      .window(tumbling(MINUTE), { name: 'sums' })
      .aggregate(sum('total'))
      .output(
        toHandler(
          ({ value, sequence }) => (broken.check('mail'), got.push(`mail ${sequence} ${value}`)),
          {
            name: 'mail',
          },
        ),
      )
      .output(toHandler(({ sequence }) => got.push(`other ${sequence}`), { name: 'other' }))
      .output(
        toLog(({ value }) => (broken.check('log'), { type: 'sum.made', data: value }), { name: 'log' }),
      )
      .output(
        toStorage(
          far,
          ({ value }) => ({
            events: [{ type: 'sum.told', data: value }],
            put: [[`far/${broken.check('far')}`, value]],
          }),
          { name: 'far' },
        ),
      )
      .open({ name: 'outputs', ports });
    await run.catchUp();
    await run.finish();
    expect(got.splice(0)).toEqual(['other 1', 'other 2']);
    expect(await run.deadLetters.count()).toBe(6);
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 0, failed: 6 });
    broken.mend();
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 6, failed: 0 });
    expect(got).toEqual(['mail 1 3', 'mail 2 4']);
    const logged = await store.storage.read({ types: ['sum.made'] });
    expect(logged.events.map(({ event }) => event.data)).toEqual([3, 4]);
    const stored = await far.read({});
    expect(stored.events.map(({ event }) => event.data)).toEqual([3, 4]);
  });

  it('never puts an older document in the place of a newer one', async () => {
    const broken = new Broken('document 1');
    const store = await storeOf([order('a', 0, 1), order('b', 2, 5)]);
    const run = stream(fromStore(store))
      .window(tumbling(MINUTE), { name: 'sums' })
      .aggregate(sum('total'))
      .output(
        toDocuments('sums', {
          value: ({ value }: StreamResult<never>) => (
            broken.check(`document ${String(value)}`),
            value ?? null
          ),
        }),
      )
      .open({ name: 'documents', ports });
    const documents = async (): Promise<unknown[]> =>
      (await store.storage.list('sums/')).map(([, value]) => value);
    await run.catchUp();
    await run.finish();
    expect(await documents()).toEqual([5]);
    expect(await run.deadLetters.count()).toBe(1);
    await store.append(order('c', 0, 1));
    await run.catchUp();
    expect(await documents()).toEqual([2, 5]);
    broken.mend();
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 0, failed: 0 });
    expect(await documents()).toEqual([2, 5]);
  });

  it('of a live stream comes to its window, its result and its output, too', async () => {
    const broken = new Broken('filter a', 'add b', 'result 1', 'mail');
    const bus = new EventBus();
    const results: unknown[] = [];
    const run = stream(fromBus(bus))
      .filter(({ id }) => broken.check(`filter ${id}`))
      .window(tumbling(60 * MINUTE), { name: 'own' })
      .aggregate(own(broken))
      .output(toHandler((one) => (broken.check('mail'), results.push(told(one)))))
      .open({ name: 'live', ports });
    const stop = run.start();
    for (const event of orders) await bus.publish(event);
    await run.catchUp();
    expect(
      (await run.deadLetters.list()).map(({ where, event, position }) => [
        where.detail,
        event?.id,
        position,
      ]),
    ).toEqual([
      ['filter', 'a', undefined],
      ['window', 'b', undefined],
    ]);
    expect(await run.deadLetters.redrive()).toEqual({ redriven: 0, failed: 2 });
    expect((await run.deadLetters.list()).map(({ attempts }) => attempts)).toEqual([2, 2]);
    await run.finish();
    expect(await run.deadLetters.count()).toBe(3);
    broken.mend();
    stop();
    const [, , result] = await run.deadLetters.list();
    expect(await run.deadLetters.redrive([result!.id])).toEqual({ redriven: 1, failed: 0 });
    expect(results).toEqual([['own', '', 1, 1]]);
  });
});

describe('driven again while the storage fails now and then', () => {
  const failing = (storage: Storage, fails: () => boolean): Storage =>
    Object.assign(Object.create(storage) as Storage, {
      get: (key: string) => storage.get(key),
      list: (...given: Parameters<Storage['list']>) => storage.list(...given),
      read: (query: Parameters<Storage['read']>[0]) => storage.read(query),
      producer: (id: string) => storage.producer(id),
      stats: () => storage.stats(),
      onCommit: (listener: () => void) => storage.onCommit(listener),
      // Some fail before the commit, some when it is in.
      async commit(batch: Parameters<Storage['commit']>[0]) {
        if (fails()) throw Object.assign(new Error('gone'), { code: 'storage.failed', details: {} });
        const results = await storage.commit(batch);
        if (fails()) throw Object.assign(new Error('gone'), { code: 'storage.failed', details: {} });
        return results;
      },
    });

  it('each event counts once, and documents are as a recount has them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ minute: fc.nat(3), total: fc.integer({ min: 1, max: 9 }), bad: fc.nat(3) }),
          {
            minLength: 1,
            maxLength: 12,
          },
        ),
        fc.infiniteStream(fc.boolean()),
        async (given, chances) => {
          const events = given.map(({ minute, total }, i) => order(`e-${i}`, minute, total));
          const steps = given.map(({ bad }, i) => ['filter', 'map', 'add', 'fine'][bad]! + ` e-${i}`);
          const broken = new Broken(...steps);
          const inner = openMemory();
          await inner.commit([{ events }]);
          let left = 12;
          const fails = (): boolean => left > 0 && (left--, chances.next().value === true);
          const flow = (storage: Storage): ResultFlow<unknown> =>
            stream(fromStore(new EventStore(storage)))
              .filter(({ id }) => broken.check(`filter ${id}`))
              .map((event) => (broken.check(`map ${event.id}`), event))
              .window(tumbling(MINUTE), { name: 'sums' })
              .aggregate(sum('total'))
              .window(tumbling(MINUTE), { name: 'own' })
              .aggregate(own(broken))
              .output(toDocuments('out', { value: ({ value }: StreamResult<never>) => value ?? null }));
          const calm = flow(inner).open({ name: 'redriven', ports });
          await calm.catchUp();
          await calm.finish();
          broken.mend();
          const [one, two] = [0, 1].map(() =>
            flow(failing(inner, fails)).open({ name: 'redriven', ports }),
          );
          for (let round = 0; round < 30 && (await calm.deadLetters.count()) > 0; round++)
            await Promise.allSettled([one!.deadLetters.redrive(), two!.deadLetters.redrive()]);
          expect(await calm.deadLetters.list()).toEqual([]);
          const recount = await storeOf(events);
          const again = flow(recount.storage).open({ name: 'redriven', ports });
          await again.catchUp();
          await again.finish();
          expect(await inner.list('out/')).toEqual(await recount.storage.list('out/'));
        },
      ),
      { numRuns: 60 },
    );
  });
});
