/** The client where its edge gives trouble: what is there is none. */
import { afterEach, describe, expect, it } from 'vitest';
import { connect, type Client } from '../../workers/browser/client.ts';

const clients: Client[] = [];
const problems: unknown[] = [];
const onError = (event: ErrorEvent | PromiseRejectionEvent): void => {
  problems.push('reason' in event ? event.reason : event.message);
};
addEventListener('error', onError);
addEventListener('unhandledrejection', onError);

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

describe('an endpoint that is no edge', () => {
  it.each([
    ['a page', '/'],
    ['a route that is not there', '/no/such/route'],
    ['a script', '/@vite/client?'],
    ['another protocol', 'ftp://127.0.0.1/'],
    ['no host at all', 'http://127.0.0.1:9/'],
  ])('%s: nothing is thrown, nothing is lost, and the status says what is wrong', async (_, path) => {
    const client = connect({
      endpoint: new URL(path, location.href),
      log: `sync-${Date.now()}-${Math.random()}`,
    });
    clients.push(client);
    await client.capture('page.viewed', { path: '/a' });
    await expect
      .poll(() => client.status(), { timeout: 10_000 })
      .toMatchObject({ state: 'backoff', lastError: { code: expect.stringMatching(/^sync\./) } });
    await client.capture('page.viewed', { path: '/b' });
    await expect.poll(() => client.status()).toMatchObject({ waiting: 2, rejected: 0, dropped: 0 });
    expect(problems).toEqual([]);
  });
});
