import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { count } from '../../src/windows/count.ts';
import { checkTumbling, windowStart } from '../../src/windows/tumbling.ts';
import { WindowedView } from '../../src/windows/windowed-view.ts';

const minute = { sizeMs: 60_000 };

describe('a tumbling window', () => {
  it('holds its start and not its end', () => {
    expect([0, 59_999, 60_000].map((at) => windowStart(at, minute))).toEqual([0, 0, 60_000]);
  });

  it('is the one before the epoch for a time before the epoch', () => {
    expect([-1, -60_000, -60_001].map((at) => windowStart(at, minute))).toEqual([
      -60_000, -60_000, -120_000,
    ]);
  });

  it('begins at its offset', () => {
    const windows = { sizeMs: 60_000, offsetMs: 10_000 };
    expect([9_999, 10_000, 69_999].map((at) => windowStart(at, windows))).toEqual([
      -50_000, 10_000, 10_000,
    ]);
  });
});

describe('a definition that gives no windows is refused', () => {
  it.each([
    { sizeMs: 0 },
    { sizeMs: -1 },
    { sizeMs: 1.5 },
    { sizeMs: Number.NaN },
    { sizeMs: Infinity },
    { sizeMs: 60_000, offsetMs: 60_000 },
    { sizeMs: 60_000, offsetMs: 0.5 },
  ])('%o', (windows) => {
    expect(codeOf(() => checkTumbling(windows))).toBe(true);
  });

  it.each(['', 'Events', 'a/b', 'a b', '-a', 'a'.repeat(65)])('the name %o', (name) => {
    const definition = { name, ...minute, key: () => '', aggregation: count };
    expect(codeOf(() => new WindowedView(openMemory(), definition))).toBe(true);
  });
});

function codeOf(run: () => unknown): boolean {
  try {
    run();
  } catch (error) {
    return hasCode(error, 'query.invalid');
  }
  return false;
}
