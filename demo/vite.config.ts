/** The demo's page, as the edge serves it: from dist/demo. */
import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions: ['millrace-source', 'module', 'browser', 'development|production'] },
  worker: { format: 'es' },
  build: {
    outDir: join(import.meta.dirname, '..', 'dist', 'demo'),
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: true,
  },
});
