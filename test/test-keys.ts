/** What the edge knows of the tests' keys. */
import { createHash } from 'node:crypto';
import { testKeys } from './test-key-names.ts';

type TestKey = keyof typeof testKeys;

const limits = { requestsPerSecond: 1_000_000, burst: 1_000_000 };

const records: readonly (readonly [TestKey, object])[] = [
  ['admin', { scopes: ['admin'], limits }],
  ['read', { scopes: ['read'], limits }],
  ['publish', { scopes: ['publish'], limits }],
  ['metrics', { scopes: ['metrics'], limits }],
  ['stranger', { scopes: ['admin'], tenant: 'stranger', limits }],
  ['site', { scopes: ['publish'], origins: ['https://shop.example'], limits }],
  [
    'limited',
    { scopes: ['publish'], limits: { requestsPerSecond: 1, burst: 2, bodyBytes: 1000, events: 10 } },
  ],
];

/** As the secret MILLRACE_KEYS has them. */
export const testKeyRecords = records.map(([name, record]) => ({
  name,
  hash: createHash('sha256').update(testKeys[name]).digest('hex'),
  ...record,
}));
