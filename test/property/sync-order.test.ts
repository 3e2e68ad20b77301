import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { decodeLine, encodeLine } from '../../src/event/wire.ts';
import { groupCommits } from '../../src/storage/group-commit.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { Answers } from '../../workers/browser/answers.ts';
import { AppendOrder } from '../../workers/browser/append-order.ts';
import { CaptureBuffer } from '../../workers/browser/capture-buffer.ts';
import { outcomeOf, type Appended, type Outcome } from '../../workers/browser/worker-api.ts';
import { idsOf, shopEvents, SteppedPorts } from '../unit/sync-world.ts';

/** What a transaction does: after some turns of the loop it comes down, or fails, or fails after it came down. */
const transaction = fc.record({
  fate: fc.constantFrom('down', 'down', 'lost', 'applied' as const),
  turns: fc.nat(3),
});
const step = fc.constantFrom('capture', 'capture', 'send', 'sendAll', 'time' as const);

it('a page’s events stand in the log once, in the order of their captures, whatever transactions fail', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(transaction, { maxLength: 12 }),
      fc.array(step, { maxLength: 40 }),
      async (transactions, steps) => {
        const ports = new SteppedPorts();
        const memory = openMemory();
        const fates = [...transactions];
        const failing: Storage = Object.assign(Object.create(memory) as Storage, {
          commit: async (batch: Parameters<Storage['commit']>[0]) => {
            const { fate, turns } = fates.shift() ?? { fate: 'down', turns: 0 };
            for (let turn = 0; turn < turns; turn++) await turnOfTheLoop();
            const results = fate === 'lost' ? [] : await memory.commit(batch);
            if (fate === 'down') return results;
            throw new MillraceError('storage.failed', 'full', { log: 'device', operation: 'write' });
          },
        });
        const storage = groupCommits(failing);
        const order = new AppendOrder();
        const waiting = new Map<number, (outcome: Outcome<Appended>) => void>();
        const answers = new Answers(ports, (told) => {
          void turnOfTheLoop().then(() => {
            for (const [number, outcome] of told.answers) waiting.get(number)!(outcome);
          });
        });
        const buffer = new CaptureBuffer({
          ports,
          flushMs: 50,
          maxBatch: 3,
          send: ({ number, lines }, hurry): Promise<Appended> =>
            new Promise((resolve, reject) => {
              waiting.set(number, (outcome) => {
                if (outcome.ok) resolve(outcome.value);
                else reject(MillraceError.fromWire(outcome.error));
              });
              void outcomeOf(async () => {
                // The way to the worker, and back.
                await turnOfTheLoop();
                if (hurry) answers.hurry(number);
                return order.run(number, async () => {
                  const [result] = await storage.commit([{ events: lines.map(decodeLine) }]);
                  const positions = result!.ok ? result!.positions : [];
                  return { positions, failed: [], head: Math.max(...positions), shed: 0 };
                });
              }).then((outcome) => answers.add([number, outcome]));
            }),
          hurry: (number) => void turnOfTheLoop().then(() => answers.hurry(number)),
          onSettled: () => {},
          onTrouble: () => {},
        });
        const events = shopEvents(steps.length);
        let captured = 0;
        for (const each of steps) {
          if (each === 'capture') {
            const event = events[captured++]!;
            buffer.add(event.id, encodeLine(event), { urgent: false, brought: false });
          } else if (each === 'time') await ports.step();
          else buffer[each]();
        }
        buffer.send();
        await ports.until(() => buffer.held === 0);
        expect(await idsOf(memory)).toEqual(events.slice(0, captured).map(({ id }) => id));
      },
    ),
    {
      numRuns: 400,
      // The third is on its way while the first has come again, and the second has not.
      examples: [
        [[{ fate: 'lost', turns: 0 }], ['capture', 'sendAll', 'capture', 'time', 'capture', 'sendAll']],
      ],
    },
  );
});

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
