/** Laws of reading: whole commits, exact pages, and the same answer as a plain filter. */
import type { Event } from '../../event/event.ts';
import { selects } from '../selects.ts';
import type { Query } from '../storage.ts';
import { assertEqual, assertRejects, LawBroken, type StorageLaw } from './law.ts';
import { commit, readAll, Sample, shown } from './sample.ts';

const SORTED = ['b/', 'b/10', 'b/2', 'b/Z', 'b/ü', 'b/\u{1F3C1}', 'b/\uE000', 'b/\uFFFF\uFFFF1'];

export const readLaws: readonly StorageLaw[] = [
  {
    name: 'a query selects what a plain filter selects, in both directions',
    async run({ open }) {
      const storage = await open('queries');
      const sample = new Sample(40);
      const events: Event[] = [];
      for (const size of [1, 1, 90, 401, 1, 30]) {
        const next = sample.events(size);
        events.push(...next);
        await commit(storage, { events: next });
      }
      for (let round = 0; round < 60; round++) {
        const query = randomQuery(sample, events);
        const expected = oracle(events, query);
        const found = await readAll(storage, { ...query, limit: 1 + sample.below(200) });
        assertEqual(shown(found), expected, `the query ${JSON.stringify(query)} selects other events`);
      }
    },
  },
  {
    name: 'pages resume exactly where they ended, whatever their size, also while commits go on',
    async run({ open }) {
      const storage = await open('pages');
      const sample = new Sample(41);
      await commit(storage, { events: sample.events(50) });
      const seen: number[] = [];
      let after = 0;
      for (let turn = 0; turn < 400; turn++) {
        const page = await storage.read({ after, limit: 1 + sample.below(20) });
        seen.push(...page.events.map(({ position }) => position));
        after = page.next;
        if (!page.more && page.head === 90) break;
        if (turn % 2 === 0 && page.head < 90) await commit(storage, { events: sample.events(2) });
      }
      const expected = Array.from({ length: 90 }, (_, i) => i + 1);
      assertEqual(seen, expected, 'a reader that goes on from `next` sees each event once');
    },
  },
  {
    name: 'a read sees whole commits',
    async run({ open }) {
      const storage = await open('whole');
      const sample = new Sample(42);
      const write = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) await commit(storage, { events: sample.events(5) });
      };
      const writing = write();
      for (let i = 0; i < 20; i++) {
        const { head, events, next, more } = await storage.read({ limit: 1000 });
        if (head % 5 !== 0)
          throw new LawBroken('a read saw a part of a commit', head, 'a multiple of 5');
        assertEqual(events.length, more ? next : head, 'a page and its head are of one moment');
      }
      await writing;
      assertEqual((await readAll(storage)).length, 100, 'all commits are there in the end');
    },
  },
  {
    name: 'an empty log, an empty range and an unknown id answer with nothing',
    async run({ open }) {
      const storage = await open('empty');
      const sample = new Sample(43);
      assertEqual(await storage.read({}), { events: [], next: 0, more: false, head: 0 }, 'an empty log');
      await commit(storage, { events: sample.events(5) });
      const none = async (query: Query) =>
        assertEqual((await storage.read(query)).events, [], JSON.stringify(query));
      await none({ after: 5 });
      await none({ after: 99 });
      await none({ before: 1 });
      await none({ after: 3, before: 3 });
      await none({ id: 'unknown' });
      await none({ id: sample.event().id });
      await none({ types: [] });
      await none({ types: ['never.happened'] });
      assertEqual(
        (await storage.read({ after: 99 })).next,
        99,
        'a reader ahead of the log stays where it is',
      );
      assertEqual(await storage.producer('unknown'), undefined, 'an unknown producer has no head');
      assertEqual(await storage.version('unknown'), 0, 'an unknown subject is at version 0');
    },
  },
  {
    name: 'a query that means nothing is refused',
    async run({ open }) {
      const storage = await open('bad queries');
      const bad = [
        { limit: 0 },
        { limit: 1.5 },
        { limit: 1_000_000 },
        { after: -1 },
        { before: Number.NaN },
        { from: Number.POSITIVE_INFINITY },
        { direction: 'sideways' as 'forward' },
      ];
      for (const query of bad) {
        await assertRejects(() => storage.read(query), 'query.invalid', JSON.stringify(query));
      }
    },
  },
  {
    name: 'values are listed by prefix, sorted by key, page by page',
    async run({ open }) {
      const storage = await open('values');
      const keys = [
        'b/2',
        'a',
        'b/10',
        'b',
        'b/',
        'c/1',
        'b/ü',
        'b/Z',
        'b0',
        'b/\u{1F3C1}',
        'b/\uE000',
        'b/\uFFFF\uFFFF1',
      ];
      await commit(storage, { events: [], put: keys.map((key, i) => [key, i]) });
      const list = async (prefix: string, options = {}) =>
        (await storage.list(prefix, options)).map(([key, value]) => [key, value]);
      const entry = (key: string) => [key, keys.indexOf(key)];
      assertEqual(await list('b/'), SORTED.map(entry), 'by prefix, sorted by code unit');
      assertEqual(
        await list('b/', { after: 'b/10', limit: 2 }),
        ['b/2', 'b/Z'].map(entry),
        'from a key on',
      );
      assertEqual(await list('', { limit: 2 }), ['a', 'b'].map(entry), 'an empty prefix is every key');
      assertEqual(await list('none'), [], 'no key, no entry');
      assertEqual(await list('a', { after: 'b' }), [], 'nor behind the prefix');
      for (const limit of [0, -1, 1.5, 1_000_000]) {
        await assertRejects(() => storage.list('b/', { limit }), 'query.invalid', `a limit of ${limit}`);
      }
    },
  },
];

function randomQuery(sample: Sample, events: readonly Event[]): Query {
  const some = (): Event => events[sample.below(events.length)]!;
  const often = (share: number): boolean => sample.random() < share;
  return {
    id: often(0.1) ? some().id : undefined,
    types: often(0.4) ? [some().type, some().type, 'never.happened'] : undefined,
    correlationId: often(0.3) ? some().correlationId : undefined,
    subject: often(0.3) ? some().subject : undefined,
    from: often(0.3) ? some().timestamp : undefined,
    to: often(0.3) ? some().timestamp : undefined,
    after: often(0.4) ? sample.below(events.length) : undefined,
    before: often(0.4) ? sample.below(events.length + 5) : undefined,
    direction: often(0.5) ? 'backward' : 'forward',
  };
}

function oracle(events: readonly Event[], query: Query): unknown {
  const { after = 0, before = Infinity } = query;
  const found = events
    .map((event, i) => ({ position: i + 1, event }))
    .filter(({ position, event }) => position > after && position < before && selects(query, event));
  return shown((query.direction === 'backward' ? found.toReversed() : found) as never);
}
