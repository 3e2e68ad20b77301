/** What the command line shows: tables, trees, colours, and nothing that a terminal would obey. */
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeEvent } from '../../src/event/event.ts';
import { eventColumns, eventRow } from '../../workers/cli/output/event-rows.ts';
import { createOutput, hasColours } from '../../workers/cli/output/output.ts';
import { safeJson, safeText } from '../../workers/cli/output/safe-text.ts';
import { formatTable, widthOf } from '../../workers/cli/output/table.ts';
import { formatTrace, type ShownTrace } from '../../workers/cli/output/trace-tree.ts';

const plain = { paint: (_: string, text: string) => text };

const order = makeEvent({
  id: 'o-1',
  type: 'order.placed',
  data: { total: 30, note: 'Grüße 🏁 世界' },
  timestamp: 0,
  source: 'till',
  priority: 2,
  subject: 'order-1',
});

describe('a table', () => {
  test('has its columns below each other, wide characters among them', () => {
    const rows = [order, makeEvent({ ...order, id: 'o-2', source: '世界', subject: undefined })];
    const table = formatTable(
      eventColumns,
      rows.map((event) => eventRow(event, plain)),
    );
    expect(table).toMatchInlineSnapshot(`
      "TIME                      TYPE          SOURCE  ABOUT    ID   DATA
      1970-01-01T00:00:00.000Z  order.placed  till    order-1  o-1  {"total":30,"note":"Grüße 🏁 世界"}
      1970-01-01T00:00:00.000Z  order.placed  世界             o-2  {"total":30,"note":"Grüße 🏁 世界"}"
    `);
  });

  test('is cut where the terminal ends, and its columns stand where they stand, whatever is in them', () => {
    const cell = fc.string({ maxLength: 12, unit: 'grapheme' }).map((text) => safeText(text).trim());
    const rows = fc.array(fc.tuple(cell, cell, cell), { maxLength: 8 });
    const columns = [{ name: 'A' }, { name: 'B', align: 'right' }, { name: 'C' }] as const;
    fc.assert(
      fc.property(rows, fc.integer({ min: 4, max: 60 }), (rows, width) => {
        const lines = formatTable(columns, rows, { width }).split('\n');
        expect(lines).toHaveLength(rows.length + 1);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
        const whole = formatTable(columns, rows).split('\n');
        const first = Math.max(1, ...rows.map(([a]) => widthOf(a)));
        for (const [i, [a]] of rows.entries())
          expect(
            whole[i + 1]!.startsWith(a + ' '.repeat(first - widthOf(a))) || whole[i + 1] === a,
          ).toBe(true);
      }),
    );
  });

  test('is cut behind its colours, which it keeps and ends', () => {
    const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;
    const cut = formatTable([{ name: 'A' }], [[red('abcdefgh')]], { width: 5 }).split('\n')[1]!;
    expect(cut).toBe('\u001b[31mabcd\u001b[39m…');
  });
});

/** What a terminal obeys: controls of both sets, and marks that turn the direction of text. */
const commands = fc
  .oneof(
    fc.integer({ min: 0, max: 0x1f }),
    fc.integer({ min: 0x7f, max: 0x9f }),
    fc.integer({ min: 0x202a, max: 0x202e }),
    fc.integer({ min: 0x2066, max: 0x2069 }),
  )
  .map((code) => String.fromCharCode(code));

test('nothing that is shown moves the cursor, colours, rings or turns the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.oneof(commands, fc.string({ maxLength: 1 })) }), (text) => {
      for (const shown of [safeText(text), safeJson(text), safeJson({ [text]: text })]) {
        expect(stripVTControlCharacters(shown)).toBe(shown);
        // oxlint-disable-next-line no-control-regex -- these are meant
        expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      }
      expect(JSON.parse(safeJson(text))).toBe(text);
    }),
  );
});

test('a trace is a tree of causes, each with its deliveries', () => {
  const delivery = { service_name: 'shipping', sequence: 3, status: 'delivered', attempts: 2 };
  const node = (id: string, depth: number, more: object = {}) => ({
    ...{ id, depth, type: `${id}.happened`, source: 'shop', after_start_ms: depth * 10 },
    deliveries: [],
    ...more,
  });
  const trail = [{ error: 'no answer', latency_ms: 15_000 }];
  const trace: ShownTrace = {
    trace_ids: [],
    truncated: false,
    events: [
      node('click', 0),
      node('order', 1, { deliveries: [{ ...delivery, trail: [{ status: 204, latency_ms: 12 }] }] }),
      node('parcel', 2, { deliveries: [{ ...delivery, status: 'dead', attempts: 9, trail }] }),
      node('label', 3),
      node('mail', 2),
      node('visit', 1),
      { id: 'gone', depth: 0, missing: true, deliveries: [] },
      node('loop', 1, { circular: true }),
    ],
  };
  expect(formatTrace(trace, plain)).toMatchInlineSnapshot(`
    "EVENT                               TIME  SOURCE  ID
    click.happened                     +0 ms  shop    click
    ├─ order.happened                 +10 ms  shop    order
    │  │  → shipping #3  delivered  2 attempts  204 in 12 ms
    │  ├─ parcel.happened             +20 ms  shop    parcel
    │  │  │  → shipping #3  dead  9 attempts  no answer in 15000 ms
    │  │  └─ label.happened           +30 ms  shop    label
    │  └─ mail.happened               +20 ms  shop    mail
    └─ visit.happened                 +10 ms  shop    visit
    missing                                           gone
    └─ loop.happened (its own cause)  +10 ms  shop    loop"
  `);
});

describe('colours', () => {
  const stream = (more: object) => Object.assign(new PassThrough(), more);

  test('are for a terminal that has them, alone', async () => {
    const text = async (more: object): Promise<string> => {
      const out = stream(more);
      const output = createOutput({ json: false, out: out as never, err: out as never });
      await output.line(output.paint('red', 'dead'));
      return String(out.read());
    };
    expect(await text({})).toBe('dead\n');
    expect(await text({ isTTY: true, hasColors: () => false })).toBe('dead\n');
    expect(await text({ isTTY: true, hasColors: () => true })).toBe('\u001b[31mdead\u001b[39m\n');
    expect(hasColours(stream({ hasColors: () => true }) as never)).toBe(false);
  });

  test('a reader that is slow is waited for', async () => {
    const out = new PassThrough({ highWaterMark: 4 });
    const output = createOutput({ json: true, out: out as never, err: out as never });
    let written = false;
    const writing = output.value({ long: 'enough' }).then(() => (written = true));
    await new Promise((done) => setImmediate(done));
    expect(written).toBe(false);
    out.resume();
    await writing;
  });
});
