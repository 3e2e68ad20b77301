/** The client's parts: what it asks for, how it cuts it up, and how it reads a stream. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { topicMatches } from '../../src/bus/topic-pattern.ts';
import { makeEvent } from '../../src/event/event.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { compileCondition } from '../../src/routing/condition.ts';
import { batchesOf } from '../../src/service/batches.ts';
import { queryOf, selectionOf } from '../../src/service/choice.ts';
import { readServerSentEvents, type ServerSentEvent } from '../../src/service/server-sent-events.ts';

const event = (fields: { id?: string; type?: string; data?: unknown } = {}) =>
  makeEvent({
    ...{ id: 'e-1', type: 'order.placed', data: null, timestamp: 0, source: 'test', priority: 2 },
    ...fields,
  });

describe('a choice', () => {
  test('by topic patterns selects at the edge all that they match', () => {
    const word = fc.constantFrom('a', 'b', 'order', '\\x', 'a*b');
    const part = fc.oneof({ weight: 2, arbitrary: word }, fc.constantFrom('*', '#'));
    const words = fc.array(fc.constantFrom('a', 'b', 'order', '\\x'), { minLength: 1, maxLength: 5 });
    const patterns = fc.array(
      fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.')),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(patterns, words, (given, of) => {
        const types = given.filter((one) => !one.includes('a*b'));
        fc.pre(types.length > 0);
        const type = of.join('.');
        const selection = selectionOf(types);
        const selects =
          'types' in selection
            ? selection.types.includes(type)
            : compileCondition(selection.pattern)(event({ type }));
        const matches = types.some((one) => topicMatches(one, type));
        expect([type, types, selects || !matches]).toEqual([type, types, true]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('by plain types selects them alone, however many; `*` alone is one word, not all', () => {
    expect(selectionOf(['a', 'b'])).toEqual({ types: ['a', 'b'] });
    const many = Array.from({ length: 101 }, (_, i) => `t${i}`);
    expect(selectionOf(many)).toEqual({ pattern: { type: many } });
    expect(selectionOf(['#'])).toEqual({ pattern: { type: [{ exists: true }] } });
  });

  test('is written as a query', () => {
    expect(queryOf({})).toBe('');
    expect(queryOf({ types: ['a b', 'c'], source: 'ü', from: 0 })).toBe(
      'type=a%20b&type=c&source=%C3%BC&from=1970-01-01T00%3A00%3A00.000Z',
    );
    expect(decodeURIComponent(queryOf({ types: 'order.#' }))).toBe(
      'pattern={"type":[{"wildcard":"order*"}]}',
    );
  });
});

test('batches hold all events in their order, within their bounds, and an event beyond them alone', () => {
  const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 30 });
  const limits = fc.record({
    events: fc.integer({ min: 1, max: 6 }),
    bytes: fc.integer({ min: 1, max: 900 }),
  });
  fc.assert(
    fc.property(texts, limits, (given, bounds) => {
      const events = given.map((text, i) => event({ id: `e-${i}`, data: text.toWellFormed() }));
      const batches = batchesOf(events, bounds);
      const bodies = batches.map(({ body }) => JSON.parse(body) as { id: string }[]);
      expect(bodies.flat().map(({ id }) => id)).toEqual(events.map(({ id }) => id));
      for (const [i, { body, count }] of batches.entries()) {
        expect(count).toBe(bodies[i]!.length);
        expect(count).toBeLessThanOrEqual(bounds.events);
        expect(count === 1 || Buffer.byteLength(body) <= bounds.bytes).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
  expect(() => batchesOf([event({ data: 'x'.repeat(300_000) })])).toThrow('the limit is');
});

describe('server-sent events', () => {
  async function readAll(chunks: readonly Uint8Array[]): Promise<ServerSentEvent[]> {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });
    const found: ServerSentEvent[] = [];
    for await (const one of readServerSentEvents(stream, (reading) => reading)) found.push(one);
    return found;
  }

  test('are the same however the bytes are cut, and whatever ends their lines', async () => {
    const text = fc.string({ unit: 'grapheme' }).map((given) => given.replaceAll(/[\r\n\0]/g, ' '));
    const frame = fc.record({ id: text, event: text, data: fc.array(text, { maxLength: 3 }) });
    const given = fc.tuple(
      fc.array(frame, { maxLength: 6 }),
      fc.constantFrom('\n', '\r', '\r\n'),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(given, async ([frames, end, sizes]) => {
        const lines = frames.flatMap(({ id, event, data }) => [
          ...['retry: 1000', ': comment', `id: ${id}`, `event: ${event}`],
          ...[...data.map((one) => `data: ${one}`), ''],
        ]);
        const bytes = new TextEncoder().encode(lines.map((line) => line + end).join('') + end);
        const chunks: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length]!;
          chunks.push(bytes.slice(at, at + size));
          at += size;
        }
        const wanted = frames.map(({ id, event, data }) => ({
          id: new TextDecoder().decode(new TextEncoder().encode(id)),
          event: event === '' ? 'message' : new TextDecoder().decode(new TextEncoder().encode(event)),
          ...(data.length > 0 && {
            data: new TextDecoder().decode(new TextEncoder().encode(data.join('\n'))),
          }),
        }));
        expect(await readAll(chunks)).toEqual(wanted);
      }),
      { numRuns: 300 },
    );
  });

  test('an event that has not ended is none, and one without an end is refused', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(await readAll([bytes('id: 1\ndata: x\n')])).toEqual([]);
    await expect(readAll([bytes(`data: ${'x'.repeat(1_100_000)}`)])).rejects.toThrow(RangeError);
  });

  test('a line comes back as it was', async () => {
    const line = encodeLine(event({ data: { text: 'a\u2028b\tc' } }));
    const frames = await readAll([new TextEncoder().encode(`id: 12\nevent: event\ndata: ${line}\n\n`)]);
    expect(frames).toEqual([{ id: '12', event: 'event', data: line }]);
  });
});
