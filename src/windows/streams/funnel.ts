/** Funnels: how far visitors come through steps in their order, within a time. */
import type { Event } from '../../event/event.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { Aggregation } from '../aggregation.ts';
import { mapResult } from '../aggregations/aggregate.ts';
import { collect, type Collected } from '../aggregations/collect.ts';
import { listOf, type States } from '../aggregations/list.ts';
import { invalidWindow } from '../windows.ts';
import type { Total } from './total.ts';

export interface FunnelStep {
  readonly name: string;
  /** Events of this type, or those of which it is true. */
  readonly when: string | ((event: Event) => boolean);
}

export interface FunnelOptions {
  /** At least two, each with a name of its own. One event takes one step, however many it fits. */
  readonly steps: readonly FunnelStep[];
  /** The last step is taken no later than so many ms after the first. */
  readonly withinMs: number;
  /** The most events of each step, visitor and window that are looked at: the earliest. From 1 to 10,000. Default: 100. */
  readonly limit?: number | undefined;
}

/** One visitor's way in one window. */
export interface FunnelProgress {
  /** How many steps were taken, at the best try. */
  readonly reached: number;
  /** How many later events were not looked at, because of the limit. */
  readonly cut: number;
}

export interface FunnelCounts {
  readonly steps: readonly {
    readonly name: string;
    /** How many visitors have come so far, or farther. */
    readonly visitors: number;
    /** Their share of those that the step before has; 1 for the first, null of none. */
    readonly ofPrevious: number | null;
    /** Their share of those that the first step has; null of none. */
    readonly ofFirst: number | null;
  }[];
  /** The share of the last step's visitors in the first's; null of none. */
  readonly conversion: number | null;
}

/**
 * How far the events of one key come through the funnel. A step follows on another if its event is later: of events of one
 * time, the one with the greater id. Keyed by visitor, all steps in the same window.
 *
 * @throws MillraceError `query.invalid`
 */
export function funnelProgress(options: FunnelOptions): Aggregation<States, FunnelProgress> {
  check(options);
  const { steps, withinMs, limit } = options;
  const places = steps.map(({ when }) => {
    const fits = typeof when === 'string' ? ({ type }: Event) => type === when : when;
    return collect((event) => (fits(event) ? [event.timestamp, event.id] : undefined), { limit });
  });
  return mapResult(listOf(places), (collected) => {
    const all = collected as readonly Collected[];
    const reached = reachedOf(
      all.map(({ values }) => values as unknown as readonly Place[]),
      withinMs,
    );
    return { reached, cut: all.reduce((sum, { cut }) => sum + cut, 0) };
  });
}

/** Counts visitors by how far they have come. */
export function funnelTotal({
  steps,
}: Pick<FunnelOptions, 'steps'>): Total<FunnelProgress, readonly number[], FunnelCounts> {
  const moved = (state: readonly number[], { reached }: FunnelProgress, by: number) =>
    state.map((visitors, step) => (step < reached ? visitors + by : visitors));
  return {
    initial: () => steps.map(() => 0),
    add: (state, progress) => moved(state, progress, 1),
    subtract: (state, progress) => moved(state, progress, -1),
    result: (state) => ({
      steps: steps.map(({ name }, i) => ({
        name,
        visitors: state[i]!,
        ofPrevious: i === 0 ? 1 : share(state[i]!, state[i - 1]!),
        ofFirst: share(state[i]!, state[0]!),
      })),
      conversion: share(state.at(-1)!, state[0]!),
    }),
  };
}

type Place = readonly [timestamp: number, id: string] & readonly JsonValue[];

/**
 * For each number of steps, the latest start that has come so far: a later one leaves more time. One pass over the events
 * in their order.
 */
function reachedOf(steps: readonly (readonly Place[])[], withinMs: number): number {
  const events = steps
    .flatMap((places, step) => places.map((place) => ({ place, step })))
    // An event that fits several steps takes the farthest first, so that it does not follow on itself.
    .toSorted((a, b) => comparePlaces(a.place, b.place) || b.step - a.step);
  const starts: number[] = [];
  let reached = 0;
  for (const { place, step } of events) {
    const [time] = place;
    const start = step === 0 ? time : starts[step - 1];
    if (start === undefined || time - start > withinMs) continue;
    starts[step] = Math.max(starts[step] ?? -Infinity, start);
    reached = Math.max(reached, step + 1);
  }
  return reached;
}

function comparePlaces([leftTime, leftId]: Place, [rightTime, rightId]: Place): number {
  return leftTime - rightTime || (leftId < rightId ? -1 : Number(leftId > rightId));
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function check({ steps, withinMs }: FunnelOptions): void {
  const names = new Set(steps.map(({ name }) => name));
  if (steps.length < 2 || names.size < steps.length)
    throw invalidWindow('steps', steps.length, 'must be two at least, each with a name of its own');
  if (!Number.isInteger(withinMs) || withinMs < 1)
    throw invalidWindow('withinMs', withinMs, 'must be a whole number of ms from 1 on');
}
