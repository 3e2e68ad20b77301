import { reset } from 'cloudflare:test';
import { beforeEach, expect, it } from 'vitest';
import { ask, json } from './edge-client.ts';

beforeEach(reset);

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { readonly responses: Record<string, unknown> }>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

it('GET /openapi.json describes every route, and nothing that is none', async () => {
  const document = await json<Document>(ask('/openapi.json'));
  expect(document.openapi).toBe('3.1.0');
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method) => `${method.toUpperCase()} ${path.replaceAll(/\{(.+?)\}/g, ':$1')}`,
    ),
  );
  const { app } = await import('../../workers/edge/app.ts');
  const served = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path}`);
  const undescribed = ['GET /openapi.json', 'GET /docs'];
  expect(described.toSorted()).toEqual(
    [...new Set(served)].filter((route) => !undescribed.includes(route)).toSorted(),
  );
});

it('GET /docs is one page that loads nothing', async () => {
  const response = await ask('/docs');
  expect(response.headers.get('content-type')).toContain('text/html');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  const page = await response.text();
  expect(page).toContain('POST /events');
  expect(page).not.toMatch(/<script|src=|https?:\/\//);
  expect(page).not.toContain('[object Object]');
});

it('every answer has an id, and headers that keep a browser from doing more with it', async () => {
  for (const path of ['/health', '/events', '/nothing', '/events/none', '/events?limit=0']) {
    const response = await ask(path);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    await response.body?.cancel();
  }
  const own = await ask('/health', { headers: { 'x-request-id': 'mine-1' } });
  expect(own.headers.get('x-request-id')).toBe('mine-1');
});
