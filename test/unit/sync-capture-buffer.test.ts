import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import {
  CaptureBuffer,
  captureLimits,
  type CaptureLimits,
  type Receipt,
} from '../../workers/browser/capture-buffer.ts';
import type { Appended, HandedBatch } from '../../workers/browser/worker-api.ts';
import { settle, SteppedPorts } from './sync-world.ts';

/** A worker that answers when it is told to. */
class SlowWorker {
  readonly batches: HandedBatch[] = [];
  readonly hurried: number[] = [];
  readonly #answers: ((appended: Appended | MillraceError) => void)[] = [];
  #lines = 0;

  append(batch: HandedBatch): Promise<Appended> {
    this.batches.push(batch);
    return new Promise((resolve, reject) => {
      this.#answers.push((answer) =>
        answer instanceof MillraceError ? reject(answer) : resolve(answer),
      );
    });
  }

  hurry(number: number): void {
    this.hurried.push(number);
  }

  get lines(): readonly (readonly string[])[] {
    return this.batches.map(({ lines }) => lines);
  }

  /** The first batch that is not answered: default, it is committed. */
  async answer(answer?: Appended | MillraceError): Promise<void> {
    const { lines } = this.batches[this.batches.length - this.#answers.length]!;
    const positions = lines.map(() => ++this.#lines);
    this.#answers.shift()!(answer ?? { positions, failed: [], shed: 0 });
    await settle();
  }
}

const refused = (): Appended => {
  const error = new MillraceError('event.conflict', 'other content', { id: 'a' }).toWire();
  return { positions: [0, 1], failed: [{ index: 0, error }], shed: 0 };
};

function world(limits: CaptureLimits = captureLimits, maxBatch = 2) {
  const ports = new SteppedPorts();
  const worker = new SlowWorker();
  const settled: { failed: number; code: string | undefined }[] = [];
  const buffer = new CaptureBuffer({
    ports,
    flushMs: 50,
    maxBatch,
    limits,
    link: worker,
    onSettled: ({ failed }) => settled.push({ failed: failed.length, code: failed[0]?.error.code }),
  });
  const capture = (id: string, priority: 2 | 4 = 2): Receipt => buffer.add({ id, line: id, priority });
  const add = (...ids: string[]): Receipt[] =>
    ids.map((id) => capture(id, limits === captureLimits ? 2 : 4));
  return { ports, worker, settled, buffer, capture, add };
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

async function failure(promise: Promise<void>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: MillraceError) => error.code,
  );
}

describe('what is captured is handed over', () => {
  it('when there is enough of it, in the order of the captures', () => {
    const { worker, add } = world();
    add('a', 'b', 'c', 'd', 'e');
    expect(worker.lines).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    expect(worker.batches.map(({ number }) => number)).toEqual([0, 1]);
  });

  it('when there are enough characters of it', () => {
    const { worker, add } = world();
    const long = 'x'.repeat(300_000);
    add(long);
    expect(worker.lines).toEqual([[long]]);
  });

  it('when its time is up, and the time of no earlier batch counts', async () => {
    const { ports, worker, add } = world();
    add('a');
    expect(worker.batches).toEqual([]);
    await ports.step();
    expect(worker.lines).toEqual([['a']]);
    add('b', 'c', 'd');
    expect(ports.timers).toBe(1);
    await ports.step();
    expect(worker.lines).toEqual([['a'], ['b', 'c'], ['d']]);
    expect(ports.timers).toBe(0);
  });

  it('at once where it is critical, with what was captured before it', () => {
    const { worker, capture, add } = world();
    add('a');
    capture('b', 4);
    capture('c', 4);
    expect(worker.lines).toEqual([['a', 'b'], ['c']]);
  });

  it('at the end of the task in which a receipt is awaited, with all of that task', async () => {
    const { worker, capture } = world(captureLimits, 100);
    void capture('a').then(() => {});
    capture('b');
    await settle();
    expect(worker.batches).toEqual([{ number: 0, lines: ['a', 'b'], hurry: true }]);
  });
});

