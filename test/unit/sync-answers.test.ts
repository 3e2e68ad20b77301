import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { Answers } from '../../workers/browser/answers.ts';
import type { Answer, LogStatus, Told } from '../../workers/browser/worker-api.ts';
import { settle, SteppedPorts } from './sync-world.ts';

const committed = (number: number): Answer => [
  number,
  { ok: true, value: { positions: [number + 1], failed: [], shed: 0 } },
];

const error = new MillraceError('event.conflict', 'other content', { id: 'a' }).toWire();

function world() {
  const ports = new SteppedPorts();
  const told: Told[] = [];
  const answers = new Answers(ports, (one) => told.push(one));
  /** The batches that each message answers. */
  const answered = () => told.map((one) => one.answers.map(([number]) => number));
  return { ports, told, answers, answered };
}

describe('answers to batches', () => {
  it('that nobody waits for go together, a little later', async () => {
    const { ports, answers, answered } = world();
    for (const number of [0, 1, 2]) answers.add(committed(number));
    expect(answered()).toEqual([]);
    await ports.step();
    expect(answered()).toEqual([[0, 1, 2]]);
    expect(ports.timers).toBe(0);
  });

  it('that nobody waits for go with the status that comes of them', () => {
    const { ports, told, answers } = world();
    const status = { committed: 2, waiting: 1 } as LogStatus;
    answers.add(committed(0));
    answers.add(committed(1));
    answers.status(status, 2);
    expect(told).toEqual([{ answers: [committed(0), committed(1)], status }]);
    expect(ports.timers).toBe(0);
  });

  it('bring a status that counts what they tell of, and that no older one takes back', async () => {
    const { told, answers } = world();
    answers.status({ committed: 10, waiting: 3 } as LogStatus, 0);
    answers.hurry(12);
    answers.add(committed(11));
    await settle();
    // It was read before the last batch came down.
    answers.status({ committed: 10, waiting: 2 } as LogStatus, 0);
    // The log has been emptied since.
    answers.status({ committed: 1, waiting: 1 } as LogStatus, 1);
    expect(told.map(({ status: { committed: all, waiting } }) => [all, waiting])).toEqual([
      [10, 3],
      [12, 5],
      [12, 4],
      [1, 1],
    ]);
  });

  it('go at once up to the batch that somebody waits for, whether it is committed by then or not', async () => {
    const { answers, answered } = world();
    answers.add(committed(0));
    answers.hurry(2);
    expect(answered()).toEqual([[0]]);
    for (const number of [1, 2, 3]) {
      answers.add(committed(number));
      await settle();
    }
    expect(answered()).toEqual([[0], [1], [2]]);
  });

  it('of one transaction are one message', async () => {
    const { answers, answered } = world();
    answers.hurry(2);
    for (const number of [0, 1, 2]) answers.add(committed(number));
    await settle();
    expect(answered()).toEqual([[0, 1, 2]]);
  });

  it.each([
    ['as a whole', [1, { ok: false, error }]],
    [
      'in one event',
      [1, { ok: true, value: { positions: [0], failed: [{ index: 0, error }], shed: 0 } }],
    ],
  ] as const)('go at once where a batch has failed %s, behind those before it', async (_, failed) => {
    const { answers, answered } = world();
    answers.add(committed(0));
    answers.add(failed);
    await settle();
    expect(answered()).toEqual([[0, 1]]);
  });
});
