/** Dead letters of a stream: events and results that a step could not take, kept with the reason. The stream goes on. */
import { isWireError } from '../../errors.ts';
import type { Event } from '../../event/event.ts';
import { decodeLine } from '../../event/wire.ts';
import type { Position } from '../../storage/position.ts';
import type { JsonValue, Storage, StoredValue } from '../../storage/storage.ts';
import type { WindowUpdate } from '../window-update.ts';

/** Shaped as a bus's `HandlerDeadLetter`. */
export interface StreamDeadLetter {
  /** Unique in its stream. The same step failing on the same thing again has the same. */
  readonly id: string;
  /** Which step has failed: `source`, `filter`, `map`, `key`, `window`, `result`, `total`, or `output` and its name. */
  readonly handler: string;
  readonly reason: string;
  readonly code?: string;
  /** How often it was called. */
  readonly attempts: number;
  /** When it was given up, in ms since the Unix epoch. */
  readonly at: number;
  /** Where the event stands, if in a log. */
  readonly position?: Position;
  /** As the source has it. None where it cannot be read, or where a result is the matter. */
  readonly event?: Event;
  /** What could not be made, or handed on: without its value where there is none. */
  readonly result?: Omit<WindowUpdate, 'value' | 'retract'>;
}

/** Where an event came from, as its dead letter names it. */
export interface Origin {
  readonly event?: Event | undefined;
  readonly position?: Position | undefined;
  readonly line?: string | undefined;
}

/** A dead letter before it is kept. */
export interface Failure {
  readonly id: string;
  readonly handler: string;
  readonly error: unknown;
  readonly attempts?: number;
  readonly origin?: Origin;
  readonly result?: WindowUpdate;
}

export function deadLetter(failure: Failure, at: number): StreamDeadLetter {
  const { id, handler, error, attempts = 1, origin, result } = failure;
  return {
    id,
    handler,
    reason: error instanceof Error ? error.message : String(error),
    ...(isWireError(error) && { code: error.code }),
    attempts,
    at,
    ...(origin?.position !== undefined && { position: origin.position }),
    ...(origin?.event !== undefined && { event: origin.event }),
    ...(result !== undefined && { result: withoutValue(result) }),
  };
}

const DEFAULT_LIMIT = 100;
/** So many are kept in memory. */
const MOST_LETTERS = 1_000;

export interface DeadLettersOptions {
  /** Only those whose id is greater. */
  readonly after?: string | undefined;
  /** Default: 100. */
  readonly limit?: number | undefined;
}

/** Dead letters in a log's storage, each under the id of what has failed: kept until they are dropped. */
export class StoredDeadLetters {
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, stream: string) {
    this.#storage = storage;
    this.#prefix = `stream/${stream}/dead/`;
  }

  entry(failure: Failure, at: number): readonly [key: string, value: JsonValue] {
    const { event: _event, ...letter } = deadLetter(failure, at);
    const line = failure.origin?.line;
    const kept = { ...letter, ...(line !== undefined && { line }) };
    return [this.#prefix + failure.id, kept as unknown as JsonValue];
  }

  async list({ after = '', limit = DEFAULT_LIMIT }: DeadLettersOptions): Promise<StreamDeadLetter[]> {
    const options = { after: this.#prefix + after, limit };
    const entries = await this.#storage.list(this.#prefix, options);
    return entries.map(([, value]) => decoded(value));
  }

  async drop(ids: readonly string[]): Promise<void> {
    const put = ids.map((id) => [this.#prefix + id, undefined] as const);
    await this.#storage.commit([{ events: [], put }]);
  }
}

/** The last dead letters, in memory: the oldest gives way, and is counted. */
export class RecentDeadLetters {
  readonly #letters = new Map<string, StreamDeadLetter>();
  #dropped = 0;

  get dropped(): number {
    return this.#dropped;
  }

  add(failure: Failure, at: number): void {
    this.#letters.set(failure.id, deadLetter(failure, at));
    if (this.#letters.size <= MOST_LETTERS) return;
    this.#letters.delete(this.#letters.keys().next().value!);
    this.#dropped++;
  }

  list({ after = '', limit = DEFAULT_LIMIT }: DeadLettersOptions): StreamDeadLetter[] {
    const ids = [...this.#letters.keys()].filter((id) => id > after).toSorted();
    return ids.slice(0, limit).map((id) => this.#letters.get(id)!);
  }

  drop(ids: readonly string[]): void {
    for (const id of ids) this.#letters.delete(id);
  }
}

function decoded(value: StoredValue): StreamDeadLetter {
  const { line, ...letter } = value as unknown as StreamDeadLetter & { readonly line?: string };
  const event = line === undefined ? undefined : decodedOrNothing(line);
  return event === undefined ? letter : { ...letter, event };
}

/** It may be what could not be read. */
function decodedOrNothing(line: string): Event | undefined {
  try {
    return decodeLine(line);
  } catch {
    return undefined;
  }
}

function withoutValue(result: WindowUpdate): Omit<WindowUpdate, 'value' | 'retract'> {
  const { value: _value, retract: _retract, ...place } = result;
  return place;
}
