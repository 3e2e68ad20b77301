/**
 * The windows of one stream: takes events in batches, hands results on.
 *
 * Events are folded as they come, in any order; the watermark says when a window's result is complete, and a late event
 * revises it. Memory holds the windows that are open. With a storage, those that are complete live there, and are read
 * back when an event of theirs comes, however late; state moves in the commit that moves the cursor (`checkpoint`).
 * What is stored of complete windows stays there, unless `retainMs` says for how long. A window that lies ahead of all
 * others stays in memory until the watermark comes to it, for its results are due without a read; `maxRows` says how
 * many such rows there may be. Without a storage, count and global windows hold their keys until the stream ends.
 *
 * @example
 * const operator = new WindowOperator({
 *   windows: [{ name: 'per-minute', windows: tumbling(60_000), aggregation: count() }],
 *   key: (event) => event.type,
 *   ports: hostPorts,
 * });
 * const { updates } = await operator.process(events);
 */
import type { CallProbe } from '../bus/call-probe.ts';
import type { Event } from '../event/event.ts';
import { isWireError } from '../errors.ts';
import type { JsonValue, MaybePromise, StoredValue } from '../storage/storage.ts';
import { Chunk, CHUNK_EVENTS } from './chunk.ts';
import { KeyIds } from './key-ids.ts';
import { checkOperator, type WindowOperatorOptions } from './operator-options.ts';
import { openFamilies } from './families.ts';
import { Intake } from './intake.ts';
import { END_OF_TIME, isTime } from './time-range.ts';
import { Watermark, type WatermarkState } from './watermark.ts';
import { invalidWindow } from './windows.ts';
import type { WindowFamily } from './window-family.ts';
import { Output } from './window-plan.ts';
import type { Processed, WindowCounts, WindowDeadLetter } from './window-update.ts';

/** What is to be put into the storage in the commit that moves the cursor behind the events that were processed. */
export interface WindowCheckpoint {
  readonly put: readonly (readonly [key: string, value: StoredValue | undefined])[];
  /** To be called once the commit is in, before anything else: what the storage now holds is let go from memory. */
  committed(): void;
}

/** What a step of the end of a stream has brought. */
export interface Finished extends Processed {
  /** There are keys in the storage that are to end yet. */
  readonly more: boolean;
}

/** As it is kept, beside the families' own entries. */
interface OperatorState {
  readonly [field: string]: JsonValue;
  readonly watermark: WatermarkState;
  readonly counts: WindowCounts & { readonly [field: string]: JsonValue };
  readonly families: { readonly [name: string]: JsonValue };
}

const noCounts = { events: 0, late: 0, deadLetters: 0 };

export class WindowOperator {
  readonly #options: WindowOperatorOptions;
  #keys = new KeyIds();
  #chunk = new Chunk();
  #watermark: Watermark;
  #families: readonly WindowFamily[];
  readonly #keyOf: (event: Event) => string;
  #intake: Intake;
  #counts: WindowCounts = noCounts;
  /** Looks at every pass over the events, and over the results, of windows that share their state. */
  probe: CallProbe | undefined;

  /** @throws MillraceError `query.invalid` for windows that cannot be */
  constructor(options: WindowOperatorOptions) {
    checkOperator(options);
    this.#options = options;
    this.#watermark = new Watermark(options.watermark);
    this.#keyOf = options.key ?? (() => '');
    this.#families = openFamilies(options, this.#keys, this.#chunk);
    this.#intake = this.#openIntake();
  }

  /** In ms since the Unix epoch; `-Infinity` before the first event. */
  get watermark(): number {
    return this.#watermark.value;
  }

  get counts(): WindowCounts {
    return this.#counts;
  }

