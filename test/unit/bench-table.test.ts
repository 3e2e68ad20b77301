import { describe, expect, it } from 'vitest';
import { formatJson, formatTable, judge, type Row } from '../bench/table.ts';

const row: Row = {
  case: 'append',
  ours: 163_000,
  peer: 8_000,
  ratio: 20.375,
  goal: '>=5',
  unit: 'events/s',
};

describe('a benchmark’s goal', () => {
  it.each([
    [5, '>=5', 'met'],
    [4.99, '>=5', 'missed'],
    [1.2, '<=1.2', 'met'],
    [1.21, '<= 1.2', 'missed'],
    [5, '>5', 'missed'],
    [0.9, '<1', 'met'],
    [1, '', ''],
  ] as const)('judges %d against "%s": %s', (ratio, goal, verdict) => {
    expect(judge(ratio, goal)).toBe(verdict);
  });

  it('refuses what is not a comparison', () => {
    expect(() => judge(1, 'fast')).toThrow('The goal fast is not of the form');
  });
});

describe('a benchmark’s rows', () => {
  it('are shown with their unit and a missed goal as missed', () => {
    const table = formatTable([row, { ...row, case: 'read', ratio: 2 }]);
    expect(table).toMatch(/append +163,000 events\/s +8,000 events\/s +20\.4 × +>=5 {2}met/);
    expect(table).toMatch(/read .* 2 × +>=5 {2}missed/);
  });

  it('are one line of JSON with the five fields', () => {
    const json = formatJson('storage', [row]);
    expect(json).not.toContain('\n');
    expect(JSON.parse(json)).toEqual({
      name: 'storage',
      rows: [{ case: 'append', ours: 163_000, peer: 8_000, ratio: 20.375, goal: '>=5' }],
    });
  });
});
