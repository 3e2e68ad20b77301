/** From windows' updates to a stream's results: failed ones are dead letters, and totals are put together. */
import type { JsonValue, MaybePromise } from '../../storage/storage.ts';
import { aggregate } from '../aggregations/aggregate.ts';
import { count } from '../aggregations/count.ts';
import { keySlot, sortableTime } from '../key-slot.ts';
import type { StreamWindow } from '../operator-options.ts';
import type { WindowUpdate } from '../window-update.ts';
import { invalidWindow } from '../windows.ts';
import type { Again, DeadResult, Failure } from './dead-letters.ts';
import { attempt, guarded, type Guarded } from './guarded.ts';
import type { PlannedWindow } from './stream-plan.ts';
import type { AnyTotal } from './total.ts';

/** A window's total, as it is kept. */
export interface KeptTotal {
  readonly [field: string]: JsonValue;
  readonly state: JsonValue;
  /** How many events are in it. */
  readonly revision: number;
  readonly end: number;
}

/** Where totals are kept between two steps. */
export interface Totals {
  get(place: string): MaybePromise<KeptTotal | undefined>;
  set(place: string, total: KeptTotal): void;
}

export interface Results {
  readonly updates: readonly WindowUpdate[];
  readonly failures: readonly Failure[];
}

/** What a key adds to a total: its value, and how many events are in it, for the total's own revision. */
interface Part {
  readonly value: never;
  readonly events: number;
}

interface Changed {
  readonly total: AnyTotal;
  readonly state: JsonValue;
  readonly revision: number;
  /** The last update that changed it; complete where one of them was. */
  readonly update: WindowUpdate<Guarded>;
}

export class ResultMaker {
  /** The windows as the operator runs them. */
  readonly windows: readonly StreamWindow[];
  readonly #totals = new Map<string, AnyTotal>();

  constructor(planned: readonly PlannedWindow[]) {
    // Windows that are given the same aggregation share its state: they do so here, too.
    const shared = new Map<unknown, StreamWindow['aggregation']>();
    this.windows = planned.map(({ window, total }) => {
      const { aggregation } = window;
      if (total !== undefined) {
        this.#totals.set(window.name, total);
        const part = guarded(aggregate({ value: aggregation, events: count() }));
        return { ...window, aggregation: part, results: 'deltas' };
      }
      const own = shared.get(aggregation) ?? guarded(aggregation);
      shared.set(aggregation, own);
      return { ...window, aggregation: own };
    });
  }

  /**
   * A result whose making has failed, made anew of its state: to be handed to `make`. Of a total, as it is handed on.
   *
   * @throws MillraceError `query.invalid` where the stream has no such window any more; what making the total throws
   */
  remake(
    { name, window, key, revision, complete }: DeadResult,
    { kind, state }: Extract<Again, { readonly state: JsonValue }>,
  ): WindowUpdate {
    const place = { name, window, key, revision, complete };
    const total = this.#totals.get(name);
    const own = this.windows.find((one) => one.name === name);
    if (own === undefined || (kind === 'total' && total === undefined))
      throw invalidWindow('name', name, 'must be a window of the stream still');
    if (kind === 'result') return { ...place, value: own.aggregation.result(state) };
    const made = attempt(() => total!.result(state));
    if (made.error !== undefined) throw made.error;
    return { ...place, value: made.value };
  }

  /** The windows that have totals. */
  get totalled(): readonly StreamWindow[] {
    return this.windows.filter(({ name }) => this.#totals.has(name));
  }

  async make(updates: readonly WindowUpdate[], kept: Totals): Promise<Results> {
    const made: WindowUpdate[] = [];
    const failures: Failure[] = [];
    const changed = new Map<string, Changed>();
    for (const update of updates as readonly WindowUpdate<Guarded>[]) {
      const total = this.#totals.get(update.name);
      if (update.value?.error !== undefined)
        failures.push(failureOf('result', update.value.error, update, update.value.state));
      if (total !== undefined) {
        const place = totalPlace(update);
        const before = changed.get(place) ?? (await kept.get(place));
        changed.set(place, added(total, update, before, failures));
      } else if (update.value?.error === undefined) made.push(opened(update));
    }
    for (const [place, { total, state, revision, update }] of changed) {
      kept.set(place, { state, revision, end: update.window.end });
      const whole = { ...update, key: '', revision };
      const result = attempt(() => total.result(state));
      if (result.error !== undefined) failures.push(failureOf('total', result.error, whole, state));
      else {
        const { name, window, key, complete } = whole;
        made.push({ name, window, key, value: result.value, revision, complete });
      }
    }
    return { updates: made, failures };
  }
}

function added(
  total: AnyTotal,
  update: WindowUpdate<Guarded>,
  before: Partial<Changed> | KeptTotal | undefined,
  failures: Failure[],
): Changed {
  const { state = total.initial(), revision = 0 } = (before ?? {}) as Partial<KeptTotal>;
  const earlier = before as Partial<Changed> | undefined;
  const complete = update.complete || earlier?.update?.complete === true;
  const now = { total, update: { ...update, complete } as WindowUpdate<Guarded> };
  const old = update.retract?.value as unknown as Part | undefined;
  const part = update.value?.value as unknown as Part | undefined;
  try {
    let next = state;
    if (old !== undefined) next = total.subtract(next, old.value);
    if (part !== undefined) next = total.add(next, part.value);
    return { ...now, state: next, revision: revision + (part?.events ?? 0) - (old?.events ?? 0) };
  } catch (error) {
    failures.push(failureOf('total', error, update));
    return { ...now, state, revision };
  }
}

/** The update with the values themselves. What could not be made before was never handed on, and is not taken back. */
function opened(update: WindowUpdate<Guarded>): WindowUpdate {
  const { retract, value, ...rest } = update;
  return {
    ...rest,
    ...(value !== undefined && { value: value.value }),
    ...(retract?.value !== undefined && { retract: retract.value }),
  } as WindowUpdate;
}

/** What the places of a window's totals begin with, in the order of their starts. */
export function totalsOf(name: string): string {
  return `${keySlot(name)}/`;
}

function totalPlace({ name, window }: WindowUpdate): string {
  return `${totalsOf(name)}${sortableTime(window.start)}`;
}

/** With the state of which the result was to be made, it can be made again: it is all that was handed on of the window. */
function failureOf(
  step: 'result' | 'total',
  error: unknown,
  result: WindowUpdate<Guarded>,
  state?: JsonValue,
): Failure {
  const id = `${step}/${resultPlace(result)}`;
  const again: Again | undefined = state === undefined ? undefined : { kind: step, state };
  return { id, step, error, result, ...(again !== undefined && { again }) };
}

/** Of a window's result, as dead letters name it. */
export function resultPlace({
  name,
  key,
  window,
}: Pick<WindowUpdate, 'name' | 'key' | 'window'>): string {
  return keySlot(`${name} ${window.start} ${window.end} ${key}`);
}
