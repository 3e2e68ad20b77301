/**
 * Folds a chunk's events one at a time: for an aggregation that may refuse an event, where what it changes besides its
 * row is to change only if it does not.
 */
import type { Event } from '../event/event.ts';
import type { EventBatch } from './aggregation.ts';
import type { Chunk } from './chunk.ts';
import type { RowTable } from './row-table.ts';

export class OneEvent {
  readonly #chunk: Chunk;
  readonly #numbers: readonly Float64Array[];
  readonly #events: Event[] = [];
  readonly #rows = new Int32Array(1);
  readonly #batch: EventBatch;
  #index = 0;
  #isRefused = false;

  constructor(chunk: Chunk, { numbers }: EventBatch) {
    this.#chunk = chunk;
    this.#numbers = numbers;
    const failed = (_: number, error: unknown): void => {
      this.#chunk.failures.set(this.#index, error);
      this.#isRefused = true;
    };
    const own = numbers.map(() => new Float64Array(1));
    this.#batch = { length: 1, events: this.#events, numbers: own, failed };
  }

  /** Folds the chunk's event i into the row of the one table. Whether it was taken: where not, it is a failure of the chunk. */
  fold(i: number, table: RowTable, row: number): boolean {
    this.#events[0] = this.#chunk.events[i]!;
    for (const [n, column] of this.#numbers.entries()) this.#batch.numbers[n]![0] = column[i]!;
    this.#rows[0] = row;
    this.#index = i;
    this.#isRefused = false;
    table.tables[0]!.addAll(this.#rows, this.#batch);
    if (this.#isRefused) return false;
    table.revisions[row]!++;
    return true;
  }
}
