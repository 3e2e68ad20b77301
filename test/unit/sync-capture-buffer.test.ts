import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import {
  CaptureBuffer,
  type CaptureLimits,
  type Receipt,
} from '../../workers/browser/capture-buffer.ts';
import type { Appended } from '../../workers/browser/worker-api.ts';
import { settle, SteppedPorts } from './sync-world.ts';

const failed = (): MillraceError =>
  new MillraceError('storage.failed', 'the disk is full', { log: 'device', operation: 'write' });

/** A worker whose log keeps lines by their text, and fails as told. */
class FakeLog {
  readonly lines: string[] = [];
  calls = 0;
  /** For each call in turn: whether it fails, and whether its lines are in all the same. */
  faults: ('lost' | 'applied' | 'refused' | undefined)[] = [];
  always: 'lost' | undefined;

  async append(lines: readonly string[]): Promise<Appended> {
    this.calls++;
    const fault = this.faults.shift() ?? this.always;
    if (fault === 'refused') {
      const error = new MillraceError('event.conflict', 'other content', { id: lines[0]! }).toWire();
      return { positions: lines.map(() => 0), failed: [{ index: 0, error }], head: 0, shed: 0 };
    }
    if (fault !== 'lost')
      for (const line of lines) if (!this.lines.includes(line)) this.lines.push(line);
    if (fault !== undefined) throw failed();
    const positions = lines.map((line) => this.lines.indexOf(line) + 1);
    return { positions, failed: [], head: Math.max(...positions), shed: 0 };
  }
}

function world(limits?: CaptureLimits) {
  const ports = new SteppedPorts();
  const log = new FakeLog();
  const settled: { failed: number; code: string | undefined }[] = [];
  const buffer = new CaptureBuffer({
    ports,
    flushMs: 50,
    maxBatch: 2,
    ...(limits && { limits }),
    send: ({ lines }) => log.append(lines),
    hurry: () => {},
    onSettled: ({ failed }) => settled.push({ failed: failed.length, code: failed[0]?.error.code }),
    onTrouble: () => {},
  });
  const add = (...ids: string[]): Receipt[] =>
    ids.map((id) => buffer.add(id, id, { urgent: false, brought: false }));
  return { ports, log, settled, buffer, add };
}

/** What has become of a promise by now. */
async function outcome(promise: PromiseLike<unknown>): Promise<string> {
  let now = 'pending';
  promise.then(
    () => (now = 'resolved'),
    (error: { code: string }) => (now = error.code),
  );
  await settle();
  return now;
}

