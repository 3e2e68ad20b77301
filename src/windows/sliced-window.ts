/** One of the windows that are runs of slices: which slices it has, and what was handed on of it. */
import { Early } from './early-results.ts';
import type { KeyIds } from './key-ids.ts';
import { NestedMap } from './nested-map.ts';
import type { AnyAggregation, StreamWindow } from './operator-options.ts';
import { RowTable } from './row-table.ts';
import { modulo, type Slicer, type SliceRun } from './slicer.ts';
import { SlidingStacks } from './sliding-stacks.ts';
import type { Window } from './tumbling.ts';
import { WindowPlan, type Emitted } from './window-plan.ts';

/** Windows of fewer slices are put together slice by slice. */
const STACKED_SLICES = 4;

export interface SlicedWindowOptions {
  readonly window: StreamWindow;
  readonly slicer: Slicer;
  readonly run: SliceRun;
  /** The slices' rows, and the place of the window's aggregation among their tables. */
  readonly rows: RowTable;
  readonly table: number;
  readonly keys: KeyIds;
  readonly lateness: number;
}

/** One of the windows, as it runs over the family's slices. */
export class SlicedWindow extends WindowPlan {
  readonly run: SliceRun;
  /** The place of its aggregation's table. */
  readonly table: number;
  readonly beyond = new Early();
  /** By key and start, what late events have changed in this batch, and what it was before: for deltas. */
  readonly late = new NestedMap<Emitted | undefined>();
  readonly stacks: SlidingStacks | undefined;
  readonly scratch: RowTable;
  readonly #slicer: Slicer;

  constructor({ window, slicer, run, table, keys, rows, lateness }: SlicedWindowOptions) {
    super(window, lateness);
    const aggregation = window.aggregation as AnyAggregation;
    this.run = run;
    this.table = table;
    this.#slicer = slicer;
    this.scratch = new RowTable([aggregation]);
    const slides = run.step < run.length && run.length > STACKED_SLICES;
    if (slides) this.stacks = new SlidingStacks(keys, rows, table, aggregation);
  }

  /** The start of the first window that has the slice. */
  firstOf(index: number): number {
    const { length, step, phase } = this.run;
    const earliest = index - length + 1;
    return earliest + modulo(phase - earliest, step);
  }

  /** The start of the last window that has the slice. */
  lastOf(index: number): number {
    return index - modulo(index - this.run.phase, this.run.step);
  }

  boundsOf(start: number): Window {
    return { start: this.#slicer.startOf(start), end: this.endOf(start) };
  }

  /** When the window of that first slice ends. */
  endOf(start: number): number {
    return this.#slicer.startOf(start + this.run.length);
  }

  /** Whether the window of that first slice takes no event any more. */
  isOver(start: number, watermark: number): boolean {
    return this.endOf(start) + this.latenessMs <= watermark;
  }
}
