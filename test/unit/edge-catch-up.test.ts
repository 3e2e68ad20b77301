import { describe, expect, it } from 'vitest';
import { makeEvent } from '../../src/event/event.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { eventsPerMinute } from '../../src/windows/events-per-minute.ts';
import { WindowedView } from '../../src/windows/windowed-view.ts';
import { catchUpWithHead } from '../../workers/edge/catch-up.ts';

let made = 0;
const events = (count: number) =>
  Array.from({ length: count }, () =>
    makeEvent({ id: `e-${made++}`, type: 'a.b', data: null, timestamp: 0, source: 's', priority: 2 }),
  );

function world() {
  const storage = openMemory();
  const view = new WindowedView(storage, eventsPerMinute);
  const counted = async () => (await view.read())[0]?.value.count ?? 0;
  const log: string[] = [];
  const options = {
    producer: 'window/events-per-minute',
    step: async () => {
      log.push('step');
      await view.catchUp({ limit: 10 });
    },
    turn: async () => void log.push('turn'),
  };
  return { storage, log, counted, options };
}

describe('catching up with the head', () => {
  it('gives others a turn between its steps, and is caught up', async () => {
    const { storage, log, counted, options } = world();
    await storage.commit([{ events: events(35) }]);
    await catchUpWithHead(storage, options);
    expect(log).toEqual(['step', 'turn', 'step', 'turn', 'step', 'turn', 'step']);
    expect(await counted()).toBe(35);
    await catchUpWithHead(storage, options);
    expect(log).toHaveLength(7);
  });

  it('ends, though others commit at each of their turns', async () => {
    const { storage, log, counted, options } = world();
    await storage.commit([{ events: events(20) }]);
    const turn = async () => void (await storage.commit([{ events: events(100) }]));
    await catchUpWithHead(storage, { ...options, turn });
    expect(log).toHaveLength(2);
    expect(await counted()).toBeGreaterThanOrEqual(20);
  });

  it('ends where a step comes no further', async () => {
    const { storage, log, options } = world();
    await storage.commit([{ events: events(20) }]);
    const step = async () => void log.push('step');
    await catchUpWithHead(storage, { ...options, step });
    expect(log).toEqual(['step']);
  });
});
