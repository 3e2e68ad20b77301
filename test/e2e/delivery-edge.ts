/** The edge and its subscriptions, as a client sees them over HTTP. */
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';

let authorization = '';

/** The edge may deliver to this machine: its receivers are here. Wrangler passes our environment on to it. */
export async function startDeliveringEdge(stateDir: string): Promise<EdgeProcess> {
  process.env['CLOUDFLARE_INCLUDE_PROCESS_ENV'] = 'true';
  process.env['MILLRACE_ALLOW_LOOPBACK'] = 'true';
  const edge = await startEdge({ stateDir, quiet: true });
  authorization = `Bearer ${edge.keys.admin}`;
  return edge;
}

export interface Shown {
  readonly id: string;
  readonly secret: string;
  readonly state: string;
  readonly reason?: string;
  readonly sequence: number;
  readonly waiting: number;
  readonly delivered: number;
  readonly dead_letters: number;
  readonly breaker: string;
}

export async function ask<T>(url: string, method = 'GET', body?: unknown): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Polls until it holds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 60_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
