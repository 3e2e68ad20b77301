/** The memory driver: a log lives as long as the harness. */
import { openMemory } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import type { StorageHarness } from '../../../src/testing.ts';

export function memoryHarness(): StorageHarness {
  const logs = new Map<string, Storage>();
  return {
    durable: false,
    open(log) {
      const storage = logs.get(log) ?? openMemory({ log });
      logs.set(log, storage);
      return storage;
    },
  };
}
