/** The short form of `npm run soak -- kills`. */
import { expect, test } from 'vitest';
import { compare, killSoak } from './kill-soak.ts';

test('of what had a receipt nothing is lost, doubled or out of order, however the browser is killed', async () => {
  const report = await killSoak({ kills: 4, seed: 7, damaged: 40 });
  expect(report).toMatchObject({ kills: 4, lost: 0, doubled: 0, outOfOrder: 0 });
  expect(report.receipts, 'there was something to lose').toBeGreaterThan(100);
  expect(report.atEdge).toBeGreaterThanOrEqual(report.receipts);
  const { none, ...faults } = report.faults;
  expect(none).toBeGreaterThan(0);
  expect(Object.values(faults).reduce((sum, count) => sum + count)).toBeGreaterThan(0);
  // The edge says so of itself: whole and in order, from the first event to the last, for each log that there was.
  expect(report.statements).toHaveLength(1 + report.wiped);
  for (const { seq, chain } of report.statements) expect(chain).toMatchObject({ since: 1, seq });
  const covered = report.statements.reduce((sum, { seq }) => sum + seq, 0);
  expect(covered).toBeGreaterThanOrEqual(report.atEdge);
});

test('the comparison finds what is lost, doubled, and out of order', () => {
  const event = (id: string, number: number, tab = '1-0') => ({ id, data: { tab, number } });
  const receipts = ['x', 'y', 'z'].map((id, i) => [id, '1-0', i + 1, i + 1] as const);
  const [x, y, z] = [event('x', 1), event('y', 2), event('z', 3)];
  const good = { receipts: 3, lost: 0, lostOf: [], doubled: 0, outOfOrder: 0 };
  expect(compare(receipts, [x, event('other', 1, '1-1'), y, z])).toEqual({ ...good, atEdge: 4 });
  expect(compare(receipts, [x, z])).toEqual({ ...good, atEdge: 2, lost: 1, lostOf: ['1-0'] });
  expect(compare(receipts, [x, y, y, z])).toEqual({ ...good, atEdge: 4, doubled: 1, outOfOrder: 1 });
  const later = ['w', '2-0', 1, 1] as const;
  const two = compare([...receipts, later], [x, y, z, event('w', 1, '2-0')]);
  expect(two, 'a log that began anew').toEqual({ ...good, receipts: 4, atEdge: 4 });
  const early = compare([...receipts, later], [x, y, event('w', 1, '2-0'), z]);
  expect(early).toMatchObject({ outOfOrder: 1 });
  expect(compare(receipts, [x, z, y])).toEqual({ ...good, atEdge: 3, outOfOrder: 1 });
});
