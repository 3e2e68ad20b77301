import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { build, type Rolldown } from 'vite';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/**
 * Bytes, minified and gzipped, of all that a page and its worker load, as a user's bundler makes them for production. The
 * goals are 5 KiB and 16 KiB; a budget above its goal is what stands now.
 */
const budgets = {
  page: { goal: 5_120, budget: 5_120 },
  worker: { goal: 16_384, budget: 31_296 },
} as const;

/** Each entry alone, its imports inlined, without what is loaded from elsewhere. */
async function sizeOf(entry: string): Promise<number> {
  const made = await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['millrace-source', 'module', 'browser', 'production'] },
    worker: { format: 'es' },
    build: {
      write: false,
      modulePreload: false,
      rolldownOptions: { input: join(root, entry), preserveEntrySignatures: 'strict' },
    },
  });
  // Chunks that are imported when they are needed count too; the worker's own, which the page only names, does not.
  const chunks = [made as Rolldown.RolldownOutput].flat().flatMap(({ output }) => output);
  return chunks.reduce(
    (sum, chunk) => sum + (chunk.type === 'chunk' ? gzipSync(chunk.code, { level: 9 }).length : 0),
    0,
  );
}

describe('the size of what a browser loads', () => {
  it.each([
    ['page', 'workers/browser/client.ts'],
    ['worker', 'workers/browser/worker.ts'],
  ] as const)(
    'of the %s is within its budget',
    async (part, entry) => {
      const { budget, goal } = budgets[part];
      const bytes = await sizeOf(entry);
      expect(bytes, `the ${part} is ${bytes} bytes min+gzip; the goal is ${goal}`).toBeLessThanOrEqual(
        budget,
      );
      // A budget that is far above what is needed guards nothing.
      expect(budget - Math.max(bytes, goal), `lower the ${part}’s budget to ${bytes}`).toBeLessThan(
        1_024,
      );
    },
    60_000,
  );
});
