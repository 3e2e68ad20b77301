/** A part of a batch of events as columns: what all windows of a stream need of them, read once. */
import type { Event } from '../event/event.ts';
import type { EventBatch, NumberInput } from './aggregation.ts';
import type { AnyAggregation } from './operator-options.ts';

/** Small enough that a chunk's events and columns stay in the cache from one pass to the next. */
export const CHUNK_EVENTS = 1024;

interface InputColumn {
  readonly input: NumberInput;
  readonly numbers: Float64Array;
}

interface FilledBatch extends EventBatch {
  length: number;
  events: readonly Event[];
}

export class Chunk {
  length = 0;
  events: readonly Event[] = [];
  /** Of each event, in ms. */
  readonly times = new Float64Array(CHUNK_EVENTS);
  /** The id of each event's key. */
  readonly keys = new Int32Array(CHUNK_EVENTS);
  /** Where each event is to be folded: filled by one kind of windows after the other. */
  readonly rows = new Int32Array(CHUNK_EVENTS);
  /** The watermark when each event came. Filled only where `exact`. */
  readonly watermarks = new Float64Array(CHUNK_EVENTS);
  exact = false;
  /** The earliest of the times. */
  earliest = Infinity;
  /** What could not be read, or folded, and why. */
  readonly failures = new Map<number, unknown>();
  /** What the table that was filled last has refused. */
  readonly refused = new Set<number>();
  readonly #inputs = new Map<unknown, InputColumn>();
  readonly #columns: InputColumn[] = [];
  readonly #batches: FilledBatch[] = [];

  /** What a table of the aggregation needs of the events: of this chunk, then of what it is filled with next. */
  batchOf({ inputs = [] }: AnyAggregation): EventBatch {
    const numbers = inputs.map((input) => this.#column(input).numbers);
    const failed = (index: number, error: unknown): void => {
      this.failures.set(index, error);
      this.refused.add(index);
    };
    const batch: FilledBatch = { length: 0, events: [], numbers, failed };
    this.#batches.push(batch);
    return batch;
  }

  /** Reads the inputs' numbers. What cannot be read is among the `failures`. */
  readNumbers(): void {
    const { events, length } = this;
    for (const { input, numbers } of this.#columns) {
      for (let i = 0; i < length; i++) {
        try {
          numbers[i] = input.read(events[i]!);
        } catch (error) {
          numbers[i] = Number.NaN;
          this.failures.set(i, error);
        }
      }
    }
    for (const batch of this.#batches) {
      batch.length = length;
      batch.events = events;
    }
  }

  #column(input: NumberInput): InputColumn {
    const known = this.#inputs.get(input.field);
    if (known !== undefined) return known;
    const column = { input, numbers: new Float64Array(CHUNK_EVENTS) };
    this.#inputs.set(input.field, column);
    this.#columns.push(column);
    return column;
  }
}