  /** What is in memory: keys, and rows of state. None of either once all windows are complete and committed. */
  get size(): { readonly keys: number; readonly rows: number } {
    const rows = this.#families.reduce((sum, family) => sum + family.rows, 0);
    return { keys: this.#keys.size, rows };
  }

  /** Whether one of its families has the name. */
  hasFamily(name: string): boolean {
    return this.#families.some((family) => family.name === name);
  }

  /**
   * Folds the events, moves the watermark, and gives what that has brought: at once, unless something must be read
   * back from the storage. One call at a time. `only` names the family of windows that is to fold them, where the others
   * have done so: see `WindowDeadLetter`.
   */
  process(events: readonly Event[], only?: string): MaybePromise<Processed> {
    const now = this.#options.ports.now();
    this.#watermark.advance(now);
    // It never goes back, whatever the host's clock does.
    if (this.#isProcessing) this.#watermark.raise(now);
    const thawed = this.#options.storage === undefined ? undefined : this.#thaw(events);
    return thawed === undefined
      ? this.#process(events, now, only)
      : thawed.then(() => this.#process(events, now, only));
  }

  /**
   * Takes up the state that the storage holds, in place of what is in memory: before the first event, and after a commit
   * that failed. Not needed without a storage.
   *
   * @throws MillraceError as `Storage` does; `query.invalid` where the state is of other windows
   */
  async open(): Promise<void> {
    const { storage, watermark } = this.#options;
    const state = (await storage?.get(this.#stateKey)) as unknown as OperatorState | undefined;
    this.#keys = new KeyIds();
    this.#chunk = new Chunk();
    this.#watermark = new Watermark(watermark);
    this.#families = openFamilies(this.#options, this.#keys, this.#chunk);
    this.#intake = this.#openIntake();
    this.#counts = state?.counts ?? noCounts;
    if (state === undefined) return;
    this.#checkNames(Object.keys(state.families));
    this.#watermark.restore(state.watermark);
    for (const family of this.#families) {
      await family.open(state.families[family.name], this.#watermark.value);
    }
    this.#keys.sweep();
  }

  /**
   * What has changed since the last commit, to be put in the commit that moves the cursor behind the events that were
   * processed. Nothing is processed until it is in: where the commit fails, `open` goes back to what is stored.
   */
  async checkpoint(): Promise<WindowCheckpoint> {
    if (this.#options.storage === undefined) return { put: [], committed: () => {} };
    const put: (readonly [key: string, value: StoredValue | undefined])[] = [];
    for (const family of this.#families) put.push(...(await family.puts()));
    const families = Object.fromEntries(this.#families.map((family) => [family.name, family.save()]));
    const state: OperatorState = {
      watermark: this.#watermark.save(),
      counts: { ...this.#counts },
      families,
    };
    put.push([this.#stateKey, state]);
    const committed = (): void => {
      for (const family of this.#families) family.committed();
    };
    return { put, committed };
  }

  #openIntake(): Intake {
    return new Intake({
      stream: this.#options,
      keys: this.#keys,
      chunk: this.#chunk,
      watermark: this.#watermark,
      families: this.#families,
    });
  }

  get #isProcessing(): boolean {
    return this.#options.time === 'processing';
  }

  get #stateKey(): string {
    return `windows/${this.#options.name ?? 'windows'}`;
  }

  #checkNames(stored: readonly string[]): void {
    const names = new Set(this.#families.map(({ name }) => name));
    const other = stored.find((name) => !names.has(name)) ?? (stored.length < names.size ? 'fewer' : '');
    if (other === '') return;
    const reason = 'holds the state of other windows: give these a name of their own';
    throw invalidWindow('name', this.#options.name ?? 'windows', reason);
  }

  /** As `process` of no events: what the host's clock alone brings, by interval triggers and silent sources. */
  tick(): MaybePromise<Processed> {
    return this.process([]);
  }

  /**
   * Moves the watermark past all windows, for a stream that has ended. With a storage, global windows end by some keys at
   * a time: where there is `more`, it is to be called again once this step is committed.
   */
  finish(): MaybePromise<Finished> {
    const end = (more: boolean): Finished => {
      this.#watermark.raise(END_OF_TIME);
      const { updates, late, deadLetters } = this.#process([], this.#options.ports.now());
      return { updates, late, deadLetters, more };
    };
    if (this.#options.storage === undefined) return end(false);
    const thawing = this.#families.map((family) => family.thawNext?.() ?? false);
    return Promise.all(thawing).then((mores) => end(mores.includes(true)));
  }

  #process(events: readonly Event[], now: number, only?: string): Processed {
    const output = new Output();
    for (let from = 0; from < events.length; from += CHUNK_EVENTS) {
      const part = events.length <= CHUNK_EVENTS ? events : events.slice(from, from + CHUNK_EVENTS);
      this.#fold(part, now, output, only);
    }
    const watermark = this.#watermark.advance(now);
    for (const family of this.#families) {
      const handOn = (): void => {
        family.advance(watermark, output);
        family.settle(now, output);
      };
      if (this.probe === undefined) handOn();
      else this.#probed(`results of ${namesOf(family)}`, handOn, 0);
    }
    this.#keys.sweep();
    this.#count(events.length, output);
    return output;
  }

  #count(events: number, { late, deadLetters }: Output): void {
    const counts = this.#counts;
    const dead = new Set(deadLetters.map(({ event }) => event)).size;
    this.#counts = {
      events: counts.events + events - dead,
      late: counts.late + late.length,
      deadLetters: counts.deadLetters + dead,
    };
  }

  #fold(part: readonly Event[], now: number, output: Output, only?: string): void {
    const chunk = this.#chunk;
    const intake = this.#intake;
    let events = part;
    chunk.failures.clear();
    this.#watermark.begin();
    // What fails is taken out, and the rest is looked at again: it rarely happens.
    while (!intake.fill(events, now)) {
      for (const [index, error] of chunk.failures)
        output.deadLetters.push(deadLetter(events[index]!, error));
      events = events.filter((_, index) => !chunk.failures.has(index));
      chunk.failures.clear();
      this.#watermark.rewind();
    }
    if (events.length === 0) return;
    intake.observe(now);
    const split = intake.split();
    if (split > 0) {
      const reached = chunk.watermarks[split]!;
      this.#watermark.rewind();
      this.#fold(events.slice(0, split), now, output, only);
      for (const family of this.#families) family.advance(this.#watermark.raise(reached), output);
      return this.#fold(events.slice(split), now, output, only);
    }
    for (const family of this.#families)
      if (only === undefined || family.name === only) this.#foldInto(family, events, output);
  }

  #probed(name: string, call: () => void, events: number): void {
    this.probe!(name, call, { events })();
  }

  #foldInto(family: WindowFamily, events: readonly Event[], output: Output): void {
    const { failures } = this.#chunk;
    if (this.probe === undefined) family.fold(output);
    else this.#probed(`fold ${namesOf(family)}`, () => family.fold(output), events.length);
    if (failures.size === 0) return;
    for (const [index, error] of failures)
      output.deadLetters.push({ ...deadLetter(events[index]!, error), family: family.name });
    failures.clear();
  }

  /** Reads back what the events need that is not in memory; nothing where all of it is. */
  #thaw(events: readonly Event[]): Promise<void> | undefined {
    const isProcessing = this.#isProcessing;
    const reached = this.#watermark.value;
    let earliest = isProcessing ? reached : Infinity;
    if (!isProcessing) {
      for (const { timestamp } of events) if (timestamp < earliest) earliest = timestamp;
    }
    const cold = this.#families.filter((family) => family.mayBeCold(earliest));
    if (cold.length === 0 || events.length === 0) return undefined;
    const times: number[] = [];
    const keys: string[] = [];
    for (const event of events) {
      const time = isProcessing ? reached : event.timestamp;
      if (!isTime(time)) continue;
      const key = keyOrNothing(this.#keyOf, event);
      if (key === undefined) continue;
      times.push(time);
      keys.push(key);
    }
    return Promise.all(cold.map((family) => family.thaw({ times, keys }))).then(() => undefined);
  }
}

function namesOf({ windowNames }: WindowFamily): string {
  return windowNames.join(' + ');
}

/** What has no key is a dead letter later on. */
function keyOrNothing(keyOf: (event: Event) => string, event: Event): string | undefined {
  try {
    const key: unknown = keyOf(event);
    return typeof key === 'string' ? key : undefined;
  } catch {
    return undefined;
  }
}

function deadLetter(event: Event, error: unknown): WindowDeadLetter {
  const reason = error instanceof Error ? error.message : String(error);
  return { event, reason, error, ...(isWireError(error) && { code: error.code }) };
}
