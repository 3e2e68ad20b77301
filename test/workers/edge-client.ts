/** Asks the edge as a client over HTTP does. */
import { evictAllDurableObjects } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { expect } from 'vitest';
import { testKeys } from '../test-key-names.ts';
import { encodePush, type Push } from '../../src/sync/protocol.ts';

const edge = (exports as unknown as { default: Fetcher }).default;

/** Asks as an admin, unless the request brings a key of its own, or says by an empty one that it brings none. */
export function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has('authorization')) headers.set('authorization', bearer('admin'));
  if (headers.get('authorization') === '') headers.delete('authorization');
  return edge.fetch(`https://edge.test${path}`, { ...init, headers });
}

export function bearer(key: keyof typeof testKeys): string {
  return `Bearer ${testKeys[key]}`;
}

export function post(
  body: BodyInit,
  contentType = 'application/json',
  path = '/events',
): Promise<Response> {
  return ask(path, { method: 'POST', body, headers: { 'content-type': contentType } });
}

export function publish(events: unknown): Promise<Response> {
  return post(JSON.stringify(events));
}

export function pushLines(header: Omit<Push, 'lines'>, lines: readonly string[]): Promise<Response> {
  return post(encodePush({ ...header, lines }), 'application/x-ndjson', '/sync/push');
}

export async function json<T = never>(asked: Promise<Response>): Promise<T> {
  const response = await asked;
  const body = await response.text();
  if (response.status === 200) return JSON.parse(body) as T;
  throw new Error(`the edge answered ${response.status}: ${body.slice(0, 500)}`);
}

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  readonly rejected?: readonly { readonly index: number; readonly reason: string }[];
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The problem that the edge answered with, complete as RFC 9457 has it. */
export async function problem(asked: Promise<Response>): Promise<ProblemBody> {
  const response = await asked;
  const body: ProblemBody = JSON.parse(await response.text());
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({ status: response.status, type: `urn:millrace:problem:${body.code}` });
  expect(body.title).not.toBe('');
  expect(body.detail).not.toBe('');
  return body;
}

/** How many events the log has. */
export async function stored(): Promise<number> {
  const { head } = await json<{ head: string }>(ask('/events'));
  return parseInt(head.slice(1), 36);
}

/** Takes the shard out of memory, as the platform does to an idle one. */
export async function evict(): Promise<void> {
  await ask('/health');
  await evictAllDurableObjects();
}

export function shardStub(): DurableObjectStub {
  return (env as unknown as { SHARD: DurableObjectNamespace }).SHARD.getByName('shard-0');
}

export const order = { type: 'order.placed', data: { total: 30 }, source: 'shop' };
