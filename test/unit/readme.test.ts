import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/```ts run\n([\s\S]*?)```/g)].map(([, code]) => code!);

test('the README has examples that are run', () => {
  expect(examples.length).toBeGreaterThanOrEqual(2);
});

test.each(examples)('the README’s example %# runs, and prints what it says', (example) => {
  const [, promised = 'nothing'] = /console\.log\(.*\); \/\/ (.*)\n/.exec(example) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'millrace-readme-'));
  try {
    const file = join(folder, 'example.mts');
    writeFileSync(file, example.replaceAll("'millrace'", JSON.stringify(join(root, 'src', 'index.ts'))));
    expect(execFileSync(process.execPath, [file], { encoding: 'utf8' }).trim()).toBe(promised);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
