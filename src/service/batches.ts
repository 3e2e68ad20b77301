/** Cuts what is published into requests that the edge takes. */
import type { Event } from '../event/event.ts';
import { encodeLine } from '../event/wire.ts';
import { pushLimits } from '../sync/protocol.ts';

/** The most of one request: below what the edge takes, so that one that is refused is cheap to repeat. */
export const batchLimits = { events: 1_000, bytes: 1_048_576 } as const;

export interface Batch {
  readonly body: string;
  readonly count: number;
}

/** In their order. @throws MillraceError as `encodeLine` does, before any of them is sent */
export function batchesOf(
  events: readonly Event[],
  limits: { readonly events: number; readonly bytes: number } = batchLimits,
): readonly Batch[] {
  const most = Math.min(limits.events, pushLimits.events);
  const room = Math.min(limits.bytes, pushLimits.bytes);
  const encoder = new TextEncoder();
  const batches: Batch[] = [];
  let lines: string[] = [];
  let bytes = 0;
  const close = (): void => {
    if (lines.length > 0) batches.push({ body: `[${lines.join(',')}]`, count: lines.length });
    lines = [];
    bytes = 0;
  };
  for (const event of events) {
    const line = encodeLine(event);
    // With the comma, or a bracket.
    const size = encoder.encode(line).length + 1;
    if (lines.length >= most || bytes + size + 1 > room) close();
    lines.push(line);
    bytes += size;
  }
  close();
  return batches;
}
