/**
 * Windows of so many events of a key, in the order in which they came, and the global window, which is one of no end. A
 * key's events are folded into panes of as many events as the size and the slide have in common.
 */
import type { JsonValue, StoredValue } from '../storage/storage.ts';
import type { EventBatch } from './aggregation.ts';
import type { Chunk } from './chunk.ts';
import type { ColdKeys } from './cold-keys.ts';
import { CountedKeys, type CountedKey } from './counted-keys.ts';
import type { KeyIds } from './key-ids.ts';
import { OneEvent } from './one-event.ts';
import type { AnyAggregation, StreamWindow } from './operator-options.ts';
import { RowTable, SCRAP_ROW } from './row-table.ts';
import type { Window } from './tumbling.ts';
import type { Arrivals, WindowFamily } from './window-family.ts';
import { WindowPlan, type Output } from './window-plan.ts';
import { EARLIEST, END_OF_TIME } from './time-range.ts';

export interface CountedWindowsOptions {
  readonly window: StreamWindow;
  /** Events; `Infinity` is the global window. */
  readonly size: number;
  readonly slide: number;
  readonly keys: KeyIds;
  readonly chunk: Chunk;
  readonly cold?: ColdKeys | undefined;
}

export class CountedWindows implements WindowFamily {
  readonly name: string;
  readonly #plan: WindowPlan;
  readonly #pane: number;
  /** In panes. */
  readonly #size: number;
  readonly #slide: number;
  readonly #keys: KeyIds;
  readonly #chunk: Chunk;
  readonly #table: RowTable;
  readonly #scratch: RowTable;
  readonly #batches: readonly EventBatch[];
  readonly #cold: ColdKeys | undefined;
  readonly #counted: CountedKeys;
  /** For an aggregation that may refuse an event. */
  readonly #one: OneEvent | undefined;
  #changed = new Set<CountedKey>();
  #waiting = new Set<CountedKey>();
  #hasEnded = false;
  /** Keys that were read back because the stream has ended, and what is stored behind which of them is not yet. */
  #ending: CountedKey[] = [];
  #endingAfter: string | null = null;

