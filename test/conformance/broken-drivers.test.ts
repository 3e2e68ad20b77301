import { describe, expect, test } from 'vitest';
import { checkLaw, storageLaws } from 'millrace/testing';
import { broken, brokenHarness } from './broken-drivers.ts';

describe('each law of storage is broken by a driver that breaks it', () => {
  test.each(storageLaws.map((law) => [law.name, law] as const))('%s', async (name, law) => {
    await expect(checkLaw(law, () => brokenHarness(name))).rejects.toMatchObject({ name: 'LawBroken' });
  });

  test('no broken driver stands for a law that is gone', () => {
    expect(Object.keys(broken).toSorted()).toEqual(storageLaws.map(({ name }) => name).toSorted());
  });
});
