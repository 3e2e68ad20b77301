/** A log whose old segments are archived, against a list, whatever fails, lies or is cut off at whatever step. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { assertEqual } from '../../src/storage/laws/law.ts';
import { archiveAll, EVERYTHING } from '../conformance/drivers/archived.ts';
import { ArchiveWorld, eventOf, type Fault } from './archive-world.ts';

type Step =
  | { readonly do: 'commit'; readonly count: number }
  | { readonly do: 'archive' }
  | { readonly do: 'compact' }
  | { readonly do: 'reopen' }
  | { readonly do: 'read' }
  | { readonly do: 'again'; readonly number: number }
  | { readonly do: 'find'; readonly number: number }
  | { readonly do: 'erase'; readonly from: number; readonly count: number }
  | { readonly do: 'trim'; readonly until: number }
  | { readonly do: 'faults'; readonly faults: Fault[] }
  | { readonly do: 'sql fault'; readonly at: number };

const fault = fc.constantFrom<Fault>(
  ...(['well', 'refused', 'unanswered', 'killed before', 'killed after', 'nothing', 'wrong'] as const),
);
const of = <T extends Step>(weight: number, fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => ({
  weight,
  arbitrary: fc.record(fields) as unknown as fc.Arbitrary<Step>,
});
const name = <T extends string>(value: T) => fc.constant(value);
const step = fc.oneof(
  of<Extract<Step, { do: 'commit' }>>(5, { do: name('commit'), count: fc.integer({ min: 1, max: 12 }) }),
  { weight: 6, arbitrary: fc.constant<Step>({ do: 'archive' }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Step>({ do: 'compact' }, { do: 'reopen' }, { do: 'read' }),
  },
  of<Extract<Step, { do: 'again' }>>(2, { do: name('again'), number: fc.nat(60) }),
  of<Extract<Step, { do: 'find' }>>(2, { do: name('find'), number: fc.nat(60) }),
  of<Extract<Step, { do: 'erase' }>>(2, {
    do: name('erase'),
    from: fc.integer({ min: 1, max: 60 }),
    count: fc.integer({ min: 1, max: 10 }),
  }),
  of<Extract<Step, { do: 'trim' }>>(1, { do: name('trim'), until: fc.nat(30) }),
  of<Extract<Step, { do: 'faults' }>>(4, {
    do: name('faults'),
    faults: fc.array(fault, { minLength: 1, maxLength: 4 }),
  }),
  of<Extract<Step, { do: 'sql fault' }>>(2, {
    do: name('sql fault'),
    at: fc.integer({ min: 1, max: 60 }),
  }),
);

async function take(world: ArchiveWorld, one: Step, toErase: [number, number][]): Promise<void> {
  const { length: head } = world.texts;
  if (one.do === 'commit') await world.commit(one.count);
  else if (one.do === 'archive') await world.archiveStep();
  else if (one.do === 'compact') await world.attempt(() => world.storage.compact());
  else if (one.do === 'reopen') {
    world.calm();
    world.open();
  } else if (one.do === 'faults') world.archive.faults = one.faults;
  else if (one.do === 'sql fault') world.sqlFaultIn = one.at;
  else if (one.do === 'trim') {
    const until = Math.min(one.until, head);
    const trimmed = await world.attempt(async () => {
      await world.storage.trim(until);
      return true;
    });
    if (trimmed) world.trimmed = Math.max(world.trimmed, until);
  } else if (one.do === 'erase') {
    const [from, to] = [one.from, Math.min(one.from + one.count - 1, head)];
    if (from <= to && !(await world.erase(from, to))) toErase.push([from, to]);
  } else if (one.do === 'read') {
    const read = await world.attempt(() => world.readAll(3));
    if (read !== undefined && toErase.length === 0) assertEqual(read, world.expected(), 'what is read');
  } else if (one.do === 'again' || one.do === 'find') {
    const known = one.number < head && one.number >= world.trimmed;
    if (!known || world.erased.has(one.number + 1) || toErase.length > 0) return;
    const event = eventOf(one.number);
    if (one.do === 'find') {
      const page = await world.attempt(() => world.storage.read({ id: event.id }));
      if (page !== undefined)
        assertEqual(
          page.events.map(({ position }) => position),
          [one.number + 1],
          'where it is found',
        );
    } else {
      const results = await world.attempt(() => world.storage.commit([{ events: [event] }]));
      if (results !== undefined)
        assertEqual(
          results[0],
          { ok: true, duplicates: 1, positions: [one.number + 1], repeated: false },
          'what came again',
        );
    }
  }
}

describe('a log with an archive', () => {
  it('loses, doubles and reorders nothing, and leaves nothing behind, whatever fails at whatever step', async () => {
    let [moved, failed] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = new ArchiveWorld();
        const toErase: [number, number][] = [];
        for (const one of steps) {
          await take(world, one, toErase);
          // What is referred to is there, at every moment.
          for (const object of world.referred())
            expect(world.archive.kept.objects.has(object)).toBe(true);
          failed += world.unsettled;
        }
        world.calm();
        for (const [from, to] of toErase) expect(await world.erase(from, to)).toBe(true);
        await archiveAll(world.storage);
        moved += world.storage.archived().segments;
        expect([...world.archive.kept.objects.keys()].toSorted()).toEqual(world.referred());
        expect(world.storage.archived().segments).toBe(world.segments);
        expect(await world.readAll(7)).toEqual(world.expected());
        expect(await world.readAll(100, 'backward')).toEqual(world.expected().toReversed());
        const texts = [...world.archive.kept.objects.values()].map((each) =>
          new TextDecoder().decode(each),
        );
        for (const position of world.erased)
          for (const text of texts) expect(text).not.toContain(`text-${position - 1}-of`);
      }),
      { numRuns: 300 },
    );
    // The faults were met, and the archive was used.
    expect(Math.min(moved, failed)).toBeGreaterThan(100);
  }, 60_000);

  it('loses nothing when it is cut off at each step of an archiving in turn', async () => {
    const events = 40;
    for (const kind of [
      'refused',
      'unanswered',
      'killed before',
      'killed after',
      'nothing',
      'wrong',
    ] as const) {
      for (let call = 0; call < 3; call++) {
        const world = new ArchiveWorld();
        for (let i = 0; i < 4; i++) await world.commit(events / 4);
        world.archive.faults = [...Array<Fault>(call).fill('well'), kind];
        await world.archiveStep();
        const lies = kind === 'nothing' || kind === 'wrong';
        const noticed = call < 2;
        expect([kind, call, world.storage.archived().segments]).toEqual([kind, call, noticed ? 0 : 4]);
        // A delete alone cannot lie, and is not asked for before the second step.
        if (call === 2 && lies) continue;
        world.calm();
        expect(await world.readAll(9)).toEqual(world.expected());
        await archiveAll(world.storage);
        expect(world.archive.kept.objects.size).toBe(1);
        expect(await world.readAll(9)).toEqual(world.expected());
      }
    }
  });

  it('loses nothing at whatever call into its database an archiving fails', async () => {
    for (let call = 1; ; call++) {
      const world = new ArchiveWorld();
      for (let i = 0; i < 3; i++) await world.commit(5);
      world.sqlFaultIn = call;
      const done = await world.attempt(() => world.storage.archive(EVERYTHING));
      if (world.sqlFaultIn !== Infinity) break;
      expect(done).toBeUndefined();
      expect(await world.readAll(4)).toEqual(world.expected());
      await archiveAll(world.storage);
      expect(world.archive.kept.objects.size).toBe(1);
      expect(await world.readAll(4)).toEqual(world.expected());
      expect(call).toBeLessThan(100);
    }
  });

  it.each<[Fault, string]>([
    ['refused', 'unreachable'],
    ['unanswered', 'unreachable'],
    ['nothing', 'missing'],
    ['wrong', 'changed'],
  ])(
    'answers a read with a typed error where the archive is %s, and reads again afterwards',
    async (kind, reason) => {
      const world = new ArchiveWorld();
      await world.commit(20);
      await archiveAll(world.storage);
      await world.commit(5);
      const calls = world.archive.calls;
      world.archive.faults = Array<Fault>(50).fill(kind);
      const error = await Promise.resolve(world.storage.read({ limit: 5 })).catch(
        (thrown: unknown) => thrown,
      );
      expect(hasCode(error, 'storage.archive-failed') && error.details).toMatchObject({
        position: 1,
        reason,
      });
      expect(world.archive.calls).toBe(calls + 1);
      // What is here is read, and written to, as ever.
      expect((await world.storage.read({ after: 20 })).events).toHaveLength(5);
      expect((await world.storage.commit([{ events: [eventOf(25)] }]))[0]).toMatchObject({ ok: true });
      world.calm();
      expect(await world.readAll(8)).toHaveLength(26);
    },
  );
});
