/** What the edge holds, read as any client would, and what its windows must be for it. */
import type { EdgeProcess } from '../../demo/edge-process.ts';
import { parseTimestamp } from '../../src/event/timestamp.ts';
import type { WireEvent } from '../../src/event/wire.ts';

export interface ShownWindow {
  readonly window: { readonly start: string; readonly end: string };
  readonly key: string;
  readonly value: { readonly count: number };
}

export type Edge = Pick<EdgeProcess, 'url' | 'keys'>;

/** What a request says to read. */
export function reading({ read }: EdgeProcess['keys']): Record<string, string> {
  return { authorization: `Bearer ${read}` };
}

/** All events of the edge, in its order. */
export async function edgeEvents({ url, keys }: Edge): Promise<readonly WireEvent[]> {
  const events: WireEvent[] = [];
  let after = '';
  for (;;) {
    const response = await fetch(`${url}/events?limit=1000${after && `&after=${after}`}`, {
      headers: reading(keys),
    });
    if (!response.ok) throw new Error(`GET /events: ${response.status} ${await response.text()}`);
    const page = (await response.json()) as { events: WireEvent[]; next: string; more: boolean };
    events.push(...page.events);
    if (!page.more) return events;
    after = page.next;
  }
}

export async function edgeWindows({ url, keys }: Edge): Promise<readonly ShownWindow[]> {
  const range = 'from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z';
  const response = await fetch(`${url}/windows/events-per-minute?${range}`, {
    headers: reading(keys),
  });
  if (!response.ok) throw new Error(`GET /windows: ${response.status} ${await response.text()}`);
  return (await response.json()) as ShownWindow[];
}

/** The oracle: a plain recount, as `minute type` → count. */
export function recount(events: readonly { type: string; timestamp: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type, timestamp } of events) {
    const minute = new Date(Math.floor(parseTimestamp(timestamp)! / 60_000) * 60_000).toISOString();
    counts[`${minute} ${type}`] = (counts[`${minute} ${type}`] ?? 0) + 1;
  }
  return counts;
}

/** Windows in the form of the oracle; `start` in ms or ISO 8601. */
export function asCounts(
  windows: readonly { window: { start: string | number }; key: string; value: { count: number } }[],
): Record<string, number> {
  return Object.fromEntries(
    windows.map(({ window, key, value }) => [
      `${new Date(window.start).toISOString()} ${key}`,
      value.count,
    ]),
  );
}
