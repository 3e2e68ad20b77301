/**
 * Windows that are runs of slices: tumbling, hopping, days. Each event is folded once, into its slice and key, however
 * many windows overlap there; a window's result is put together from its slices.
 */
import type { JsonValue, StoredValue } from '../storage/storage.ts';
import type { EventBatch } from './aggregation.ts';
import type { Chunk } from './chunk.ts';
import type { ColdSlices } from './cold-slices.ts';
import type { EarlyState } from './early-results.ts';
import type { KeyIds } from './key-ids.ts';
import type { AnyAggregation, StreamWindow } from './operator-options.ts';
import { RowTable, SCRAP_ROW } from './row-table.ts';
import { SliceAssigner } from './slice-assigner.ts';
import { SliceStore } from './slice-store.ts';
import { SlicedResults } from './sliced-results.ts';
import { SlicedWindow } from './sliced-window.ts';
import { modulo, type SlicedGroup, type Slicer } from './slicer.ts';
import type { Arrivals, WindowFamily } from './window-family.ts';
import type { Output } from './window-plan.ts';
import { putTogether } from './windows-of-key.ts';

/** No window starts before, or after, so many ms from the Unix epoch. */
const MOST_MS = 400_000_000_000_000;

const NOBODY: ReadonlySet<number> = new Set();

interface SlicedState {
  readonly [field: string]: JsonValue;
  /** The greatest index of a slice that was ever stored. */
  readonly last: number | null;
  readonly early: readonly EarlyState[];
}

export interface SlicedWindowsOptions {
  readonly name: string;
  readonly group: SlicedGroup;
  /** All windows of the stream, by whose places the group names its own; and how long each takes late events. */
  readonly windows: readonly StreamWindow[];
  readonly latenessOf: (window: StreamWindow) => number;
  readonly keys: KeyIds;
  readonly chunk: Chunk;
  readonly cold?: ColdSlices | undefined;
}

export class SlicedWindows implements WindowFamily {
  readonly name: string;
  readonly keys: KeyIds;
  readonly table: RowTable;
  readonly #slicer: Slicer;
  readonly #windows: readonly SlicedWindow[];
  /** Those that are told what was before, and the others. */
  readonly #deltas: readonly SlicedWindow[];
  readonly #accumulated: readonly SlicedWindow[];
  readonly #chunk: Chunk;
  readonly #batches: readonly EventBatch[];
  readonly #cold: ColdSlices | undefined;
  readonly #hasEarly: boolean;
  readonly #isLimited: boolean;
  readonly #store: SliceStore;
  readonly #assigner: SliceAssigner;
  readonly #results: SlicedResults;
  /** Windows that end at this slice's start, or before, are complete. */
  #cut = -Infinity;
  #cutTime = -Infinity;
  /** A slice before this one belongs to complete windows alone. */
  #hotFrom = -Infinity;
  #watermark = -Infinity;

