/** Laws of a log's life: apart from others, reopened, trimmed, compacted, closed. */
import { hasCode, isWireError, MillraceError } from '../../errors.ts';
import type { Query, Storage } from '../storage.ts';
import type { StoredEvent } from '../stored-event.ts';
import { assertEqual, assertRejects, LawBroken, type StorageLaw } from './law.ts';
import { commit, commitAny, readAll, Sample, shown, shownAt } from './sample.ts';

export const lifeLaws: readonly StorageLaw[] = [
  {
    name: 'two logs are apart',
    async run({ open }) {
      const [left, right] = [await open('left'), await open('right')];
      const sample = new Sample(60);
      const event = sample.event({ subject: 'cart' });
      const given = {
        events: [event],
        producer: { id: 'p', epoch: 1, seq: 1 },
        put: [['key', 'left']],
      } as const;
      await commit(left, given);
      assertEqual((await right.stats()).head, 0, 'the other log has no event');
      assertEqual(await right.get('key'), undefined, 'nor value');
      assertEqual(await right.version('cart'), 0, 'nor version');
      assertEqual((await commit(right, given)).repeated, false, 'nor producer');
      await right.trim(1);
      assertEqual(shown(await readAll(left)), shownAt(1, [event]), 'trimming one leaves the other');
    },
  },
  {
    name: 'a log that is opened again is as it was left',
    async run({ open, durable }) {
      if (!durable) return;
      const sample = new Sample(61);
      const events = [...sample.events(450), sample.event({ id: 'brought', subject: 'cart' })];
      const before = await open('again');
      await commit(before, { events, producer: { id: 'p', epoch: 2, seq: 1 }, put: [['k', [1]]] });
      const stats = await before.stats();
      await before.close();
      const after = await open('again');
      assertEqual(shown(await readAll(after, { limit: 200 })), shownAt(1, events), 'its events');
      assertEqual(await after.get('k'), [1], 'its values');
      assertEqual(await after.producer('p'), { epoch: 2, seq: 451 }, 'its producers');
      assertEqual(await after.version('cart'), 1, 'its versions');
      assertEqual(await after.stats(), stats, 'its figures');
      const more = sample.event();
      const result = await commit(after, { events: [more, events[3]!, events[450]!] });
      assertEqual(result.positions, [452, 4, 451], 'it goes on where it was, and knows its ids');
    },
  },
  {
    name: 'a log that is open twice is one log, whoever wrote last',
    async run({ open, durable }) {
      if (!durable) return;
      const sample = new Sample(68);
      const events = sample.events(9);
      const handles = [await open('twice'), await open('twice')] as const;
      for (const [i, event] of events.entries()) {
        // Two in a row by each, so that each comes to write behind the other, and behind itself.
        const { positions } = await commit(handles[(i >> 1) % 2]!, {
          events: [event],
          put: [['by', i]],
        });
        assertEqual(positions, [i + 1], 'each writes behind the other');
      }
      const claim = () => ({
        events: [sample.event({ subject: 'cart' })],
        expect: [{ subject: 'cart', version: 0 }],
      });
      const results = await Promise.all(handles.map((handle) => commitAny(handle, claim())));
      assertEqual(results.filter(({ ok }) => ok).length, 1, 'one of two that expect the same wins');
      const [known] = events;
      assertEqual(
        (await commit(handles[1], { events: [known!] })).positions,
        [1],
        'ids are known to both',
      );
      for (const handle of handles) {
        assertEqual((await handle.stats()).head, events.length + 1, 'both see the same head');
        assertEqual(await handle.get('by'), events.length - 1, 'and values');
        const read = (await readAll(handle)).slice(0, events.length);
        assertEqual(shown(read), shownAt(1, events), 'and events');
      }
    },
  },
  {
    name: 'trimming forgets the start, renumbers nothing and keeps versions and producers',
    async run({ open }) {
      const storage = await open('trim');
      const sample = new Sample(62);
      const events = [
        ...sample.events(8, { subject: 'cart' }),
        sample.event({ id: 'brought' }),
        ...sample.events(3),
      ];
      await commit(storage, { events: events.slice(0, 5), producer: { id: 'p', epoch: 1, seq: 1 } });
      for (const event of events.slice(5)) await commit(storage, { events: [event] });
      for (const until of [0, 3, 2, 9]) await storage.trim(until);
      assertEqual(
        shown(await readAll(storage)),
        shownAt(10, events.slice(9)),
        'what is left keeps its positions',
      );
      assertEqual(
        (await readAll(storage, { direction: 'backward', limit: 2 })).length,
        3,
        'backwards too',
      );
      assertEqual(
        (await storage.read({ id: events[0]!.id })).events,
        [],
        'what was trimmed is not found by id',
      );
      const { events: count, head, trimmed, bytes } = await storage.stats();
      const left = (await readAll(storage)).reduce((sum, { line }) => sum + line.length, 0);
      assertEqual([count, head, trimmed, bytes], [3, 12, 9, left], 'the figures say so');
      assertEqual(
        [await storage.version('cart'), await storage.producer('p')],
        [8, { epoch: 1, seq: 5 }],
        'heads stay',
      );
      const repeat = await commit(storage, {
        events: events.slice(0, 5),
        producer: { id: 'p', epoch: 1, seq: 1 },
      });
      assertEqual(repeat.repeated, true, 'a producer’s repeat stays a repeat');
      await storage.trim(99);
      const next = await commit(storage, { events: sample.events(1) });
      assertEqual(
        [next.positions, (await readAll(storage)).length],
        [[13], 1],
        'a log trimmed whole goes on',
      );
    },
  },
  {
    name: 'compaction changes no read',
    async run({ open }) {
      const storage = await open('compact');
      const sample = new Sample(63);
      const events = sample.events(500);
      for (let i = 0; i < events.length; i += 4)
        await commit(storage, { events: events.slice(i, i + 4) });
      await storage.trim(6);
      const before = await storage.stats();
      for (let steps = 0; await storage.compact(); steps++) {
        if (steps > 1000) throw new LawBroken('compaction does not end', steps, 'fewer steps');
      }
      const after = await storage.stats();
      assertEqual({ ...after, segments: 0 }, { ...before, segments: 0 }, 'the figures stay');
      if (after.segments > before.segments)
        throw new LawBroken('segments multiplied', after.segments, before.segments);
      assertEqual(
        shown(await readAll(storage, { limit: 99 })),
        shownAt(7, events.slice(6)),
        'all events stay',
      );
      for (const event of [events[7]!, events[256]!, events[499]!]) {
        assertEqual((await storage.read({ id: event.id })).events.length, 1, 'each is found by id');
        const alike = events.slice(6).filter(({ subject }) => subject === event.subject).length;
        if (event.subject !== undefined) {
          assertEqual(
            (await readAll(storage, { subject: event.subject })).length,
            alike,
            'and by subject',
          );
        }
      }
      assertEqual(
        (await commit(storage, { events: [events[100]!, sample.event()] })).positions,
        [101, 501],
        'it goes on',
      );
    },
  },
  {
    name: 'a listener hears of commits, until it is undone, and one that throws stops nothing',
    async run({ open }) {
      const storage = await open('listen');
      const sample = new Sample(64);
      let heard = 0;
      const undo = storage.onCommit((head) => (heard = head));
      await commit(storage, { events: sample.events(2) });
      assertEqual(heard, 2, 'it hears the head');
      undo();
      undo();
      await commit(storage, { events: sample.events(1) });
      assertEqual(heard, 2, 'it hears no more');
    },
  },
  {
    name: 'an error keeps its code and details across a structured clone',
    async run({ open }) {
      const storage = await open('errors');
      const sample = new Sample(65);
      const refused = { events: sample.events(1), expect: [{ subject: 'cart', version: 3 }] };
      const result = await commitAny(storage, refused);
      if (result.ok) throw new LawBroken('the commit was to be refused', result, 'version.conflict');
      const wire: unknown = structuredClone(result.error.toWire());
      if (!isWireError(wire)) throw new LawBroken('the clone is no error', wire, 'code and details');
      const { code, details } = MillraceError.fromWire(wire);
      assertEqual(
        [code, details],
        ['version.conflict', { subject: 'cart', expected: 3, actual: 0 }],
        'it says the same',
      );
    },
  },
  {
    name: 'a damaged event is named, and every other is read as itself',
    async run({ open, damage }) {
      if (damage === undefined) return;
      const storage = await open('damage');
      const sample = new Sample(67);
      const events = Array.from({ length: 40 }, (_, n) =>
        sample.event({ data: `the event number ${n}.` }),
      );
      await commit(storage, { events: events.slice(0, 25) });
      for (const event of events.slice(25)) await commit(storage, { events: [event] });
      for (const n of [0, 6, 7, 30]) await damage('damage', `the event number ${n}.`);
      const damaged = [1, 7, 8, 31];
      const left = shownAt(1, events) as (readonly [number, unknown])[];
      const sound = left.filter(([position]) => !damaged.includes(position));
      for (const limit of [3, 100]) {
        const forward = await readAround(storage, { limit });
        assertEqual([forward.damaged, shown(forward.events)], [damaged, sound], 'forwards');
        const backward = await readAround(storage, { limit, direction: 'backward' });
        const [at, others] = [damaged.toReversed(), sound.toReversed()];
        assertEqual([backward.damaged, shown(backward.events)], [at, others], 'backwards');
      }
      await assertRejects(
        () => storage.read({ id: events[6]!.id }),
        'storage.corrupt',
        'by its id it is named',
      );
      assertEqual(
        (await storage.read({ id: events[9]!.id })).events.length,
        1,
        'another is found by its id',
      );
      assertEqual(
        (await commit(storage, { events: [events[6]!] })).positions,
        [7],
        'it is not stored twice',
      );
      while (await storage.compact());
      assertEqual(
        (await readAround(storage, {})).damaged,
        damaged,
        'compaction neither heals nor spreads it',
      );
      await storage.trim(9);
      assertEqual((await readAround(storage, {})).damaged, [31], 'trimming goes past it');
    },
  },
  {
    name: 'an opening that fails is reported',
    async run({ openBroken }) {
      if (openBroken === undefined) return;
      await assertRejects(openBroken, 'storage.open-failed', 'the opening must reject');
    },
  },
  {
    name: 'a closed storage rejects whatever it is asked, and closing again does nothing',
    async run({ open }) {
      const storage = await open('closed');
      const sample = new Sample(66);
      await commit(storage, { events: sample.events(1) });
      await storage.close();
      await storage.close();
      const asked = [
        () => storage.commit([{ events: sample.events(1) }]),
        () => storage.read({}),
        () => storage.get('k'),
        () => storage.list(''),
        () => storage.producer('p'),
        () => storage.version('s'),
        () => storage.trim(1),
        () => storage.compact(),
        () => storage.stats(),
      ];
      for (const ask of asked)
        await assertRejects(ask, 'storage.closed', 'a closed storage answers nothing');
    },
  },
];

/** Reads everything, going on after each damaged event. */
async function readAround(storage: Storage, query: Query) {
  const events: StoredEvent[] = [];
  const damaged: number[] = [];
  const bound = query.direction === 'backward' ? 'before' : 'after';
  for (let at: number | undefined; ;) {
    try {
      const page = await storage.read({ ...query, [bound]: at });
      events.push(...page.events);
      at = page.next;
      if (!page.more) return { events, damaged };
    } catch (error) {
      if (!hasCode(error, 'storage.corrupt')) throw error;
      at = error.details.position;
      damaged.push(at);
    }
  }
}
