/**
 * What caused what: the events of one correlation as a tree of causes, with times. It is read from the log alone, so it is
 * there for every event, whether or not anybody recorded its spans.
 *
 * The tree is a list in which a cause comes before its effects, each with its depth: a chain of ten thousand causes is as
 * good as any, and needs no stack.
 *
 * @example
 * const { nodes } = await trace(log, { correlationId: 'visit-1' });
 * for (const { depth, event } of nodes) console.log('  '.repeat(depth) + (event?.type ?? 'missing'));
 */
import { parseTraceparent } from '../event/trace-context.ts';
import { collectEvents, type TracedEvent, type TraceOf, type TraceSource } from './trace-source.ts';

export type { TraceClient, TracedEvent, TraceLog, TraceOf, TraceSource } from './trace-source.ts';

export interface TraceOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface TraceNode {
  readonly id: string;
  /** 0 where nothing that is known has caused it. */
  readonly depth: number;
  /** `undefined`: it is named as a cause, and is not in the log. It was trimmed, or never came. */
  readonly event?: TracedEvent;
  /** From its cause to it, in ms of event time. Less than 0 where their clocks differ. */
  readonly afterCauseMs?: number;
  /** From the first event of the trace to it, in ms of event time. */
  readonly afterStartMs?: number;
  /** It is among its own causes: the circle is shown as if it began with this one, its earliest. */
  readonly circular?: true;
}

export interface Trace {
  /** A cause before its effects; effects of one cause in the log's order. */
  readonly nodes: readonly TraceNode[];
  /** The W3C trace ids that its events carry. */
  readonly traceIds: readonly string[];
  /** Of the first and the last event, by event time, in ms since the Unix epoch. Missing where there is none. */
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** There is more than is shown: see `traceLimits`. */
  readonly truncated: boolean;
}

export const traceLimits = {
  /** Events of one trace. */
  events: 10_000,
  /** Causes outside of the correlation that are looked up. */
  lookups: 1_000,
} as const;

/**
 * Resolves to a trace without nodes where nothing is known of it.
 *
 * @throws whatever the source does; the signal's reason
 */
export async function trace(
  source: TraceSource,
  of: TraceOf,
  options: TraceOptions = {},
): Promise<Trace> {
  const { events, missing, truncated } = await collectEvents(source, of, {
    ...options,
    limits: traceLimits,
  });
  return { ...arrange(events, missing), truncated };
}

/** Of events in the log's order, and of the ids that are named as causes and known to be missing. */
export function arrange(
  events: readonly TracedEvent[],
  missing: readonly string[] = [],
): Omit<Trace, 'truncated'> {
  if (events.length === 0) return { nodes: [], traceIds: [] };
  const byId = new Map(events.map((event) => [event.id, event]));
  const startedAt = events.reduce((least, { timestamp }) => Math.min(least, timestamp), Infinity);
  const endedAt = events.reduce((most, { timestamp }) => Math.max(most, timestamp), -Infinity);
  const forest = new Forest(events, byId, startedAt);
  const lost = new Set(missing);
  for (const event of events)
    if (lost.has(event.causationId ?? '')) forest.add({ id: event.causationId! });
    else if (!byId.has(event.causationId ?? '')) forest.add(forest.nodeOf(event));
  // What is left is in a circle, or caused by one.
  for (const event of circular(events, byId, forest.placed))
    forest.add({ ...forest.nodeOf(event), circular: true });
  const traceIds = new Set(events.flatMap((one) => parseTraceparent(one.traceparent)?.traceId ?? []));
  return { nodes: forest.nodes, traceIds: [...traceIds], startedAt, endedAt };
}

type Unplaced = Omit<TraceNode, 'depth'>;

/** Trees, each put down from its root before the next one. */
class Forest {
  readonly nodes: TraceNode[] = [];
  readonly placed = new Set<string>();
  readonly #byId: ReadonlyMap<string, TracedEvent>;
  readonly #effects: ReadonlyMap<string, readonly TracedEvent[]>;
  readonly #startedAt: number;

  constructor(
    events: readonly TracedEvent[],
    byId: ReadonlyMap<string, TracedEvent>,
    startedAt: number,
  ) {
    this.#byId = byId;
    this.#effects = effectsOf(events);
    this.#startedAt = startedAt;
  }

  add(root: Unplaced): void {
    const open: TraceNode[] = [{ ...root, depth: 0 }];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (this.placed.has(node.id)) continue;
      this.placed.add(node.id);
      this.nodes.push(node);
      // The last is taken first.
      for (const effect of (this.#effects.get(node.id) ?? []).toReversed())
        open.push({ ...this.nodeOf(effect), depth: node.depth + 1 });
    }
  }

  nodeOf(event: TracedEvent): Unplaced {
    const { id, timestamp, causationId } = event;
    const cause = this.#byId.get(causationId ?? '');
    return {
      id,
      event,
      ...(cause !== undefined && { afterCauseMs: timestamp - cause.timestamp }),
      afterStartMs: timestamp - this.#startedAt,
    };
  }
}

/** By their cause's id. */
function effectsOf(events: readonly TracedEvent[]): ReadonlyMap<string, readonly TracedEvent[]> {
  const effects = new Map<string, TracedEvent[]>();
  for (const event of events) {
    if (event.causationId === undefined) continue;
    const known = effects.get(event.causationId);
    if (known === undefined) effects.set(event.causationId, [event]);
    else known.push(event);
  }
  return effects;
}

/** Of each circle its earliest event: every other event that is left over hangs below one of these. */
function circular(
  events: readonly TracedEvent[],
  byId: ReadonlyMap<string, TracedEvent>,
  placed: ReadonlySet<string>,
): readonly TracedEvent[] {
  const seen = new Set<string>(placed);
  const first: TracedEvent[] = [];
  for (const event of events) {
    const way: TracedEvent[] = [];
    let at: TracedEvent | undefined = event;
    while (at !== undefined && !seen.has(at.id)) {
      seen.add(at.id);
      way.push(at);
      at = byId.get(at.causationId ?? '');
    }
    const circle = at === undefined ? [] : way.slice(way.findIndex(({ id }) => id === at.id));
    if (at !== undefined && way.includes(at))
      first.push(circle.reduce((least, one) => (one.timestamp < least.timestamp ? one : least)));
  }
  return first;
}
