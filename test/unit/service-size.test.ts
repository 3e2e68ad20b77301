import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/** Bytes, minified and gzipped, of each entry with all that it imports: no package among it. */
test.each([
  ['client', 10_240],
  ['service', 25_600],
])('the %s is within its budget', async (entry, budget) => {
  const made = await build({
    entryPoints: [join(root, 'src', 'service', `${entry}.ts`)],
    ...{ bundle: true, minify: true, write: false, format: 'esm', target: 'es2022' },
    metafile: true,
  });
  expect(Object.keys(made.metafile.inputs).filter((input) => input.includes('node_modules'))).toEqual(
    [],
  );
  const bytes = gzipSync(made.outputFiles[0]!.contents, { level: 9 }).length;
  expect(bytes, `${bytes} bytes`).toBeLessThanOrEqual(budget);
  // A budget that is far above what is needed guards nothing.
  expect(budget - bytes, `lower the budget to ${bytes}`).toBeLessThan(2_560);
});
