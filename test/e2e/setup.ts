/** Builds the demo once, before the end-to-end tests that the edge serves it to. */
import { join } from 'node:path';
import { build } from 'vite';

export default async function setup(): Promise<void> {
  await build({
    configFile: join(import.meta.dirname, '..', '..', 'demo', 'vite.config.ts'),
    logLevel: 'error',
  });
}
