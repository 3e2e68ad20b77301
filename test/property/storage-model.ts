/**
 * Any sequence of commits, trims, compactions and reopenings, against a model of a log that is a list and a few maps.
 * The same property runs on every driver.
 */
import fc from 'fast-check';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { isUuidV7 } from '../../src/event/ids.ts';
import { toWire } from '../../src/event/wire.ts';
import type { Commit, CommitResult, Storage } from '../../src/storage/storage.ts';
import { assertEqual } from '../../src/storage/laws/law.ts';
import { readAll, shown } from '../../src/storage/laws/sample.ts';
import type { StorageHarness } from '../../src/testing.ts';

type Step =
  | { readonly do: 'commit'; readonly commits: readonly Commit[] }
  | { readonly do: 'trim'; readonly until: number }
  | { readonly do: 'compact' | 'reopen' };

/** What a log does, in the plainest words. */
class Model {
  readonly events: Event[] = [];
  readonly heads = new Map<string, { epoch: number; seq: number }>();
  readonly values = new Map<string, unknown>();
  trimmed = 0;

  version = (subject: string): number => this.events.filter((event) => event.subject === subject).length;

  blocked(advance: NonNullable<Commit['advance']>): string | undefined {
    for (const { id, epoch, seq } of advance) {
      const head = this.heads.get(id) ?? { epoch: 0, seq: 0 };
      if (epoch < head.epoch) return 'producer.fenced';
      if (seq !== head.seq + 1) return 'producer.gap';
    }
    return undefined;
  }

  /** An id greater than every UUIDv7 of the log was never in it. */
  mayBeTrimmed = (id: string): boolean =>
    this.trimmed > 0 &&
    !(isUuidV7(id) && this.events.every((event) => !isUuidV7(event.id) || event.id < id));

  commit({ events, producer, advance = [], expect = [], put = [] }: Commit): string {
    const known = (id: string) => this.events.find((event, i) => event.id === id && i >= this.trimmed);
    if (producer !== undefined) {
      const head = this.heads.get(producer.id) ?? { epoch: 0, seq: 0 };
      const last = producer.seq + (producer.count ?? events.length) - 1;
      if (producer.epoch < head.epoch) return 'producer.fenced';
      if (producer.seq !== head.seq + 1) {
        if (last > head.seq) return 'producer.gap';
        return events.every(({ id }) => known(id) || this.mayBeTrimmed(id)) ? 'ok' : 'producer.diverged';
      }
    }
    const fresh: Event[] = [];
    for (const event of events) {
      const other = known(event.id) ?? fresh.find(({ id }) => id === event.id);
      if (other === undefined) fresh.push(event);
      else if (JSON.stringify(other) !== JSON.stringify(event)) return 'event.conflict';
    }
    const holds = expect.every(({ subject, version }) => this.version(subject) === version);
    const refusal = holds ? this.blocked(advance) : 'version.conflict';
    if (refusal !== undefined) return events.length > 0 && fresh.length === 0 ? 'ok' : refusal;
    this.events.push(...fresh);
    if (producer !== undefined) {
      const seq = producer.seq + (producer.count ?? events.length) - 1;
      this.heads.set(producer.id, { epoch: producer.epoch, seq });
    }
    for (const { id, epoch, seq, count = 1 } of advance)
      this.heads.set(id, { epoch, seq: seq + count - 1 });
    for (const [key, value] of put)
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, value);
    return 'ok';
  }
}

/** Few ids, subjects and producers, so that they meet often; some ids are UUIDv7 of a few ms, some are brought. */
const id = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .nat(60)
      .map((n) => `018bcfe5-68${(n % 40).toString(16).padStart(2, '0')}-7000-8000-0000000000${n + 10}`),
  },
  { weight: 1, arbitrary: fc.constantFrom('zebra', 'Ångström', '1', 'order/1') },
);

