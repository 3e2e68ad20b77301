/** A window's definition as it runs, and what a step of it brings. */
import type { JsonValue } from '../storage/storage.ts';
import type { AnyAggregation, StreamWindow } from './operator-options.ts';
import type { RowTable } from './row-table.ts';
import type { Trigger } from './trigger.ts';
import type { Window } from './tumbling.ts';
import type { LateEvent, Processed, WindowDeadLetter, WindowUpdate } from './window-update.ts';

/** What a result was when it was handed on last. */
export interface Emitted {
  readonly revision: number;
  /** Kept for deltas alone; not the value, which need not be JSON. */
  readonly state?: JsonValue;
}

/** What a step brings, as it is gathered. */
export class Output implements Processed {
  readonly updates: WindowUpdate[] = [];
  readonly late: LateEvent[] = [];
  readonly deadLetters: WindowDeadLetter[] = [];
}

export class WindowPlan {
  readonly name: string;
  readonly latenessMs: number;
  readonly deltas: boolean;
  readonly trigger: Trigger;
  /** Whether results are handed on before the watermark has passed. */
  readonly early: boolean;
  /** Whether it must be known what was handed on. */
  readonly remembers: boolean;
  readonly #aggregation: AnyAggregation;
  #intervalAt = -Infinity;

  /** `latenessMs`: how long after its end it takes events, by the watermark. */
  constructor(window: StreamWindow, latenessMs: number) {
    this.name = window.name;
    this.#aggregation = window.aggregation;
    this.latenessMs = latenessMs;
    this.deltas = window.results === 'deltas';
    this.trigger = window.trigger ?? { on: 'watermark' };
    this.early = this.trigger.on !== 'watermark';
    this.remembers = this.early && (this.deltas || this.trigger.on === 'count');
  }

  /** Whether what has changed is due at the end of this batch, by the clock. `count` decides by what has changed. */
  isDue(now: number): boolean {
    const { trigger } = this;
    if (trigger.on !== 'interval') return true;
    // A clock that was set back does not keep the results for itself.
    if (now - this.#intervalAt < trigger.everyMs && now >= this.#intervalAt) return false;
    this.#intervalAt = now;
    return true;
  }

  /** Whether so many events have come since that a result is due. */
  isEnough(revision: number, emitted: Emitted | undefined): boolean {
    const { trigger } = this;
    return trigger.on !== 'count' || revision - (emitted?.revision ?? 0) >= trigger.every;
  }

  update(
    window: Window,
    key: string,
    revision: number,
    value: unknown,
    complete: boolean,
    before?: Emitted,
  ): WindowUpdate {
    const { name } = this;
    if (before?.state === undefined) return { name, window, key, value, revision, complete };
    const retract = this.#aggregation.result(before.state);
    return { name, window, key, value, revision, complete, retract };
  }

  removal(window: Window, key: string, revision: number, before: Emitted): WindowUpdate {
    const removed = { name: this.name, window, key, removed: true, revision, complete: true } as const;
    if (before.state === undefined) return removed;
    return { ...removed, retract: this.#aggregation.result(before.state) };
  }

  /** What is to be remembered of a result that was handed on: of a row of the window's own table. */
  emitted(table: RowTable, row: number): Emitted {
    const revision = table.revisions[row]!;
    return this.deltas ? { revision, state: table.tables[0]!.state(row) } : { revision };
  }
}
