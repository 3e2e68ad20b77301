/**
 * Streams, written as they flow: source, filter, map, key, window, aggregate, output. Each call gives a new description and
 * changes none; nothing runs before it is opened.
 *
 * One open stream over a store is one consumer: its checkpoint, its watermark, its windows and what it hands on move in
 * one commit, so a crash anywhere gives each result once.
 *
 * @example
 * const run = stream(fromStore(store, { types: ['order.placed'] }))
 *   .keyBy('source')
 *   .window(hopping(5 * 60_000, 60_000), { name: 'sales' })
 *   .aggregate({ orders: count(), total: sum('total') })
 *   .output(toDocuments('sales'))
 *   .open({ name: 'sales', ports: hostPorts });
 * const stop = run.start();
 */
import type { Event } from '../../event/event.ts';
import type { JsonValue } from '../../storage/storage.ts';
import { checkFunction } from '../../bus/event-handler.ts';
import type { Aggregation } from '../aggregation.ts';
import { aggregate, type Aggregated, type Parts } from '../aggregations/aggregate.ts';
import type { AnyAggregation, StreamWindow } from '../operator-options.ts';
import { checkTrigger } from '../trigger.ts';
import { checkWindowKind, invalidWindow, type WindowKind } from '../windows.ts';
import type { Branch, FlowStep } from './flow.ts';
import {
  funnelProgress,
  funnelTotal,
  type FunnelCounts,
  type FunnelOptions,
  type FunnelProgress,
} from './funnel.ts';
import { joinedKey, joinOf, markSide, type Joined, type JoinOptions } from './join.ts';
import { openStream } from './open-stream.ts';
import type { StreamOutput } from './outputs.ts';
import type { StreamSource } from './sources.ts';
import type { PlannedWindow, StreamOptions, StreamPlan } from './stream-plan.ts';
import type { StreamLate, StreamResult } from './stream-result.ts';
import type { StreamRun } from './stream-run.ts';
import type { AnyTotal, Total } from './total.ts';

/** Text fields of an event, by name. */
export type KeyField = 'type' | 'source' | 'subject' | 'correlationId' | 'id';
/** What groups events: a field, or what a function says. An event of which it is no string is a dead letter. */
export type KeyOf<E extends Event = Event> = KeyField | ((event: E) => string);

export interface StreamWindowOptions extends Pick<
  StreamWindow,
  'trigger' | 'allowedLatenessMs' | 'results'
> {
  /** Names its results: lower-case words joined by dashes or dots, 64 characters at most. Default: `window-` and its place. */
  readonly name?: string | undefined;
}

/** A stream of a source's events. */
export function stream<E extends Event = Event>(source: StreamSource): EventFlow<E> {
  return new EventFlow([source], []);
}

/** Events on their way to the windows. What a step throws makes the event a dead letter. */
export class EventFlow<E extends Event = Event> {
  readonly #sources: readonly StreamSource[];
  readonly #steps: Branch;

  constructor(sources: readonly StreamSource[], steps: Branch) {
    this.#sources = sources;
    this.#steps = steps;
  }

  filter<To extends E>(test: (event: E) => event is To): EventFlow<To>;
  filter(test: (event: E) => boolean): EventFlow<E>;
  filter(test: (event: E) => boolean): EventFlow<E> {
    checkFunction('test', test);
    return this.#with({
      name: 'filter',
      apply: (event) => (test(event as E) ? event : undefined),
    });
  }

  /** An event in the place of each: the stored one stays as it is. Nothing returned leaves it out. */
  map<To extends Event>(change: (event: E) => To | undefined): EventFlow<To> {
    checkFunction('change', change);
    return this.#with({ name: 'map', apply: (event) => change(event as E) });
  }

  keyBy(key: KeyOf<E>): KeyedFlow<E> {
    return new KeyedFlow(this.#sources, this.#steps, keyFunction(key));
  }

  /** All events together, of the key `''`. */
  window(kind: WindowKind, options: StreamWindowOptions = {}): WindowedFlow {
    return this.keyBy(() => '').window(kind, options);
  }

  #with<To extends Event>(step: FlowStep): EventFlow<To> {
    return new EventFlow(this.#sources, [...this.#steps, step]);
  }
}

export class KeyedFlow<E extends Event = Event> {
  readonly #sources: readonly StreamSource[];
  readonly #steps: Branch;
  readonly #key: (event: Event) => string;

  constructor(sources: readonly StreamSource[], steps: Branch, key: (event: Event) => string) {
    this.#sources = sources;
    this.#steps = steps;
    this.#key = key;
  }