describe('a receipt', () => {
  it('is the position of its event', async () => {
    const { worker, add } = world();
    const [a, b, c] = add('a', 'b', 'c');
    const all = Promise.all([a, b, c]);
    await settle();
    await worker.answer();
    await worker.answer();
    expect(await all).toEqual([
      { id: 'a', position: 1 },
      { id: 'b', position: 2 },
      { id: 'c', position: 3 },
    ]);
  });

  it('that is awaited while its batch is on its way makes it hurry, once', async () => {
    const { worker, add } = world();
    const [a, b] = add('a', 'b');
    expect(worker.batches[0]!.hurry).toBe(false);
    expect([await outcome(a!), await outcome(b!)]).toEqual(['pending', 'pending']);
    expect(worker.hurried).toEqual([0]);
  });

  it('rejects alone where its event was refused', async () => {
    const { worker, settled, add } = world();
    const [a, b] = add('a', 'b');
    await worker.answer(refused());
    expect([await outcome(a!), await outcome(b!)]).toEqual(['event.conflict', 'resolved']);
    expect(settled).toEqual([{ failed: 1, code: 'event.conflict' }]);
  });

  it('rejects with all of its batch where there is no worker any more: none is left pending', async () => {
    const { worker, settled, buffer, add } = world();
    const [a, b] = add('a', 'b');
    await worker.answer(new MillraceError('disposed', 'gone', { what: 'client' }));
    expect([await outcome(a!), await outcome(b!)]).toEqual(['disposed', 'disposed']);
    expect([settled, buffer.held]).toEqual([[{ failed: 2, code: 'disposed' }], 0]);
  });
});

describe('what a page holds', () => {
  it.each([
    ['events', { events: 4, characters: 1_000 }, 'capture.events'],
    ['characters', { events: 1_000, characters: 4 }, 'capture.characters'],
  ])('is bounded in %s: the newest are refused, the others stay', async (_, limits, limit) => {
    const { worker, buffer, add } = world(limits);
    add('a', 'b', 'c', 'd');
    expect(() => add('e')).toThrow(
      expect.objectContaining({
        code: 'limit.exceeded',
        details: { limit, maximum: 4, actual: 5 },
      }),
    );
    expect(buffer.held).toBe(4);
    await worker.answer();
    expect(add('e')).toHaveLength(1);
    expect(worker.lines).toEqual([['a'], ['b'], ['c'], ['d'], ['e']]);
  });

  it('is kept free of low priorities first', () => {
    const { capture, add } = world({ events: 10, characters: 1_000 });
    add('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    expect(() => capture('i')).toThrow(expect.objectContaining({ code: 'limit.exceeded' }));
    expect(capture('i', 4).id).toBe('i');
  });
});

describe('a flush', () => {
  it('hands over what is held, hurries it, and waits for it', async () => {
    const { worker, buffer, add } = world();
    add('a', 'b', 'c');
    const flushed = buffer.flush();
    expect([worker.lines, worker.hurried]).toEqual([[['a', 'b'], ['c']], [1]]);
    await worker.answer();
    expect(await outcome(flushed)).toBe('pending');
    add('d', 'e');
    await worker.answer();
    expect(await outcome(flushed)).toBe('resolved');
  });

  it('rejects with what was refused since the last, even before it was called, and only once', async () => {
    const { worker, buffer, add } = world();
    add('a', 'b');
    await worker.answer(refused());
    await expect(buffer.flush()).rejects.toMatchObject({ code: 'event.conflict' });
    await buffer.flush();
    add('c', 'd');
    const both = Promise.all([buffer.flush(), buffer.flush()].map(failure));
    await worker.answer(refused());
    expect(await both).toEqual(['event.conflict', 'event.conflict']);
    await buffer.flush();
  });

  it('tells of an event that was refused before it came into a batch', async () => {
    const { buffer } = world();
    const receipt = buffer.refuse('a', new MillraceError('disposed', 'gone', { what: 'client' }));
    expect([receipt.id, await outcome(receipt)]).toEqual(['a', 'disposed']);
    await expect(buffer.flush()).rejects.toMatchObject({ code: 'disposed' });
  });
});
