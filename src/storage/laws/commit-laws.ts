/** Laws of commits: all or nothing, one order, each event once. */
import { toWire } from '../../event/wire.ts';
import { hasCode } from '../../errors.ts';
import type { Storage } from '../storage.ts';
import { assertEqual, assertRejects, LawBroken, type StorageLaw } from './law.ts';
import { commit, commitAny, readAll, Sample, shown, shownAt } from './sample.ts';

export const commitLaws: readonly StorageLaw[] = [
  {
    name: 'what is read is what was committed, to the letter',
    async run({ open }) {
      const storage = await open('letters');
      const sample = new Sample(1);
      const events = [
        ...sample.events(7),
        sample.event({ id: 'brought by hand/ü', type: 'x', data: 'text', subject: '__proto__' }),
        sample.event({ data: null, correlationId: 'emoji 🏁', priority: 4 }),
        sample.event({ timestamp: -1, data: [] }),
      ];
      const { positions } = await commit(storage, { events });
      assertEqual(positions, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'a commit answers with the positions');
      assertEqual(
        shown(await readAll(storage)),
        shownAt(1, events),
        'the events come back as they were',
      );
    },
  },
  {
    name: 'positions are dense and rise from 1, over commits of every size',
    async run({ open }) {
      const storage = await open('dense');
      const sample = new Sample(2);
      const sizes = [1, 3, 0, 401, 1, 1, 850, 2];
      for (const size of sizes) await commit(storage, { events: sample.events(size) });
      const positions = (await readAll(storage, { limit: 77 })).map(({ position }) => position);
      assertEqual(
        positions,
        Array.from({ length: 1259 }, (_, i) => i + 1),
        'no position is missing or double',
      );
      assertEqual((await storage.stats()).head, 1259, 'the head is the last position');
    },
  },
  {
    name: 'the order of positions is the order of commits, with concurrent writers',
    async run({ open }) {
      const storage = await open('concurrent');
      const sample = new Sample(3);
      const asked = Array.from({ length: 40 }, () => sample.events(1 + sample.below(3)));
      const answers = await Promise.all(asked.map(async (events) => commit(storage, { events })));
      const stored = await readAll(storage);
      for (const [i, { positions }] of answers.entries()) {
        const there = positions.map((position) => toWire(stored[position - 1]!.event));
        assertEqual(there, asked[i]!.map(toWire), 'each event stands where its commit said');
        const first = positions[0]!;
        assertEqual(
          positions,
          positions.map((_, at) => first + at),
          'a commit stands together',
        );
        if (i > 0)
          assertEqual(first > answers[i - 1]!.positions.at(-1)!, true, 'a later commit stands later');
      }
    },
  },
  {
    name: 'a commit that fails at any call into the database leaves nothing of itself',
    async run({ open, openFailing }) {
      if (openFailing === undefined) return;
      const sample = new Sample(4);
      const healthy = await open('atomic');
      await commit(healthy, { events: sample.events(3), put: [['kept', 1]] });
      let failed = 0;
      for (let failAt = 1; ; failAt++) {
        const before = await state(healthy);
        const failing = await openFailing('atomic', failAt);
        const event = sample.event({ subject: 'cart-1' });
        const brought = sample.event({ id: `brought-${failAt}` });
        const producer = { id: 'p', epoch: 1, seq: 1 };
        try {
          await failing.commit([{ events: [event, brought], producer, put: [['kept', failAt]] }]);
        } catch (error) {
          if (!hasCode(error, 'storage.failed')) throw error;
          failed++;
          assertEqual(await state(healthy), before, `a failure at call ${failAt} changed the log`);
          continue;
        }
        if (failed === 0)
          throw new LawBroken('no call failed: the harness injects no fault', failed, 'at least 1');
        assertEqual(
          (await state(healthy)).values,
          [['kept', failAt]],
          'after the last fault the commit goes down',
        );
        return;
      }
    },
  },
  {
    name: 'a refused commit changes nothing and stops no other of its batch',
    async run({ open }) {
      const storage = await open('batch');
      const sample = new Sample(5);
      const [a, b, c] = [sample.events(2), sample.events(2, { subject: 'cart' }), sample.events(2)];
      const refused = { events: b, expect: [{ subject: 'cart', version: 7 }], put: [['b', 1]] } as const;
      const results = await storage.commit([{ events: a }, refused, { events: c, put: [['c', 1]] }]);
      assertEqual(
        results.map(({ ok }) => ok),
        [true, false, true],
        'each commit has its own outcome',
      );
      assertEqual(
        shown(await readAll(storage)),
        shownAt(1, [...a, ...c]),
        'only the accepted ones are stored',
      );
      assertEqual(
        [await storage.get('b'), await storage.get('c')],
        [undefined, 1],
        'and only their values',
      );
      assertEqual(await storage.version('cart'), 0, 'the version did not move');
    },
  },
  {
    name: 'events and values land together',
    async run({ open }) {
      const storage = await open('together');
      const sample = new Sample(6);
      const events = sample.events(2);
      const bytes = new Uint8Array([0, 255, 7]);
      const put = [
        ['a/1', { list: [1, 'two', null] }],
        ['a/2', bytes],
        ['a/3', 'gone'],
        ['a/3', undefined],
      ] as const;
      await commit(storage, { events, put });
      const entries = [
        ['a/1', { list: [1, 'two', null] }],
        ['a/2', new Uint8Array([0, 255, 7])],
      ];
      assertEqual(await storage.list('a/'), entries, 'the last value of each key is kept');
      assertEqual((await readAll(storage)).length, 2, 'beside the events');
      bytes[0] = 1;
      assertEqual(
        await storage.get('a/2'),
        new Uint8Array([0, 255, 7]),
        'a value is copied when it is put',
      );
      await commit(storage, { events: [], put: [['a/1', undefined]] });
      assertEqual(await storage.get('a/1'), undefined, 'undefined removes a value');
    },
  },
  {
    name: 'the same event twice is stored once',
    async run({ open }) {
      const storage = await open('twice');
      const sample = new Sample(7);
      const first = [...sample.events(3), sample.event({ id: 'brought' })];
      const late = sample.event();
      const more = sample.events(2);
      await commit(storage, { events: first });
      await commit(storage, { events: more });
      const again = await commit(storage, { events: [first[1]!, late, first[3]!, late, more[0]!] });
      assertEqual(again.positions, [2, 7, 4, 7, 5], 'a repeated event answers with where it stands');
      assertEqual(again.duplicates, 4, 'and is counted as a duplicate');
      assertEqual(
        shown(await readAll(storage)),
        shownAt(1, [...first, ...more, late]),
        'each stands once',
      );
    },
  },
  {
    name: 'an id that comes again with other content is refused, with all of its commit',
    async run({ open }) {
      const storage = await open('conflict');
      const sample = new Sample(8);
      const event = sample.event();
      const brought = sample.event({ id: 'brought' });
      await commit(storage, { events: [event, brought] });
      for (const { id } of [event, brought]) {
        const result = await commitAny(storage, {
          events: [sample.event(), sample.event({ id })],
          put: [['x', 1]],
        });
        assertEqual(result.ok ? 'ok' : result.error.code, 'event.conflict', 'the conflict is named');
        if (!result.ok) assertEqual(result.error.details, { id }, 'by its id');
      }
      assertEqual((await readAll(storage)).length, 2, 'nothing of the commit is stored');
      assertEqual(await storage.get('x'), undefined, 'nor its values');
    },
  },
  {
    name: 'what cannot be stored is refused before anything is stored',
    async run({ open }) {
      const storage = await open('input');
      const sample = new Sample(9);
      const good = { events: [sample.event()] };
      const cycle: Record<string, unknown> = {};
      cycle['self'] = cycle;
      const bad = [
        [{ events: [sample.event({ data: 1n })] }, 'event.invalid'],
        [{ events: [{ ...sample.event(), data: cycle }] }, 'event.invalid'],
        [{ events: [sample.event({ data: 'x'.repeat(300_000) })] }, 'limit.exceeded'],
        [{ events: [{ ...sample.event(), source: '' }] }, 'event.invalid'],
        [{ events: [{ ...sample.event(), subject: 'half \ud800' }] }, 'event.invalid'],
        [{ events: [], put: [['', 1]] }, 'query.invalid'],
        [{ events: [], put: [['a\0b', 1]] }, 'query.invalid'],
        [{ events: [], put: [['k', Number.NaN]] }, 'query.invalid'],
        [{ events: [], put: [['k', { at: new Map() as never }]] }, 'query.invalid'],
        [{ events: [], put: [['k', [undefined as never]]] }, 'query.invalid'],
        [{ events: [], expect: [{ subject: '\udc00', version: 1 }] }, 'query.invalid'],
        [{ events: [], producer: { id: '', epoch: 1, seq: 1, count: 1 } }, 'query.invalid'],
        [{ events: [], put: [['k'.repeat(600), 1]] }, 'query.invalid'],
        [{ events: [], producer: { id: 'p', epoch: 0, seq: 1, count: 1 } }, 'query.invalid'],
        [{ events: [], producer: { id: 'p', epoch: 1, seq: 1 } }, 'query.invalid'],
      ] as const;
      for (const [commits, code] of bad) {
        await assertRejects(
          () => storage.commit([good, commits]),
          code,
          'a bad commit is refused by its code',
        );
      }
      assertEqual((await storage.stats()).events, 0, 'nothing was stored');
    },
  },
];

async function state(storage: Storage) {
  return {
    events: shown(await readAll(storage)),
    values: await storage.list(''),
    producer: await storage.producer('p'),
    version: await storage.version('cart-1'),
    stats: await storage.stats(),
  };
}
