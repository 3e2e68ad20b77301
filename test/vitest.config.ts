/**
 * The tests' projects, chosen by a file's place and suffix: `unit` (Node), `browser` (real Chromium),
 * `workers` (workerd) and `e2e` (a browser, the edge and their deaths; one file at a time).
 */
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { playwright } from '@vitest/browser-playwright';
import { join } from 'node:path';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { testKeyRecords } from './test-keys.ts';
import { chromiumArgs, findChromium } from './chromium.ts';

const root = join(import.meta.dirname, '..');
const elsewhere = ['**/*.browser.test.ts', '**/*.workers.test.ts'];
const conditions = ['millrace-source'];

const unit: TestProjectInlineConfiguration = {
  root,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name: 'unit',
    include: ['test/{unit,property,conformance}/**/*.test.ts'],
    exclude: elsewhere,
    environment: 'node',
    testTimeout: 20_000,
  },
};

const browser = (): TestProjectInlineConfiguration => ({
  root,
  resolve: { conditions: [...conditions, 'module', 'browser', 'development|production'] },
  optimizeDeps: { include: ['comlink', 'fast-check', 'idb', 'zod', 'zod/mini'] },
  worker: { format: 'es' },
  test: {
    name: 'browser',
    include: ['test/**/*.browser.test.ts'],
    testTimeout: 30_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: { executablePath: findChromium(), args: [...chromiumArgs] },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});

/** Tells who asks it what it was given, and forgets it. */
const queueConsumer = {
  name: 'consumer',
  modules: true,
  script: `
    let given = [];
    export default {
      queue(batch) {
        for (const { body, attempts } of batch.messages) given.push({ ...body, attempts });
      },
      fetch() {
        const answer = Response.json(given);
        given = [];
        return answer;
      },
    };`,
  queueConsumers: { orders: { maxBatchSize: 100, maxBatchTimeout: 0.05 } },
};

const workers: TestProjectInlineConfiguration = {
  root,
  ssr: { resolve: { conditions: [...conditions, 'workerd', 'worker', 'module', 'browser'] } },
  plugins: [
    cloudflareTest({
      wrangler: { configPath: join(root, 'wrangler.toml') },
      miniflare: {
        bindings: { MILLRACE_KEYS: JSON.stringify(testKeyRecords) },
        r2Buckets: ['ARCHIVE'],
        queueProducers: { ORDERS: 'orders' },
        serviceBindings: { CONSUMER: 'consumer' },
        workers: [queueConsumer],
      },
    }),
  ],
  test: {
    name: 'workers',
    include: ['test/**/*.workers.test.ts'],
    testTimeout: 30_000,
  },
};

const e2e: TestProjectInlineConfiguration = {
  root,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name: 'e2e',
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/e2e/setup.ts'],
    exclude: elsewhere,
    environment: 'node',
    testTimeout: 180_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    maxWorkers: 1,
    sequence: { groupOrder: 1 },
  },
};

/** Only a run with browser tests looks for a browser: `--project unit` needs none. */
const chosen = process.argv.flatMap((word, at, all) =>
  word === '--project' ? [all[at + 1]] : word.startsWith('--project=') ? [word.slice(10)] : [],
);
const browsers = chosen.length === 0 || chosen.includes('browser') ? [browser()] : [];

export default defineConfig({
  root,
  test: { projects: [unit, ...browsers, workers, e2e] },
});