const event = fc
  .record({
    id,
    type: fc.constantFrom('page.viewed', 'product.added', 'order.placed'),
    data: fc.constantFrom<unknown>(null, { n: 1 }),
    timestamp: fc.integer({ min: -5, max: 50 }),
    subject: fc.option(fc.constantFrom('cart-1', 'cart-2'), { nil: undefined }),
    correlationId: fc.option(fc.constantFrom('v1', 'v2'), { nil: undefined }),
  })
  .map((fields) => makeEvent({ ...fields, source: 'shop', priority: 2, causationId: undefined }));

const commits = fc.record(
  {
    events: fc.array(event, { maxLength: 5 }),
    producer: fc.record({
      id: fc.constantFrom('p', 'q'),
      epoch: fc.integer({ min: 1, max: 2 }),
      seq: fc.integer({ min: 1, max: 6 }),
      count: fc.integer({ min: 5, max: 7 }),
    }),
    expect: fc.array(
      fc.record({
        subject: fc.constantFrom('cart-1', 'cart-2'),
        version: fc.integer({ min: 0, max: 3 }),
      }),
      { maxLength: 2 },
    ),
    advance: fc.array(
      fc.record({
        id: fc.constantFrom('p', 'r'),
        epoch: fc.integer({ min: 1, max: 2 }),
        seq: fc.integer({ min: 1, max: 4 }),
        count: fc.integer({ min: 1, max: 2 }),
      }),
      { maxLength: 2 },
    ),
    put: fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.option(fc.nat(9), { nil: undefined })), {
      maxLength: 2,
    }),
  },
  { requiredKeys: ['events'] },
) as fc.Arbitrary<Commit>;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      commits: fc.array(commits, { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), until: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('compact' as const, 'reopen' as const) }) },
);

/** Rejects with the smallest sequence of steps after which the log and the model differ. */
export async function checkStorageModel(create: () => StorageHarness, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const harness = create();
      try {
        await follow(harness, steps);
      } finally {
        await harness.cleanup?.();
      }
    }),
    { numRuns: runs },
  );
}

async function follow(harness: StorageHarness, steps: readonly Step[]): Promise<void> {
  const model = new Model();
  let storage = await harness.open('model');
  for (const each of steps) {
    if (each.do === 'commit') {
      const results = await storage.commit(each.commits);
      assertEqual(
        results.map(outcome),
        each.commits.map((commit) => model.commit(commit)),
        'the outcomes',
      );
    } else if (each.do === 'trim') {
      await storage.trim(each.until);
      model.trimmed = Math.max(model.trimmed, Math.min(each.until, model.events.length));
    } else if (each.do === 'compact') await storage.compact();
    else if (harness.durable) {
      await storage.close();
      storage = await harness.open('model');
    }
    await compare(storage, model);
  }
}

const outcome = (result: CommitResult): string => (result.ok ? 'ok' : result.error.code);

async function compare(storage: Storage, model: Model): Promise<void> {
  const all = model.events.map((each, i) => [i + 1, toWire(each)] as const).slice(model.trimmed);
  assertEqual(shown(await readAll(storage, { limit: 7 })), all, 'all events');
  const ofCart = all.filter(([, wire]) => wire.subject === 'cart-1').toReversed();
  assertEqual(
    shown(await readAll(storage, { subject: 'cart-1', direction: 'backward' })),
    ofCart,
    'a subject’s events',
  );
  for (const [position, wire] of all) {
    assertEqual(
      shown((await storage.read({ id: wire.id })).events),
      [[position, wire]],
      `the event ${wire.id}`,
    );
  }
  for (const subject of ['cart-1', 'cart-2']) {
    assertEqual(await storage.version(subject), model.version(subject), `the version of ${subject}`);
  }
  for (const producer of ['p', 'q', 'r']) {
    assertEqual(await storage.producer(producer), model.heads.get(producer), `the head of ${producer}`);
  }
  const values = [...model.values].toSorted(([a], [b]) => (a < b ? -1 : 1));
  assertEqual(await storage.list(''), values, 'the values');
}
