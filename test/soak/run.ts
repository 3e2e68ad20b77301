/** `npm run soak -- NAME [...]`: runs a long form of a test; without a name, lists them. What it finds wrong is its exit code. */
import { edge } from './edge.ts';
import { kills } from './kills.ts';
import { requests } from './requests.ts';

/** Each resolves to whether all was well. */
const soaks: Readonly<Record<string, (args: readonly string[]) => Promise<boolean>>> = {
  edge,
  kills,
  requests,
};

async function main([name, ...args]: readonly string[]): Promise<boolean> {
  if (name === undefined) {
    console.log(Object.keys(soaks).join('\n'));
    return true;
  }
  const soak = soaks[name];
  if (soak !== undefined) return soak(args);
  throw new Error(`There is no soak ${name}; there are: ${Object.keys(soaks).join(', ')}.`);
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
