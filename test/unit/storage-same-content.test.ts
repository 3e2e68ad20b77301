import { describe, expect, it } from 'vitest';
import { makeEvent } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { sameContent } from '../../src/storage/same-content.ts';

const line = (change: object): string =>
  JSON.stringify({
    id: 'o-1',
    type: 'order.placed',
    data: { total: 30, lines: [{ sku: 'a', count: 1 }] },
    timestamp: '2026-01-31T09:30:00.000Z',
    source: 'shop',
    priority: 2,
    ...change,
  });
const placed = decodeLine(line({}));

describe('two events of one id', () => {
  it.each<[string, object]>([
    [
      'the keys of their data stand in another order',
      { data: { lines: [{ count: 1, sku: 'a' }], total: 30 } },
    ],
    ['a line from elsewhere spells the time otherwise', { timestamp: '2026-01-31T10:30:00+01:00' }],
    ['a line from elsewhere leaves the priority out', { priority: undefined }],
    ['a line from elsewhere says null for what is absent', { subject: null }],
  ])('say the same where %s', (_, change) => {
    expect(sameContent(placed, decodeLine(line(change)))).toBe(true);
  });

  it('say the same where one was made with what JSON writes otherwise', () => {
    const at = new Date(0);
    const made = makeEvent({ ...placed, data: { at } });
    expect(sameContent(made, decodeLine(line({ data: { at: at.toISOString() } })))).toBe(true);
  });

  it.each<[string, object]>([
    ['type', { type: 'order.paid' }],
    ['data', { data: { total: 31, lines: [{ sku: 'a', count: 1 }] } }],
    ['list', { data: { total: 30, lines: [] } }],
    ['time', { timestamp: '2026-01-31T09:30:00.001Z' }],
    ['source', { source: 'till' }],
    ['priority', { priority: 3 }],
    ['correlation', { correlation_id: 'visit-1' }],
    ['cause', { causation_id: 'o-0' }],
    ['subject', { subject: 'order/1' }],
  ])('do not where their %s differs', (_, change) => {
    expect(sameContent(placed, decodeLine(line(change)))).toBe(false);
  });
});
