/** Two streams joined by key within a window: an aggregation that keeps both sides' events, so that a late one revises. */
import type { Event } from '../../event/event.ts';
import { checkCommits } from '../../storage/check-input.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { Aggregation } from '../aggregation.ts';
import { mapResult } from '../aggregations/aggregate.ts';
import { collect, type Collected } from '../aggregations/collect.ts';
import { listOf, type States } from '../aggregations/list.ts';
import { invalidWindow } from '../windows.ts';
import type { FlowStep } from './flow.ts';

export interface JoinOptions {
  /** `left`: an event of the left stream without a partner stands alone. Default: `inner`, it does not stand at all. */
  readonly kind?: 'inner' | 'left' | undefined;
  /** The most events of each side, key and window that are joined: the earliest. From 1 to 1,000. Default: 100. */
  readonly limit?: number | undefined;
}

export interface JoinedPair<Left, Right> {
  readonly left: Left;
  /** Null where a left join has found none. */
  readonly right: Right | null;
}

/** The data of both sides' events, each with each: by the left one's time, then by the right one's. */
export interface Joined<Left, Right> {
  readonly pairs: readonly JoinedPair<Left, Right>[];
  /** How many later events were not joined, because of the limit. */
  readonly cut: { readonly left: number; readonly right: number };
}

type Side = 'left' | 'right';

/** An event's data as a joined stream carries it. */
interface Sided {
  readonly side: Side;
  readonly key: string;
  /** In a list, for null is data too. */
  readonly data: readonly [JsonValue];
}

const MAX_LIMIT = 1_000;

/** @throws MillraceError `query.invalid` */
export function joinOf<Left, Right>({
  kind = 'inner',
  limit = 100,
}: JoinOptions): Aggregation<States, Joined<Left, Right>> {
  if (kind !== 'inner' && kind !== 'left') throw invalidWindow('kind', kind, 'must be inner or left');
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw invalidWindow('limit', limit, `must be a whole number from 1 to ${MAX_LIMIT}`);
  const of = (side: Side) =>
    collect((event) => (sided(event).side === side ? sided(event).data : undefined), { limit });
  return mapResult(listOf([of('left'), of('right')]), ([left, right]) =>
    pairsOf<Left, Right>(kind, left as Collected, right as Collected),
  );
}

/** The last step of a side: the event, marked with its side and key. */
export function markSide(side: Side, key: (event: Event) => string): FlowStep {
  return {
    name: 'key',
    apply(event) {
      const own = key(event);
      if (typeof own !== 'string') throw invalidWindow('key', own, 'must be a string for every event');
      // It is kept with the window: what no storage takes fails here, for itself.
      checkCommits([{ events: [], put: [['the data of an event', [[[[event.data as JsonValue]]]]]] }]);
      const marked: Sided = { side, key: own, data: [event.data as JsonValue] };
      return { ...event, data: marked };
    },
  };
}

export function joinedKey(event: Event): string {
  return sided(event).key;
}

function sided(event: Event): Sided {
  return event.data as Sided;
}

function pairsOf<Left, Right>(
  kind: 'inner' | 'left',
  left: Collected,
  right: Collected,
): Joined<Left, Right> {
  const partners = right.values.map((value) => (value as Sided['data'])[0] as Right);
  const pairs = left.values.flatMap((value): JoinedPair<Left, Right>[] => {
    const own = (value as Sided['data'])[0] as Left;
    if (partners.length > 0) return partners.map((partner) => ({ left: own, right: partner }));
    return kind === 'left' ? [{ left: own, right: null }] : [];
  });
  return { pairs, cut: { left: left.cut, right: right.cut } };
}
