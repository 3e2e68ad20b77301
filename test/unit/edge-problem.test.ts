import { Hono } from 'hono';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { errorResponse } from '../../workers/edge/problem.ts';

afterEach(() => vi.restoreAllMocks());

async function answerTo(
  error: unknown,
): Promise<{ status: number; text: string; headers: Headers; logged: unknown[] }> {
  const log = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const app = new Hono();
  app.get('/events/:id', () => {
    throw error;
  });
  app.onError(errorResponse);
  const response = await app.request('/events/e-1');
  const { status, headers } = response;
  return {
    status,
    headers,
    text: await response.text(),
    logged: log.mock.calls.map(([line]) => JSON.parse(line as string)),
  };
}

describe('a failure of the edge itself', () => {
  it('is answered without its inside, and logged as one line', async () => {
    const { status, text, logged } = await answerTo(new TypeError('the inside'));
    expect(status).toBe(500);
    expect(text).not.toContain('inside');
    expect(logged).toEqual([
      expect.objectContaining({
        level: 'error',
        at: 'GET /events/:id',
        name: 'TypeError',
        message: 'the inside',
      }),
    ]);
  });

  it('logs nothing of what was parsed', async () => {
    const parse = (): unknown => {
      try {
        return JSON.parse('{"card": "4111-1111"');
      } catch (error) {
        return error;
      }
    };
    const { logged } = await answerTo(parse());
    expect(logged).toHaveLength(1);
    expect(JSON.stringify(logged)).not.toContain('4111');
  });

  it('of the storage is to be tried again, and does not show its inside', async () => {
    const error = new MillraceError('storage.failed', 'SQLITE_FULL: the inside', {
      log: 'log',
      operation: 'write',
    });
    const { status, text, headers } = await answerTo(error);
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(text).not.toContain('inside');
    expect(text).not.toContain('nothing of the request was stored');
  });

  it.each(['retryable', 'overloaded'])('of an object that is %s is to be tried again', async (mark) => {
    const { status, headers, logged } = await answerTo(
      Object.assign(new Error('moved'), { [mark]: true }),
    );
    expect([status, headers.get('retry-after'), logged]).toEqual([503, '1', []]);
  });
});

describe('an error of the core', () => {
  it('keeps its code as plain data too, and names the field', async () => {
    const details = { path: '/limit', value: 0, reason: 'must be positive' };
    const wire = new MillraceError('query.invalid', 'limit must be positive', details).toWire();
    const { status, text, headers } = await answerTo(Object.assign(new Error(wire.message), wire));
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(JSON.parse(text)).toMatchObject({
      type: 'urn:millrace:problem:query.invalid',
      code: 'query.invalid',
      errors: [{ pointer: '/limit', detail: 'must be positive' }],
    });
  });
});
