import { reset } from 'cloudflare:test';
import fc from 'fast-check';
import { beforeEach, expect, it } from 'vitest';
import { AnswerCheck, requestsOf, type Document } from '../soak/openapi-requests.ts';
import { ask, json } from './edge-client.ts';

beforeEach(reset);

it('every answer to requests of the OpenAPI document is as it says, and none is a 5xx', async () => {
  const document = await json<Document>(ask('/openapi.json'));
  const check = new AnswerCheck(document);
  const statuses = new Map<string, number>();
  const taken = new Set<string>();
  await fc.assert(
    fc.asyncProperty(requestsOf(document), async (request) => {
      const { method, path, headers, body } = request;
      const answer = await ask(path, { method, headers, ...(body !== undefined && { body }) });
      const status = `${Math.floor(answer.status / 100)}xx`;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (answer.ok) taken.add(request.route);
      expect(await check.problemOf(request, answer)).toBeUndefined();
    }),
    { numRuns: 3000 },
  );
  // Neither all refused nor all taken: else it would test little.
  expect(Math.min(statuses.get('2xx') ?? 0, statuses.get('4xx') ?? 0)).toBeGreaterThan(500);
  expect(taken.size).toBeGreaterThan(20);
}, 120_000);
