/**
 * The laws of storage: what every driver promises, as a suite that any driver's author can run.
 *
 * @example With any test runner
 * for (const law of storageLaws) test(law.name, () => checkLaw(law, () => ({ open: openMine, durable: true })));
 */
import type { MaybePromise } from '../storage.ts';
import { commitLaws } from './commit-laws.ts';
import type { StorageHarness, StorageLaw } from './law.ts';
import { lifeLaws } from './life-laws.ts';
import { readLaws } from './read-laws.ts';
import { sequenceLaws } from './sequence-laws.ts';

export const storageLaws: readonly StorageLaw[] = [
  ...commitLaws,
  ...sequenceLaws,
  ...readLaws,
  ...lifeLaws,
];

/** Runs one law on a harness of its own, and cleans up after it. Rejects with a `LawBroken` where it does not hold. */
export async function checkLaw(
  law: StorageLaw,
  create: () => MaybePromise<StorageHarness>,
): Promise<void> {
  const harness = await create();
  try {
    await law.run(harness);
  } finally {
    await harness.cleanup?.();
  }
}