  window(kind: WindowKind, options: StreamWindowOptions = {}): WindowedFlow {
    const { name } = options;
    const plan = planOf(this.#sources, [this.#steps], this.#key);
    return new WindowedFlow(plan, checkedWindow(kind, { ...options, name }, plan));
  }

  /**
   * The events of both streams that have the same key, within the same window. Both of one store, or both live.
   *
   * @throws MillraceError `query.invalid`
   */
  join<Other extends Event>(
    other: KeyedFlow<Other>,
    options: JoinOptions = {},
  ): JoinedFlow<E['data'], Other['data']> {
    const sources = [...new Set([...this.#sources, ...other.#sources])];
    const branches = [this.#side('left'), other.#side('right')];
    const join: Aggregation<JsonValue, Joined<E['data'], Other['data']>> = joinOf(options) as never;
    return new JoinedFlow(planOf(sources, branches, joinedKey), join);
  }

  /** The side's own events alone, where the other side reads more of the same store. */
  #side(side: 'left' | 'right'): Branch {
    const types = this.#sources.map((source) => (source.kind === 'store' ? source.types : undefined));
    const own = types.includes(undefined) ? undefined : new Set(types.flatMap((one) => one ?? []));
    const select: FlowStep = {
      name: 'filter',
      apply: (event) => (own === undefined || own.has(event.type) ? event : undefined),
    };
    return [select, ...this.#steps, markSide(side, this.#key)];
  }
}

/** Two streams by key. */
export class JoinedFlow<Left, Right> {
  readonly #plan: StreamPlan;
  readonly #join: Aggregation<JsonValue, Joined<Left, Right>>;

  constructor(plan: StreamPlan, join: Aggregation<JsonValue, Joined<Left, Right>>) {
    this.#plan = plan;
    this.#join = join;
  }

  /** The pairs of each window and key. */
  window(kind: WindowKind, options: StreamWindowOptions = {}): ResultFlow<Joined<Left, Right>> {
    return new WindowedFlow(this.#plan, checkedWindow(kind, options, this.#plan)).aggregate(this.#join);
  }
}

/** A window that waits for its aggregation. */
export class WindowedFlow {
  readonly #plan: StreamPlan;
  readonly #window: Omit<StreamWindow, 'aggregation'>;

  constructor(plan: StreamPlan, window: Omit<StreamWindow, 'aggregation'>) {
    this.#plan = plan;
    this.#window = window;
  }

  /** One aggregation, or several under names. @throws MillraceError `query.invalid` for none */
  aggregate<State extends JsonValue, Value>(aggregation: Aggregation<State, Value>): ResultFlow<Value>;
  aggregate<P extends Parts>(parts: P): ResultFlow<Aggregated<P>>;
  aggregate(given: AnyAggregation | Parts): ResultFlow<unknown> {
    const isOne = typeof (given as AnyAggregation).initial === 'function';
    const aggregation = isOne ? given : aggregate(given as Parts);
    const window = { ...this.#window, aggregation: aggregation as AnyAggregation };
    return new ResultFlow({ ...this.#plan, windows: [...this.#plan.windows, { window }] });
  }

  /** How many keys have come how far through the steps: keyed by visitor, a funnel of the window's visitors. */
  funnel(options: FunnelOptions): ResultFlow<FunnelCounts> {
    return this.aggregate<JsonValue, FunnelProgress>(
      funnelProgress(options) as unknown as Aggregation<JsonValue, FunnelProgress>,
    ).total(funnelTotal(options));
  }
}

/** Results, and where they go. `Value` is that of the last window. */
export class ResultFlow<Value> {
  readonly #plan: StreamPlan;

  constructor(plan: StreamPlan) {
    this.#plan = plan;
  }

  /** Another window over the same keyed events: they share what they can. */
  window(kind: WindowKind, options: StreamWindowOptions = {}): WindowedFlow {
    return new WindowedFlow(this.#plan, checkedWindow(kind, options, this.#plan));
  }

  /**
   * The last window's totals over all keys, in place of each key's results. Sessions and counted windows are each key's own,
   * and have none.
   *
   * @throws MillraceError `query.invalid`
   */
  total<State extends JsonValue, Result>(total: Total<Value, State, Result>): ResultFlow<Result> {
    const windows = [...this.#plan.windows];
    const last = windows.pop()!;
    const { kind } = last.window.windows;
    if (kind === 'session' || kind === 'count')
      throw invalidWindow('total', kind, 'needs windows that all keys share');
    const totalled: PlannedWindow = { ...last, total: total as unknown as AnyTotal };
    return new ResultFlow({ ...this.#plan, windows: [...windows, totalled] });
  }

  /** Hands each result of every window on. Several outputs are called in turn. */
  output(output: StreamOutput<StreamResult<Value>>): ResultFlow<Value> {
    const outputs = [...this.#plan.outputs, output as unknown as StreamOutput<StreamResult<never>>];
    return new ResultFlow({ ...this.#plan, outputs });
  }

  /** Hands on the events that came later than `allowedLatenessMs`, once for each window that has refused them. */
  outputLate(output: StreamOutput<StreamLate>): ResultFlow<Value> {
    return new ResultFlow({ ...this.#plan, lateOutputs: [...this.#plan.lateOutputs, output] });
  }

  /** @throws MillraceError `query.invalid` for a definition that cannot be */
  open(options: StreamOptions): StreamRun {
    return openStream(this.#plan, options);
  }
}

function planOf(
  sources: readonly StreamSource[],
  branches: readonly Branch[],
  key: (event: Event) => string,
): StreamPlan {
  return { sources, branches, key, windows: [], outputs: [], lateOutputs: [] };
}

/** @throws MillraceError `query.invalid` */
export function keyFunction<E extends Event>(key: KeyOf<E>): (event: Event) => string {
  if (typeof key === 'function') return key as (event: Event) => string;
  if (!['type', 'source', 'subject', 'correlationId', 'id'].includes(key))
    throw invalidWindow('key', key, 'must be a text field of the event, or a function');
  return (event) => event[key]!;
}

const NAME = /^[a-z0-9]+([-.][a-z0-9]+)*$/;
const MAX_NAME_LENGTH = 64;

function checkedWindow(
  windows: WindowKind,
  { name, ...options }: StreamWindowOptions,
  plan: StreamPlan,
): Omit<StreamWindow, 'aggregation'> {
  const own = name ?? `window-${plan.windows.length + 1}`;
  if (!NAME.test(own) || own.length > MAX_NAME_LENGTH) {
    const reason = `must be lower-case words joined by dashes or dots, ${MAX_NAME_LENGTH} characters at most`;
    throw invalidWindow('name', own, reason);
  }
  if (plan.windows.some(({ window }) => window.name === own))
    throw invalidWindow('name', own, 'must be its own among the stream’s windows');
  checkWindowKind(windows);
  if (options.trigger !== undefined) checkTrigger(options.trigger);
  return { ...options, name: own, windows };
}
