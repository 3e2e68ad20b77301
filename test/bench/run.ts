/** `npm run bench -- NAME [--json]`: runs one benchmark and shows its table; without a name, lists them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { formatJson, formatTable, judge, type Bench, type Row } from './table.ts';

const suffix = '.bench.ts';
const limitMs = 60_000;

async function main(args: readonly string[]): Promise<void> {
  const names = available();
  const name = args.find((word) => !word.startsWith('-'));
  if (name === undefined) {
    console.log(names.length > 0 ? names.join('\n') : 'There are no benchmarks yet.');
    return;
  }
  if (!names.includes(name)) {
    throw new Error(`There is no benchmark ${name}; there are: ${names.join(', ') || 'none'}.`);
  }
  const bench = await load(name);
  const start = performance.now();
  const rows = await bench.run();
  const tookMs = performance.now() - start;
  rows.forEach(mustBeFigures);
  console.log(`${bench.name}\n\n${formatTable(rows)}\n`);
  const missed = rows.filter((row) => judge(row.ratio, row.goal) === 'missed').length;
  if (missed > 0) console.log(`${missed} of ${rows.length} missed the goal.`);
  if (tookMs > limitMs)
    console.log(`It took ${Math.round(tookMs / 1_000)} s; a benchmark is to end within 60 s.`);
  if (args.includes('--json')) console.log(formatJson(bench.name, rows));
}

function available(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .toSorted();
}

async function load(name: string): Promise<Bench> {
  const file = join(import.meta.dirname, `${name}${suffix}`);
  const module = (await import(pathToFileURL(file).href)) as { default?: Bench };
  if (typeof module.default?.run === 'function') return module.default;
  throw new Error(`${name}${suffix} has no default export { name, run }.`);
}

function mustBeFigures(row: Row): void {
  if ([row.ours, row.peer, row.ratio].every(Number.isFinite)) return;
  throw new Error(`The case ${row.case} has a figure that is no number: ${JSON.stringify(row)}.`);
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? (error.cause === undefined ? error.message : error) : error);
  process.exit(1);
}
