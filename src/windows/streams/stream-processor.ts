/**
 * The stream processor of the specification: named windows, named processors and outputs. Every processor runs over every
 * window; a result is named by both, `per-minute.revenue`.
 *
 * @example
 * const run = new StreamProcessor({ key: 'source' })
 *   .addWindow('per-minute', tumbling(60_000))
 *   .addProcessor('revenue', createAggregationProcessor('total', 'sum'))
 *   .addOutput('print', ({ name, key, value }) => console.log(name, key, value))
 *   .open(fromBus(bus), { name: 'revenue', ports: hostPorts });
 * const stop = run.start();
 */
import { checkFunction } from '../../bus/event-handler.ts';
import type { Event } from '../../event/event.ts';
import { fromWire, toWire } from '../../event/wire.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { Aggregation } from '../aggregation.ts';
import { mapResult } from '../aggregations/aggregate.ts';
import { collect } from '../aggregations/collect.ts';
import { operationOn, type Operation, type OperationResult } from '../aggregations/operation.ts';
import type { States } from '../aggregations/list.ts';
import type { AnyAggregation, StreamWindow } from '../operator-options.ts';
import { checkTrigger } from '../trigger.ts';
import { checkWindowKind, invalidWindow, type WindowKind } from '../windows.ts';
import { openStream } from './open-stream.ts';
import { toHandler, type StreamOutput } from './outputs.ts';
import type { StreamSource } from './sources.ts';
import { keyFunction, type KeyOf, type StreamWindowOptions } from './stream.ts';
import type { PlannedWindow, StreamOptions } from './stream-plan.ts';
import type { StreamResult } from './stream-result.ts';
import type { StreamRun } from './stream-run.ts';

/** An aggregation, or a function of a window's events, in the order of their times. */
export type Processor<State extends JsonValue = JsonValue, Value = unknown> =
  | Aggregation<State, Value>
  | ((events: readonly Event[]) => Value);

export interface StreamProcessorOptions {
  /** What groups the events of a window. Default: all are together. */
  readonly key?: KeyOf | undefined;
}

/** So many events of a window and key, the earliest, are kept for a processor that is a function. */
export const MOST_PROCESSED_EVENTS = 1_000;

/**
 * One operation over one field of the data: results `{[field]: value, count}`. Events without the field are passed over,
 * and without any the result is `{[field]: null, count: 0}`.
 *
 * @throws MillraceError `query.invalid` for what is no field or no operation.
 */
export function createAggregationProcessor<Path extends string>(
  field: Path,
  operation: Operation,
): Aggregation<States, OperationResult<Path>> {
  return operationOn(field, operation);
}

type Named = Omit<StreamWindow, 'aggregation'>;

export class StreamProcessor {
  readonly #key: ((event: Event) => string) | undefined;
  readonly #windows = new Map<string, Named>();
  readonly #processors = new Map<string, AnyAggregation>();
  readonly #outputs = new Map<string, StreamOutput<StreamResult>>();

  /** @throws MillraceError `query.invalid`, as the others do for what cannot be and for a name that is taken */
  constructor({ key }: StreamProcessorOptions = {}) {
    this.#key = key === undefined ? undefined : keyFunction(key);
  }

  addWindow(
    name: string,
    windows: WindowKind,
    { trigger, allowedLatenessMs, results }: Omit<StreamWindowOptions, 'name'> = {},
  ): this {
    checkName(name, this.#windows);
    checkWindowKind(windows);
    if (trigger !== undefined) checkTrigger(trigger);
    this.#windows.set(name, { name, windows, trigger, allowedLatenessMs, results });
    return this;
  }

  addProcessor<State extends JsonValue, Value>(name: string, processor: Processor<State, Value>): this {
    checkName(name, this.#processors);
    const isFunction = typeof processor === 'function';
    if (!isFunction) checkFunction('processor', processor?.initial ?? null);
    const aggregation = isFunction ? overEvents(processor) : processor;
    this.#processors.set(name, aggregation as unknown as AnyAggregation);
    return this;
  }

  /** An output of the stream's, or a function that is called with each result. */
  addOutput(
    name: string,
    output: StreamOutput<StreamResult> | ((result: StreamResult) => unknown),
  ): this {
    checkName(name, this.#outputs);
    const given = typeof output === 'function' ? toHandler(output) : output;
    this.#outputs.set(name, { ...given, name });
    return this;
  }

  /** What was added until now, over the source. @throws MillraceError `query.invalid` where there is nothing to run */
  open(source: StreamSource, options: StreamOptions): StreamRun {
    if (this.#windows.size === 0 || this.#processors.size === 0)
      throw invalidWindow('processor', 'none', 'must have a window and a processor at least');
    const windows = [...this.#windows.values()].flatMap((window): PlannedWindow[] =>
      [...this.#processors].map(([processor, aggregation]) => ({
        window: { ...window, name: `${window.name}.${processor}`, aggregation },
      })),
    );
    const outputs = [...this.#outputs.values()];
    const plan = {
      sources: [source],
      branches: [[]],
      key: this.#key,
      windows,
      outputs,
      lateOutputs: [],
    };
    return openStream(plan, options);
  }
}

/** The window's events are its state. */
function overEvents<Value>(process: (events: readonly Event[]) => Value): Aggregation<never, Value> {
  const events = collect((event) => toWire(event) as unknown as JsonValue, {
    limit: MOST_PROCESSED_EVENTS,
  });
  const made = mapResult(events, ({ values }) => process(values.map((value) => fromWire(value))));
  return made as unknown as Aggregation<never, Value>;
}

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
/** Two of them name a result. */
const MAX_NAME_LENGTH = 24;

function checkName(name: string, taken: ReadonlyMap<string, unknown>): void {
  if (typeof name === 'string' && NAME.test(name) && name.length <= MAX_NAME_LENGTH && !taken.has(name))
    return;
  const reason = `must be its own, in lower-case words joined by dashes, ${MAX_NAME_LENGTH} characters at most`;
  throw invalidWindow('name', name, reason);
}
