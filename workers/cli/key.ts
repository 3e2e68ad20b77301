/** `npm run key -- --scopes admin`: makes an API key, and the line of it for the edge's secret MILLRACE_KEYS. */
import { parseArgs } from 'node:util';
import { scopes } from '../edge/access/access-table.ts';
import { createKey, isScope, MAIN_TENANT, TENANT } from '../edge/access/api-key.ts';

const usage = `Usage: npm run key -- --scopes SCOPES [--name NAME] [--tenant TENANT]

Makes an API key. Give it to its owner, and add its line to the edge's secret MILLRACE_KEYS (wrangler secret put).
  --scopes SCOPES   one or more of ${scopes.join(', ')}, joined by +
  --name NAME       what the key is called (default: the scopes)
  --tenant TENANT   whose logs it opens (default: ${MAIN_TENANT})`;

const options = {
  scopes: { type: 'string' },
  name: { type: 'string' },
  tenant: { type: 'string', default: MAIN_TENANT },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

async function main(): Promise<void> {
  const { values } = parseArgs({ args: process.argv.slice(2), options });
  if (values.help) return console.log(usage);
  const granted = (values.scopes ?? '').split('+').filter(isScope);
  if (granted.length === 0 || granted.join('+') !== values.scopes)
    throw new Error(`--scopes must be one or more of ${scopes.join(', ')}, joined by +.`);
  if (!TENANT.test(values.tenant))
    throw new Error('--tenant must be small letters, digits and dashes, 63 at most.');
  const name = values.name ?? granted.join('-');
  if (!/^[\w.-]{1,64}$/.test(name))
    throw new Error('--name must be letters, digits, dots and dashes, 64 at most.');
  const { key, hash } = await createKey(granted);
  console.log(
    `key: ${key}\nline for MILLRACE_KEYS: ${name}:${hash}:${granted.join('+')}:${values.tenant}`,
  );
}

try {
  await main();
} catch (error) {
  console.error(`${(error as Error).message}\n\n${usage}`);
  process.exitCode = 1;
}
