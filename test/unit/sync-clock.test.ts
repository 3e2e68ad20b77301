import { afterEach, describe, expect, it } from 'vitest';
import { decodeLine } from '../../src/event/wire.ts';
import { formatTimestamp } from '../../src/event/timestamp.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { ClockSkew } from '../../src/sync/clock-skew.ts';
import { Pusher } from '../../src/sync/pusher.ts';
import { faultyTransport, idsOf, MemoryEdge, shopEvents, SteppedPorts } from './sync-world.ts';

const DAY = 86_400_000;
const running: Pusher[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((pusher) => pusher.stop()));
});

describe('the skew', () => {
  it('is unknown before the first round trip, and then the middle of the shortest of the last eight', () => {
    const skew = new ClockSkew();
    expect(skew.ms).toBeUndefined();
    skew.sample(1000, 1400, 6300);
    expect(skew.ms).toBe(5100);
    skew.sample(2000, 2010, 7005);
    skew.sample(3000, 3900, 8100);
    expect(skew.ms).toBe(5000);
    for (let at = 4000; at < 12_000; at += 1000) skew.sample(at, at + 200, at + 5150);
    expect(skew.ms).toBe(5050);
  });

  it('follows a clock that is set: what was measured before it no longer counts', () => {
    const skew = new ClockSkew();
    skew.sample(0, 10, 5);
    skew.sample(DAY + 1000, DAY + 1400, 1200);
    expect(skew.ms).toBe(-DAY);
  });

  it('learns nothing from a round trip in which this clock was set back', () => {
    const skew = new ClockSkew();
    skew.sample(1000, 900, 5000);
    expect(skew.ms).toBeUndefined();
  });
});

describe('a device whose clock is a day ahead', () => {
  it('keeps order and times as they were captured, and tells the edge once how far it is off', async () => {
    const ports = new SteppedPorts();
    const edge = new MemoryEdge();
    const storage = openMemory();
    const events = shopEvents(40, ports);
    const inner = faultyTransport(edge);
    const pusher = new Pusher({
      storage,
      ports,
      limits: { events: 4 },
      transport: {
        ...inner,
        push: async (push) => ({
          ...(await inner.push(push)),
          time: formatTimestamp(ports.now() - DAY),
        }),
      },
    }).start();
    running.push(pusher);
    await storage.commit([{ events }]);
    await ports.until(() => pusher.status.state === 'idle' && edge.pushes.length > 0);
    expect(pusher.status.skewMs).toBe(-DAY);
    expect(edge.pushes.map(({ skewMs }) => skewMs).filter((told) => told !== undefined)).toEqual([-DAY]);
    expect(await idsOf(edge.storage)).toEqual(events.map(({ id }) => id));
    const times = edge.pushes.flatMap(({ lines }) => lines.map((line) => decodeLine(line).timestamp));
    expect(times).toEqual(events.map(({ timestamp }) => timestamp));
  });
});