describe('a batch whose commit fails in the storage', () => {
  it.each(['lost', 'applied'] as const)(
    'is kept and tried again until it is in, once: %s',
    async (fault) => {
      const { ports, log, settled, buffer, add } = world();
      log.faults = [fault, fault, fault];
      const [a, b] = add('a', 'b');
      const flushed = buffer.flush();
      expect(await outcome(a!)).toBe('pending');
      expect(await outcome(flushed)).toBe('pending');
      expect(buffer.held).toBe(2);
      expect(buffer.trouble).toMatchObject({ code: 'storage.failed' });
      await ports.until(() => settled.length === 1);
      await flushed;
      expect([await a, await b]).toEqual([
        { id: 'a', position: 1 },
        { id: 'b', position: 2 },
      ]);
      expect(log.lines).toEqual(['a', 'b']);
      expect([settled, buffer.held, buffer.trouble]).toEqual([
        [{ failed: 0, code: undefined }],
        0,
        undefined,
      ]);
    },
  );

  it('keeps what is captured meanwhile behind it, in order', async () => {
    const { ports, log, buffer, add } = world();
    log.faults = ['lost', 'lost', 'lost', 'lost'];
    add('a', 'b');
    await settle();
    add('c', 'd');
    add('e');
    buffer.send();
    await ports.until(() => buffer.held === 0);
    expect(log.lines).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('comes before those that were captured after it, though it failed after them', async () => {
    const { ports, log, buffer, add } = world();
    let failFirst: (() => void) | undefined;
    const append = log.append.bind(log);
    log.append = async (lines) => {
      if (failFirst !== undefined) return append(lines);
      await new Promise<void>((resolve) => (failFirst = resolve));
      throw failed();
    };
    log.faults = ['lost'];
    add('a', 'b', 'c', 'd');
    await settle();
    failFirst!();
    await ports.until(() => buffer.held === 0);
    expect(log.lines).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is tried less and less often, every five seconds at the longest', async () => {
    const { ports, log, add } = world();
    log.always = 'lost';
    add('a', 'b');
    await settle();
    const start = ports.now();
    for (let step = 0; step < 200; step++) await ports.step();
    const each = (ports.now() - start) / log.calls;
    expect(each).toBeGreaterThan(1_000);
    expect(each).toBeLessThan(5_000);
  });

  it('is handed over at once, with all behind it, when the page goes away', async () => {
    const { log, buffer, add } = world();
    log.faults = ['lost'];
    add('a', 'b');
    await settle();
    add('c', 'd', 'e');
    buffer.sendAll();
    expect(log.lines).toEqual(['a', 'b', 'c', 'd', 'e']);
    await settle();
    expect(buffer.held).toBe(0);
  });

  it('is tried a last time at the end, and then its receipts reject: none is left pending', async () => {
    const { ports, log, buffer, settled, add } = world();
    log.always = 'lost';
    const [a] = add('a', 'b');
    const [c] = add('c');
    await settle();
    buffer.end();
    expect([await outcome(a!), await outcome(c!)]).toEqual(['storage.failed', 'storage.failed']);
    expect(settled.reduce((sum, { failed }) => sum + failed, 0)).toBe(3);
    expect(ports.timers).toBe(0);
  });
});

describe('what is captured while batches are on their way', () => {
  it('waits, and goes in one: two calls are under way at the most', async () => {
    const { log, buffer, add } = world();
    const batches: number[] = [];
    const answer: (() => void)[] = [];
    const append = log.append.bind(log);
    log.append = async (lines) => {
      batches.push(lines.length);
      await new Promise<void>((resolve) => answer.push(resolve));
      return append(lines);
    };
    const ids = Array.from({ length: 11 }, (_, n) => `event-${n}`);
    add(...ids);
    expect(batches).toEqual([2, 2]);
    for (const next of answer.splice(0)) next();
    await settle();
    expect(batches).toEqual([2, 2, 7]);
    for (const next of answer.splice(0)) next();
    await settle();
    expect([log.lines, buffer.held]).toEqual([ids, 0]);
  });
});

describe('what a page holds', () => {
  it.each([
    ['events', { events: 4, characters: 1_000 }, 'capture.events'],
    ['characters', { events: 1_000, characters: 4 }, 'capture.characters'],
  ])('is bounded in %s: the newest are refused, the others stay', async (_, limits, limit) => {
    const { ports, log, buffer, add } = world(limits);
    log.always = 'lost';
    add('a', 'b', 'c', 'd');
    await settle();
    expect(() => add('e')).toThrow(
      expect.objectContaining({
        code: 'limit.exceeded',
        details: { limit, maximum: 4, actual: 5 },
      }),
    );
    log.always = undefined;
    await ports.until(() => buffer.held === 0);
    expect(log.lines).toEqual(['a', 'b', 'c', 'd']);
    expect(add('e')).toHaveLength(1);
  });
});

describe('a flush', () => {
  it('rejects with what was refused since the last, even before it was called, and only once', async () => {
    const { log, buffer, add } = world();
    log.faults = ['refused'];
    add('a', 'b');
    await settle();
    await expect(buffer.flush()).rejects.toMatchObject({ code: 'event.conflict' });
    await buffer.flush();
    log.faults = ['refused'];
    add('c', 'd');
    const both = [buffer.flush(), buffer.flush()];
    expect(await Promise.all(both.map(outcome))).toEqual(['event.conflict', 'event.conflict']);
    await buffer.flush();
  });

  it('tells of an event that was refused before it came into a batch', async () => {
    const { buffer } = world();
    buffer.refused(new MillraceError('disposed', 'gone', { what: 'client' }).toWire());
    await expect(buffer.flush()).rejects.toMatchObject({ code: 'disposed' });
  });
});