  constructor({ window, size, slide, keys, chunk, cold }: CountedWindowsOptions) {
    const aggregation = window.aggregation as AnyAggregation;
    this.name = `count-${window.name}`;
    // It knows no lateness.
    this.#plan = new WindowPlan(window, Infinity);
    this.#pane = size === Infinity ? Infinity : gcd(size, slide);
    this.#size = size === Infinity ? 1 : size / this.#pane;
    this.#slide = size === Infinity ? 1 : slide / this.#pane;
    this.#keys = keys;
    this.#chunk = chunk;
    this.#table = new RowTable([aggregation]);
    this.#scratch = new RowTable([aggregation]);
    this.#batches = [chunk.batchOf(aggregation)];
    this.#cold = cold;
    this.#counted = new CountedKeys(keys, this.#table);
    if (this.#table.tables[0]!.fallible) this.#one = new OneEvent(chunk, this.#batches[0]!);
  }

  get windowNames(): readonly string[] {
    return [this.#plan.name];
  }

  get rows(): number {
    return this.#table.size;
  }

  isExact(): boolean {
    return false;
  }

  fold(): void {
    if (this.#one !== undefined) return this.#foldEach(this.#one);
    const { keys, rows, length } = this.#chunk;
    for (let i = 0; i < length; i++) {
      const counted = this.#counted.get(keys[i]!) ?? this.#counted.begin(keys[i]!);
      rows[i] = counted.rows[this.#paneOf(counted)] ?? this.#counted.addPane(counted);
      this.#take(counted);
    }
    this.#table.addAll(this.#chunk, this.#batches);
  }

  /** An event that is refused counts for nothing: the next one has its place. */
  #foldEach(one: OneEvent): void {
    const { keys, length } = this.#chunk;
    for (let i = 0; i < length; i++) {
      const counted = this.#counted.get(keys[i]!) ?? this.#counted.begin(keys[i]!);
      const known = counted.rows[this.#paneOf(counted)];
      const row = known ?? this.#counted.addPane(counted);
      if (one.fold(i, this.#table, row)) this.#take(counted);
      else if (known === undefined) this.#table.free(counted.rows.pop()!);
      if (counted.seen === 0) this.#letGo(counted);
    }
  }

  /** Which of the key's panes the next event belongs to. */
  #paneOf({ seen, first }: CountedKey): number {
    return (this.#pane === Infinity ? 0 : Math.floor(seen / this.#pane)) - first;
  }

  #take(counted: CountedKey): void {
    counted.seen++;
    if (counted.changed) return;
    counted.changed = true;
    this.#changed.add(counted);
  }

  advance(watermark: number, output: Output): void {
    for (const counted of this.#changed) {
      counted.changed = false;
      counted.dirty = true;
      this.#complete(counted, output);
      if (this.#hasEnded) this.#end(counted, output);
      else if (this.#plan.early) this.#waiting.add(counted);
    }
    this.#changed = new Set();
    for (const counted of this.#ending) this.#end(counted, output);
    this.#ending = [];
    if (watermark < END_OF_TIME || this.#hasEnded) return;
    this.#hasEnded = true;
    for (const counted of this.#counted.all()) this.#end(counted, output);
  }

  settle(now: number, output: Output): void {
    if (this.#waiting.size === 0 || !this.#plan.isDue(now)) return;
    // Those that have not changed enough yet are looked at again when they change.
    for (const counted of this.#waiting) this.#emitOpen(counted, output);
    this.#waiting.clear();
  }

  mayBeCold(): boolean {
    return true;
  }

  async thaw({ keys }: Arrivals): Promise<void> {
    const names = new Set(keys);
    for (const name of names) {
      if (this.#counted.get(this.#keys.of(name)) !== undefined) names.delete(name);
    }
    await Promise.all(
      [...names].map(async (name) => {
        const stored = await this.#cold!.get(name);
        if (stored !== undefined) this.#counted.load(stored);
      }),
    );
  }

  async thawNext(): Promise<boolean> {
    if (this.#pane !== Infinity || (this.#hasEnded && this.#endingAfter === null)) return false;
    const { kept, next } = await this.#cold!.page(this.#endingAfter);
    this.#endingAfter = next;
    for (const one of kept) {
      if (one.done === one.seen || this.#counted.get(this.#keys.of(one.name)) !== undefined) continue;
      const counted = this.#counted.load(one);
      if (this.#hasEnded) this.#ending.push(counted);
    }
    return next !== null;
  }

  async open(state: JsonValue | undefined): Promise<void> {
    const { waiting, ended, endingAfter } = (state ?? NOTHING) as unknown as CountedState;
    this.#hasEnded = ended;
    this.#endingAfter = endingAfter;
    for (const name of waiting) {
      const stored = await this.#cold!.get(name);
      if (stored !== undefined) this.#waiting.add(this.#counted.load(stored));
    }
  }

  save(): CountedState {
    const waiting = Array.from(this.#waiting, ({ key }) => this.#keys.name(key));
    return { waiting, ended: this.#hasEnded, endingAfter: this.#endingAfter };
  }

  async puts(): Promise<readonly (readonly [key: string, value: StoredValue | undefined])[]> {
    const changed = [...this.#counted.all()].filter(({ dirty }) => dirty);
    return changed.map((counted) => this.#cold!.put(this.#counted.kept(counted)));
  }

  committed(): void {
    for (const counted of this.#counted.all()) {
      counted.dirty = false;
      if (!this.#waiting.has(counted)) this.#letGo(counted);
    }
  }

  /** Hands on the windows that are full, and lets their panes go. */
  #complete(counted: CountedKey, output: Output): void {
    if (this.#pane === Infinity) return;
    const full = Math.floor(counted.seen / this.#pane);
    for (;;) {
      const window = Math.ceil(counted.first / this.#slide);
      if (window * this.#slide + this.#size > full) break;
      this.#emit(counted, window, true, output);
      counted.emitted.delete(window);
      const kept = (window + 1) * this.#slide - counted.first;
      for (const row of counted.rows.splice(0, kept)) this.#table.free(row);
      counted.first = (window + 1) * this.#slide;
    }
  }

  /** Hands on the windows that have begun. */
  #emitOpen(counted: CountedKey, output: Output): void {
    const begun = this.#pane === Infinity ? 1 : Math.ceil(counted.seen / this.#pane);
    for (let window = Math.ceil(counted.first / this.#slide); window * this.#slide < begun; window++) {
      const revision = this.#merge(counted, window);
      const before = counted.emitted.get(window);
      if (revision !== before?.revision && this.#plan.isEnough(revision, before))
        this.#emit(counted, window, false, output);
    }
  }

  /** The stream has ended: a global window is complete, and what is not full never will be. */
  #end(counted: CountedKey, output: Output): void {
    if (this.#pane === Infinity && counted.done !== counted.seen) {
      this.#emit(counted, 0, true, output);
      counted.done = counted.seen;
      counted.dirty = true;
    }
    this.#waiting.delete(counted);
    if (this.#cold === undefined) this.#letGo(counted);
  }

  #emit(counted: CountedKey, window: number, complete: boolean, output: Output): void {
    const revision = this.#merge(counted, window);
    if (revision === 0) return;
    const name = this.#keys.name(counted.key);
    const before = counted.emitted.get(window);
    const value = this.#scratch.tables[0]!.result(SCRAP_ROW);
    const bounds = this.#boundsOf(window);
    output.updates.push(this.#plan.update(bounds, name, revision, value, complete, before));
    // A full one does not change; the global one does where an event comes after the end.
    if (complete && this.#pane !== Infinity) return;
    if (!this.#plan.remembers && !(complete && this.#plan.deltas)) return;
    counted.emitted.set(window, this.#plan.emitted(this.#scratch, SCRAP_ROW));
    counted.dirty = true;
  }

  /** Puts the window together in the scratch row. Gives its revision. */
  #merge({ first, rows }: CountedKey, window: number): number {
    const scratch = this.#scratch;
    scratch.clear(SCRAP_ROW);
    const from = window * this.#slide - first;
    for (const row of rows.slice(from, from + this.#size)) scratch.merge(SCRAP_ROW, this.#table, row);
    return scratch.revisions[SCRAP_ROW]!;
  }

  #boundsOf(window: number): Window {
    if (this.#pane === Infinity) return { start: EARLIEST, end: END_OF_TIME };
    const start = window * this.#slide * this.#pane;
    return { start, end: start + this.#size * this.#pane };
  }

  #letGo(counted: CountedKey): void {
    this.#waiting.delete(counted);
    this.#counted.letGo(counted);
  }
}

interface CountedState {
  readonly [field: string]: JsonValue;
  /** Keys of which something is to be handed on yet. */
  readonly waiting: readonly string[];
  readonly ended: boolean;
  /** Behind which of the stored keys the others are to be ended yet. */
  readonly endingAfter: string | null;
}

const NOTHING: CountedState = { waiting: [], ended: false, endingAfter: null };

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
