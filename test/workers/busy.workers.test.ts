/** What a shard cannot take in any more is refused at once, to come again, and all that it took is stored. */
import { reset, runInDurableObject } from 'cloudflare:test';
import { beforeEach, expect, it } from 'vitest';
import { admissionLimits } from '../../workers/edge/admission.ts';
import { json, order, publish, shardStub } from './edge-client.ts';

beforeEach(reset);

/** Four wait within the bound, and the fifth is beyond it. */
const LINE = 250_000;
const LINES = 16;
const REQUESTS = 5;

function request(n: number): Promise<Response> {
  const events = Array.from({ length: LINES }, (_, i) => ({
    ...order,
    id: `busy-${n}-${i}`,
    data: 'x'.repeat(LINE),
  }));
  return publish(events);
}

it('answers 429 with Retry-After where too much waits to be committed, and stores the rest', async () => {
  expect((REQUESTS - 1) * LINES * LINE).toBeLessThan(admissionLimits.characters);
  expect(REQUESTS * LINES * LINE).toBeGreaterThan(admissionLimits.characters);
  await json(publish({ ...order, id: 'first' }));
  const disk = Promise.withResolvers<void>();
  await runInDurableObject(shardStub(), (_, { storage }) => {
    const sync = storage.sync.bind(storage);
    storage.sync = () => disk.promise.then(sync);
  });
  const asked = Array.from({ length: REQUESTS }, (_, n) => request(n));
  const busy = await Promise.race(asked);
  expect(busy.status).toBe(429);
  expect(Number(busy.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(busy.headers.get('content-type')).toBe('application/problem+json');
  expect(await busy.json()).toMatchObject({ code: 'shard.busy', status: 429 });
  disk.resolve();
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 429]);
  const refused = answers.findIndex(({ status }) => status === 429);
  await Promise.all(answers.map((answer, n) => (n === refused ? undefined : answer.text())));
  await runInDurableObject(shardStub(), (_, { storage }) => {
    const [row] = storage.sql.exec(`SELECT value FROM log_state WHERE key = 'head'`).toArray();
    expect(JSON.parse(row!['value'] as string)).toMatchObject({ events: (REQUESTS - 1) * LINES + 1 });
  });
  // It comes again, as it was told to.
  expect((await request(refused)).status).toBe(200);
});