  constructor({ name, group, windows, latenessOf, keys, chunk, cold }: SlicedWindowsOptions) {
    const { slicer, runs } = group;
    const aggregations = [
      ...new Set([...runs.keys()].map((place) => windows[place]!.aggregation as AnyAggregation)),
    ];
    this.name = name;
    this.keys = keys;
    this.table = new RowTable(aggregations);
    this.#slicer = slicer;
    this.#chunk = chunk;
    this.#batches = aggregations.map((aggregation) => chunk.batchOf(aggregation));
    this.#cold = cold;
    this.#windows = [...runs].map(([place, run]) => {
      const window = windows[place]!;
      const table = aggregations.indexOf(window.aggregation as AnyAggregation);
      const lateness = latenessOf(window);
      return new SlicedWindow({ window, slicer, run, rows: this.table, table, keys, lateness });
    });
    this.#deltas = this.#windows.filter(({ deltas }) => deltas);
    this.#accumulated = this.#windows.filter(({ deltas }) => !deltas);
    this.#hasEarly = this.#windows.some(({ early }) => early);
    this.#isLimited = this.#windows.some(({ latenessMs }) => latenessMs < Infinity);
    this.#store = new SliceStore({ slicer, keys, table: this.table, cold });
    this.#assigner = new SliceAssigner(chunk, this.#store);
    this.#results = new SlicedResults(this.#store);
  }

  get windowNames(): readonly string[] {
    return this.#windows.map(({ name }) => name);
  }

  get rows(): number {
    const stacked = this.#windows.reduce((sum, { stacks }) => sum + (stacks?.held ?? 0), 0);
    return this.table.size + stacked;
  }

  isExact(earliest: number, watermark: number): boolean {
    if (!this.#isLimited || earliest >= watermark) return false;
    const index = this.#slicer.indexOf(earliest);
    return this.#windows.some((window) => window.isOver(window.firstOf(index), watermark));
  }

  fold(output: Output): void {
    const chunk = this.#chunk;
    if (chunk.exact && this.#isLimited) this.#assigner.assignExactly(this.#windows, output);
    else this.#assigner.assign();
    const touches = this.#hasEarly || this.#cutTime > chunk.earliest;
    if (touches) this.#touch(this.#deltas, NOBODY);
    this.table.addAll(chunk, this.#batches);
    if (touches) this.#touch(this.#accumulated, chunk.refused);
  }

  advance(watermark: number, output: Output): void {
    for (const window of this.#windows) if (window.late.size > 0) this.#results.late(window, output);
    this.#watermark = watermark;
    const cut = watermark === -Infinity ? -Infinity : this.#slicer.indexOf(watermark);
    if (cut <= this.#cut) return;
    for (const window of this.#windows) this.#results.complete(window, this.#cut, cut, output);
    this.#setCut(cut);
    if (this.#cold === undefined) this.#forget();
  }

  #setCut(cut: number): void {
    this.#cut = cut;
    if (cut === -Infinity) return;
    this.#cutTime = this.#slicer.startOf(cut);
    this.#hotFrom = this.#windows.reduce((least, window) => {
      const { length, step, phase } = window.run;
      // The first window that ends after the cut.
      const from = cut - length + 1;
      return Math.min(least, from + modulo(phase - from, step));
    }, Infinity);
  }

  settle(now: number, output: Output): void {
    for (const window of this.#windows)
      if (window.early && window.isDue(now)) this.#results.early(window, output);
  }

  mayBeCold(earliest: number): boolean {
    return earliest < this.#cutTime;
  }

  async thaw({ times, keys }: Arrivals): Promise<void> {
    const needed = new Map<number, Set<string>>();
    for (const [i, time] of times.entries()) {
      const index = this.#slicer.indexOf(time);
      if (!this.#isOver(index)) this.#need(index, keys[i]!, needed);
    }
    const thawing = [...needed].map(([index, names]) =>
      this.#cold!.thaw(
        index,
        names,
        () => this.#store.open(index),
        (slice, [name, states, revision]) => this.#store.load(slice, name, states, revision),
      ),
    );
    await Promise.all(thawing);
  }

  async open(state: JsonValue | undefined, watermark: number): Promise<void> {
    this.#watermark = watermark;
    this.#setCut(watermark === -Infinity ? -Infinity : this.#slicer.indexOf(watermark));
    const { last, early } = (state ?? { last: null, early: [] }) as unknown as SlicedState;
    this.#cold!.last = last ?? -Infinity;
    const store = this.#store;
    const from = this.#hotFrom === -Infinity ? -MOST_MS : this.#slicer.startOf(this.#hotFrom);
    for await (const [start, [name, states, revision]] of this.#cold!.entries(from, MOST_MS)) {
      const index = this.#slicer.indexOf(start);
      store.load(store.whole(index) ?? store.make(index), name, states, revision);
    }
    for (const [i, { beyond }] of this.#windows.entries())
      beyond.restore(early[i] ?? [], (name) => this.keys.of(name));
  }

  save(): SlicedState {
    const last = this.#cold?.last ?? -Infinity;
    const early = this.#windows.map(({ beyond }) => beyond.save((key) => this.keys.name(key)));
    return { last: last === -Infinity ? null : last, early };
  }

  async puts(): Promise<readonly (readonly [key: string, value: StoredValue | undefined])[]> {
    const cold = this.#cold!;
    const changed: (readonly [key: string, value: StoredValue | undefined])[] = [];
    for (const slice of [...this.#store.wholes(), ...cold.slices()])
      changed.push(...(await cold.puts(slice, this.table, this.keys)));
    if (!this.#isLimited) return changed;
    const isOver = (start: number): boolean => this.#isOver(this.#slicer.indexOf(start));
    return [...changed, ...(await cold.prune(isOver, changed.length))];
  }

  committed(): void {
    this.#store.saved();
    for (const slice of this.#cold!.clear()) this.#store.release(slice);
    this.#forget();
  }

  /** Adds what the event's own slice, and complete windows that have it, need of what is not in memory. */
  #need(index: number, key: string, needed: Map<number, Set<string>>): void {
    let from = index;
    let to = index + 1;
    for (const window of this.#windows) {
      const first = window.firstOf(index);
      if (first + window.run.length > this.#cut) continue;
      from = Math.min(from, first);
      // The last that is complete.
      const last = window.lastOf(Math.min(index, this.#cut - window.run.length));
      to = Math.max(to, last + window.run.length);
    }
    for (let at = from; at < Math.min(to, this.#hotFrom); at++) {
      const isThere = this.#store.whole(at) !== undefined || this.#cold!.hasThawed(at, key);
      if (isThere || (at > this.#cold!.last && at !== index)) continue;
      let names = needed.get(at);
      if (names === undefined) needed.set(at, (names = new Set()));
      names.add(key);
    }
  }

  /** Notes which of the windows the chunk changes that are handed on besides at their end. */
  #touch(windows: readonly SlicedWindow[], refused: ReadonlySet<number>): void {
    if (windows.length === 0) return;
    const { times, keys, rows, watermarks, exact, length } = this.#chunk;
    for (let i = 0; i < length; i++) {
      if (rows[i] === SCRAP_ROW || refused.has(i)) continue;
      const index = this.#slicer.indexOf(times[i]!);
      const watermark = exact ? watermarks[i]! : -Infinity;
      for (const window of windows) this.#touchWindow(window, index, keys[i]!, watermark);
    }
  }

  #touchWindow(window: SlicedWindow, index: number, key: number, watermark: number): void {
    const { run, late, beyond, stacks } = window;
    if (stacks !== undefined && index < stacks.end) stacks.reset();
    const last = window.lastOf(index);
    if (!window.early && last === window.firstOf(index) && last + run.length > this.#cut) return;
    const starts: number[] = [];
    for (let start = window.firstOf(index); start <= last; start += run.step) {
      if (start + run.length > this.#cut) {
        if (!window.early) break;
        beyond.changed.set(start, key, true);
      } else if (!window.isOver(start, watermark) && !late.has(key, start)) starts.push(start);
    }
    if (starts.length > 0) this.#touchLate(window, key, starts);
  }

  /** Complete windows: for deltas, as they are now. */
  #touchLate(window: SlicedWindow, key: number, starts: readonly number[]): void {
    const { late, deltas, scratch } = window;
    if (!deltas) for (const start of starts) late.set(key, start, undefined);
    else
      putTogether(this.#store, window, key, starts, (start, revision) => {
        late.set(key, start, revision === 0 ? undefined : window.emitted(scratch, SCRAP_ROW));
      });
  }

  /** Lets go of slices that no window needs that may still change. */
  #forget(): void {
    const isStored = this.#cold !== undefined;
    this.#store.forget((index) => (isStored ? index < this.#hotFrom : this.#isOver(index)));
    if (this.#store.order.length === 0) for (const { stacks } of this.#windows) stacks?.reset();
  }

  /** Whether the slice is of no window that takes events yet. */
  #isOver(index: number): boolean {
    return (
      index < this.#hotFrom &&
      this.#windows.every((window) => window.isOver(window.lastOf(index), this.#watermark))
    );
  }
}
