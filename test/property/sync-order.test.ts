import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { groupCommits } from '../../src/storage/group-commit.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { Answers } from '../../workers/browser/answers.ts';
import { CaptureBuffer, captureLimits } from '../../workers/browser/capture-buffer.ts';
import { DeviceAppends } from '../../workers/browser/device-appends.ts';
import { DeviceBudget } from '../../workers/browser/device-budget.ts';
import { Intake } from '../../workers/browser/intake.ts';
import { outcomeOf, type Appended, type Outcome } from '../../workers/browser/worker-api.ts';
import { idsOf, shopEvents, SteppedPorts } from '../unit/sync-world.ts';

/** What a transaction does: after some turns of the loop it comes down, or fails, or fails after it came down. */
const transaction = fc.record({
  fate: fc.constantFrom('down', 'down', 'lost', 'applied' as const),
  turns: fc.nat(3),
});
const step = fc.constantFrom('capture', 'capture', 'send', 'time' as const);

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
        const appends = new DeviceAppends({ storage, budget: new DeviceBudget(), onFull: () => {} });
        const intake = new Intake(
          ports,
          (batches) => appends.append(batches, 0),
          () => {},
        );
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
          limits: captureLimits,
          link: {
            append: (batch) =>
              new Promise((resolve, reject) => {
                waiting.set(batch.number, (outcome) => {
                  if (outcome.ok) resolve(outcome.value);
                  else reject(MillraceError.fromWire(outcome.error));
                });
                void outcomeOf(async () => {
                  // The way to the worker, and back.
                  await turnOfTheLoop();
                  if (batch.hurry) answers.hurry(batch.number);
                  return intake.add(batch);
                }).then((outcome) => answers.add([batch.number, outcome]));
              }),
            hurry: (number) => void turnOfTheLoop().then(() => answers.hurry(number)),
          },
          onSettled: () => {},
        });
        const events = shopEvents(steps.length);
        let captured = 0;
        for (const each of steps) {
          if (each === 'capture') {
            const event = events[captured++]!;
            buffer.add({ ...event, line: encodeLine(event) });
          } else if (each === 'time') await ports.step();
          else buffer.send();
        }
        buffer.send();
        await ports.until(() => buffer.held === 0);
        expect(await idsOf(memory)).toEqual(events.slice(0, captured).map(({ id }) => id));
      },
    ),
    { numRuns: 400 },
  );
});

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
