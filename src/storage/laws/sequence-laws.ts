/** Laws of versions and of producers' sequences: what may follow on what. */
import type { Storage } from '../storage.ts';
import { assertEqual, type StorageLaw } from './law.ts';
import { commit, commitAny, readAll, Sample } from './sample.ts';

export const sequenceLaws: readonly StorageLaw[] = [
  {
    name: 'a version counts its subject’s events, and an expectation that does not hold is refused',
    async run({ open }) {
      const storage = await open('versions');
      const sample = new Sample(20);
      const add = async (version: number | 'none' | 'exists' | 'any', count = 1) => {
        const events = sample.events(count, { subject: 'cart-9' });
        const result = await commitAny(storage, { events, expect: [{ subject: 'cart-9', version }] });
        return result.ok ? 'ok' : { code: result.error.code, details: result.error.details };
      };
      const conflict = (expected: unknown, actual: number) => ({
        code: 'version.conflict',
        details: { subject: 'cart-9', expected, actual },
      });
      assertEqual(await add('exists'), conflict('exists', 0), 'nothing exists yet');
      assertEqual(await add('none', 2), 'ok', 'none holds once');
      assertEqual(await add('none'), conflict('none', 2), 'and no second time');
      assertEqual(await add(1), conflict(1, 2), 'a stale version is told the actual one');
      assertEqual(await add(2), 'ok', 'the actual version holds');
      assertEqual(await add('exists'), 'ok', 'it exists now');
      assertEqual(await add('any'), 'ok', 'any holds always');
      assertEqual(await storage.version('cart-9'), 5, 'the version counts the stored events');
    },
  },
  {
    name: 'several expectations hold all together or not at all',
    async run({ open }) {
      const storage = await open('expectations');
      const sample = new Sample(21);
      const events = [sample.event({ subject: 'a' }), sample.event({ subject: 'b' })];
      await commit(storage, { events: [sample.event({ subject: 'b' })] });
      const expecting = (b: number) => ({
        events,
        expect: [
          { subject: 'a', version: 0 },
          { subject: 'b', version: b },
        ],
      });
      assertEqual((await commitAny(storage, expecting(0))).ok, false, 'one does not hold');
      assertEqual([await storage.version('a'), await storage.version('b')], [0, 1], 'neither moved');
      assertEqual((await commitAny(storage, expecting(1))).ok, true, 'both hold');
      const again = await commit(storage, expecting(1));
      assertEqual(
        [again.repeated, again.positions],
        [true, [2, 3]],
        'the same events again are acknowledged',
      );
    },
  },
  {
    name: 'of writers that expect the same version, one wins',
    async run({ open }) {
      const storage = await open('race');
      const sample = new Sample(22);
      const tries = Array.from({ length: 12 }, () => ({
        events: [sample.event({ subject: 'cart' })],
        expect: [{ subject: 'cart', version: 0 }],
      }));
      const results = await Promise.all(tries.map(async (each) => commitAny(storage, each)));
      assertEqual(results.filter(({ ok }) => ok).length, 1, 'one commit is accepted');
      assertEqual(await storage.version('cart'), 1, 'and counted');
    },
  },
  {
    name: 'the same sequence of a producer again has the first outcome and changes nothing',
    async run({ open }) {
      const storage = await open('repeat');
      const sample = new Sample(23);
      const first = {
        events: sample.events(3),
        producer: { id: 'p', epoch: 1, seq: 1 },
        put: [['n', 1]],
      } as const;
      const second = { events: sample.events(2), producer: { id: 'p', epoch: 1, seq: 4 } };
      const outcome = await commit(storage, first);
      await commit(storage, second);
      await commit(storage, { events: [], put: [['n', 2]] });
      for (const [given, positions] of [
        [first, outcome.positions],
        [second, [4, 5]],
        [first, outcome.positions],
      ] as const) {
        const again = await commit(storage, given);
        assertEqual(
          [again.repeated, again.positions],
          [true, positions],
          'a repeat is answered as the first time',
        );
      }
      assertEqual((await readAll(storage)).length, 5, 'nothing is stored twice');
      assertEqual(await storage.get('n'), 2, 'a repeat puts no value');
      assertEqual(await storage.producer('p'), { epoch: 1, seq: 5 }, 'the head is the last sequence');
    },
  },
  {
    name: 'a gap in a producer’s sequence is refused with the expected one',
    async run({ open }) {
      const storage = await open('gap');
      const sample = new Sample(24);
      const push = async (seq: number, count: number) =>
        code(
          await commitAny(storage, {
            events: sample.events(count),
            producer: { id: 'p', epoch: 1, seq },
          }),
        );
      assertEqual(await push(2, 1), ['producer.gap', 1], 'a new producer starts at 1');
      assertEqual(await push(1, 2), 'ok', 'from 1');
      assertEqual(await push(4, 1), ['producer.gap', 3], 'a gap');
      assertEqual(await push(2, 2), ['producer.gap', 3], 'a range that is covered in part');
      assertEqual(await push(3, 1), 'ok', 'the expected one');
      assertEqual((await readAll(storage)).length, 3, 'what was refused is not stored');
    },
  },
  {
    name: 'a sequence may cover more than its events, so that a consumer’s checkpoint is one',
    async run({ open }) {
      const storage = await open('checkpoint');
      const advance = async (seq: number, count: number, total: number) =>
        commit(storage, {
          events: [],
          producer: { id: 'view', epoch: 1, seq, count },
          put: [['total', total]],
        });
      assertEqual((await advance(1, 10, 10)).repeated, false, 'the first range');
      assertEqual((await advance(1, 10, 99)).repeated, true, 'the same range of a second consumer');
      assertEqual(await storage.get('total'), 10, 'changes nothing');
      const ahead = await commitAny(storage, {
        events: [],
        producer: { id: 'view', epoch: 1, seq: 5, count: 20 },
        put: [['total', 99]],
      });
      assertEqual(code(ahead), ['producer.gap', 11], 'an overlapping range is refused');
      assertEqual(await storage.producer('view'), { epoch: 1, seq: 10 }, 'the checkpoint stands');
    },
  },
  {
    name: 'a sequence to advance stands right before its range, or the commit is refused',
    async run({ open }) {
      const storage = await open('advance');
      const sample = new Sample(27);
      const first = sample.events(1);
      const add = async (
        ranges: readonly (readonly [id: string, seq: number])[],
        n: number,
        events = first,
      ) =>
        code(
          await commitAny(storage, {
            events,
            advance: ranges.map(([id, seq]) => ({ id, epoch: 1, seq, count: 5 })),
            put: [['n', n]],
          }),
        );
      assertEqual(await add([['p', 1]], 1), 'ok', 'the next');
      assertEqual(
        await add([['p', 1]], 2, sample.events(1)),
        ['producer.gap', 6],
        'a range that was taken',
      );
      assertEqual(await add([['p', 7]], 3, sample.events(1)), ['producer.gap', 6], 'a gap');
      const both = [
        ['q', 1],
        ['p', 2],
      ] as const;
      assertEqual(await add(both, 4, sample.events(1)), ['producer.gap', 6], 'one of two');
      assertEqual(await storage.producer('q'), undefined, 'none of them moves then');
      assertEqual(
        [await storage.get('n'), (await readAll(storage)).length],
        [1, 1],
        'nor anything else',
      );
      assertEqual(await add([['p', 1]], 5), 'ok', 'the same events again are acknowledged');
      assertEqual(await storage.get('n'), 1, 'and change nothing');
      assertEqual(await add([], 6, []), 'ok', 'nothing to advance holds always');
      const moved = [
        ['q', 1],
        ['p', 6],
      ] as const;
      assertEqual(await add(moved, 7, []), 'ok', 'both right');
      assertEqual(await storage.producer('p'), { epoch: 1, seq: 10 }, 'each stands at its end');
    },
  },
  {
    name: 'an older epoch is fenced, and the newer one goes on in the same sequence',
    async run({ open }) {
      const storage = await open('fence');
      const sample = new Sample(25);
      const push = async (epoch: number, seq: number) =>
        code(await commitAny(storage, { events: sample.events(1), producer: { id: 'p', epoch, seq } }));
      assertEqual(await push(1, 1), 'ok', 'the old writer');
      assertEqual(await push(3, 2), 'ok', 'the new one');
      assertEqual(await push(2, 3), ['producer.fenced', 3], 'a stale one');
      assertEqual(await push(1, 1), ['producer.fenced', 3], 'also with a repeat');
      assertEqual(await push(3, 3), 'ok', 'the new one goes on');
    },
  },
  {
    name: 'a producer that repeats a sequence with other events is told that it has diverged',
    async run({ open }) {
      const storage = await open('diverge');
      const sample = new Sample(26);
      await commit(storage, { events: sample.events(3), producer: { id: 'p', epoch: 1, seq: 1 } });
      const other = sample.events(2);
      const result = await commitAny(storage, {
        events: other,
        producer: { id: 'p', epoch: 2, seq: 2 },
      });
      assertEqual(result.ok ? 'ok' : result.error.code, 'producer.diverged', 'it is not acknowledged');
      const fresh = await commitAny(storage, { events: other, producer: { id: 'q', epoch: 1, seq: 1 } });
      assertEqual(fresh.ok, true, 'as a new producer it loses nothing');
    },
  },
  {
    name: 'a sequence that a commit advances stands right before its range, or nothing of the commit happens',
    async run({ open }) {
      const storage = await open('advance');
      const sample = new Sample(27);
      const step = async (seqs: Readonly<Record<string, number>>, count = 1, epoch = 1) => {
        const advance = Object.entries(seqs).map(([id, seq]) => ({ id, epoch, seq, count }));
        return code(await commitAny(storage, { events: sample.events(1), advance, put: [['n', seqs]] }));
      };
      assertEqual(await step({ left: 1, right: 1 }, 3), 'ok', 'both start at 1');
      assertEqual(await step({ left: 4, right: 5 }), ['producer.gap', 4], 'one is ahead');
      assertEqual(
        await step({ left: 1, right: 1 }, 3),
        ['producer.gap', 4],
        'a range that was covered is no repeat',
      );
      assertEqual(await step({ left: 4 }, 1, 2), 'ok', 'a newer epoch goes on');
      assertEqual(await step({ left: 5 }), ['producer.fenced', 2], 'an older one is fenced');
      assertEqual((await readAll(storage)).length, 2, 'what was refused is not stored');
      assertEqual(await storage.get('n'), { left: 4 }, 'nor its values');
      const heads = [await storage.producer('left'), await storage.producer('right')];
      assertEqual(
        heads,
        [
          { epoch: 2, seq: 4 },
          { epoch: 1, seq: 3 },
        ],
        'the heads are where the accepted ones left them',
      );
    },
  },
];

function code(result: Awaited<ReturnType<Storage['commit']>>[number]): unknown {
  if (result.ok) return 'ok';
  const details = result.error.details as { expected?: number; current?: number };
  return [result.error.code, details.expected ?? details.current];
}
