/** The keys that the edge has under test, one for each of what a key may be: see `test-keys.ts`. */

/** By name. Their secrets are no secrets. */
export const testKeys = {
  admin: 'mr_admin_0000000000000001_test',
  read: 'mr_read_0000000000000002_test',
  publish: 'mr_pub_0000000000000003_test',
  /** An admin of another tenant. */
  stranger: 'mr_admin_0000000000000004_test',
  /** Publishes from one site's pages. */
  site: 'mr_pub_0000000000000005_test',
  /** Two requests at once, then one a second; ten events and 1,000 bytes in each. */
  limited: 'mr_pub_0000000000000006_test',
  /** Scrapes. */
  metrics: 'mr_prom_0000000000000007_test',
} as const;
