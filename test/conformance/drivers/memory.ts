/** The drivers in memory: a log lives as long as the harness. */
import { openMemory } from '../../../src/storage/memory.ts';
import { openMemorySegments } from '../../../src/storage/memory-segments.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import type { StorageHarness } from '../../../src/testing.ts';

export const memoryHarness = (): StorageHarness => harness((log) => openMemory({ log }));
export const memorySegmentsHarness = (): StorageHarness => harness(openMemorySegments);

function harness(openLog: (log: string) => Storage): StorageHarness {
  const logs = new Map<string, Storage>();
  return {
    durable: false,
    open(log) {
      const storage = logs.get(log) ?? openLog(log);
      logs.set(log, storage);
      return storage;
    },
  };
}
