/**
 * The most frequent values of a field: counted one by one while the different values are few, beyond that by the summary
 * of Misra and Gries (Finding repeated elements, 1982), which merges (Agarwal et al., Mergeable Summaries, 2012).
 */
import type { Event } from '../../event/event.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { Accumulator, Aggregation } from '../aggregation.ts';
import { byAccumulator } from './accumulators.ts';
import { fieldReader, invalidOption, invalidValue, type Field } from './field.ts';
import { valueText } from './value-text.ts';

export interface TopKOptions {
  /** The most different values that are counted. From `k` to 100,000. Default: 1,000, or 10 × k where that is more. */
  readonly capacity?: number | undefined;
}

export interface TopK {
  /** The most frequent first; of equally frequent ones, the one whose JSON comes first. */
  readonly top: readonly { readonly value: JsonValue; readonly count: number }[];
  /**
   * No count is too great, and none is too small by more than this. 0 as long as there were no more different values than
   * `capacity`, else at most the events / (capacity + 1).
   */
  readonly error: number;
}

/** The error, and the values' JSON with their counts, by text. */
export type TopKState = readonly [
  error: number,
  counts: readonly (readonly [text: string, count: number])[],
];

const MAX_K = 10_000;
const MAX_CAPACITY = 100_000;
const MAX_TEXT = 1024;

/**
 * The `k` most frequent values of the field. While there are no more than `capacity` different ones, the result is exact and
 * depends on no order. Beyond, a value that came more often than `error` is never missing among those counted, but
 * which of those within `error` of each other are shown, and with what counts, may depend on the order of the events.
 *
 * A value whose JSON is longer than 1,024 characters is refused with `value.invalid`.
 *
 * @throws MillraceError `query.invalid` for what is no field, or a `k` or a capacity out of bounds.
 */
export function topK(
  field: Field,
  k: number,
  { capacity = Math.max(1000, Math.min(10 * k, MAX_CAPACITY)) }: TopKOptions = {},
): Aggregation<TopKState, TopK> {
  if (!Number.isInteger(k) || k < 1 || k > MAX_K)
    throw invalidOption('/k', k, `must be a whole number from 1 to ${MAX_K}`);
  if (!Number.isInteger(capacity) || capacity < k || capacity > MAX_CAPACITY)
    throw invalidOption('/capacity', capacity, `must be a whole number from k to ${MAX_CAPACITY}`);
  const reader = textReader(field);
  return byAccumulator(
    (): TopKState => [0, []],
    () => new TopKAccumulator(reader, k, capacity),
  );
}

type TextReader = (event: Event) => string | undefined;

function textReader(field: Field): TextReader {
  const reader = fieldReader(field);
  return (event) => {
    const value = reader(event);
    if (value === undefined) return undefined;
    const text = valueText(value);
    if (text.length <= MAX_TEXT) return text;
    throw invalidValue(event, field, value, `must have ${MAX_TEXT} characters of JSON at most`);
  };
}

class TopKAccumulator implements Accumulator<TopKState, TopK> {
  readonly #reader: TextReader;
  readonly #k: number;
  readonly #capacity: number;
  #counts = new Map<string, number>();
  #error = 0;

  constructor(reader: TextReader, k: number, capacity: number) {
    this.#reader = reader;
    this.#k = k;
    this.#capacity = capacity;
  }

  read(event: Event): string | undefined {
    return this.#reader(event);
  }

  fold(text: string | undefined): void {
    if (text === undefined) return;
    this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
    // What comes on top of a full summary came once, and so is the least.
    if (this.#counts.size > this.#capacity) this.#lower(1);
  }

  merge(from: TopKAccumulator): void {
    this.#error += from.#error;
    for (const [text, count] of from.#counts)
      this.#counts.set(text, (this.#counts.get(text) ?? 0) + count);
    if (this.#counts.size <= this.#capacity) return;
    const counts = Float64Array.from(this.#counts.values()).toSorted();
    this.#lower(counts.at(-1 - this.#capacity)!);
  }

  state(): TopKState {
    return [this.#error, [...this.#counts].toSorted(([left], [right]) => (left < right ? -1 : 1))];
  }

  load([error, counts]: TopKState): void {
    this.#error = error;
    this.#counts = new Map(counts);
  }

  result(): TopK {
    const sorted = [...this.#counts].toSorted(
      ([leftText, left], [rightText, right]) => right - left || (leftText < rightText ? -1 : 1),
    );
    const top = sorted
      .slice(0, this.#k)
      .map(([text, count]) => ({ value: JSON.parse(text) as JsonValue, count }));
    return { top, error: this.#error };
  }

  /** Takes the same from every count, and forgets those that come to nothing. */
  #lower(by: number): void {
    this.#error += by;
    for (const [text, count] of this.#counts) {
      if (count > by) this.#counts.set(text, count - by);
      else this.#counts.delete(text);
    }
  }
}
