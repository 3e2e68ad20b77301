/** Takes a stream's events in: into the chunk's columns, and their times into the sources' clocks. */
import { MillraceError } from '../errors.ts';
import { invalidEvent, type Event } from '../event/event.ts';
import type { Chunk } from './chunk.ts';
import type { KeyIds } from './key-ids.ts';
import type { WindowOperatorOptions } from './operator-options.ts';
import { isTime } from './time-range.ts';
import type { SourceClock, Watermark } from './watermark.ts';
import type { WindowFamily } from './window-family.ts';

const MAX_ROWS = 1_000_000;

export interface IntakeOptions {
  readonly stream: WindowOperatorOptions;
  readonly keys: KeyIds;
  readonly chunk: Chunk;
  readonly watermark: Watermark;
  readonly families: readonly WindowFamily[];
}

export class Intake {
  readonly #keys: KeyIds;
  readonly #chunk: Chunk;
  readonly #watermark: Watermark;
  readonly #families: readonly WindowFamily[];
  readonly #keyOf: (event: Event) => string;
  readonly #sourceOf: ((event: Event) => string) | undefined;
  readonly #isProcessing: boolean;
  readonly #maxRows: number;

  constructor({ stream, keys, chunk, watermark, families }: IntakeOptions) {
    this.#keys = keys;
    this.#chunk = chunk;
    this.#watermark = watermark;
    this.#families = families;
    this.#keyOf = stream.key ?? (() => '');
    this.#sourceOf = stream.source;
    this.#isProcessing = stream.time === 'processing';
    this.#maxRows = stream.maxRows ?? MAX_ROWS;
  }

  /** Reads the events into the chunk's columns, and sets their sources' clocks forward. Whether all could be read. */
  fill(events: readonly Event[], now: number): boolean {
    const chunk = this.#chunk;
    const { times, keys: ids, failures } = chunk;
    const keyOf = this.#keyOf;
    const sourceOf = this.#sourceOf;
    const keys = this.#keys;
    const watermark = this.#watermark;
    const { length } = events;
    const isProcessing = this.#isProcessing;
    const limit = watermark.limit(now);
    const reached = watermark.value;
    const isFull = this.#rows() >= this.#maxRows;
    let earliest = Infinity;
    let clock: SourceClock | undefined;
    let latest = -Infinity;
    let last: string | undefined;
    for (let i = 0; i < length; i++) {
      // Outside of the loop over all that can be read, which is the hot one.
      try {
        for (; i < length; i++) {
          const event = events[i]!;
          const time = isProcessing ? reached : event.timestamp;
          if (!isTime(time)) throw badTime(time);
          ids[i] = keys.of(keyOf(event));
          times[i] = time;
          if (time < earliest) earliest = time;
          if (isProcessing) continue;
          const source = sourceOf === undefined ? event.source : sourceOf(event);
          if (source !== last || clock === undefined) {
            if (clock !== undefined) clock.latest = latest;
            clock = watermark.clock(source, now);
            ({ latest } = clock);
            last = source;
          }
          if (time <= latest) continue;
          if (time > limit && isFull) throw tooFarAhead(this.#maxRows);
          latest = time > limit ? limit : time;
        }
      } catch (error) {
        failures.set(i, error);
      }
    }
    if (clock !== undefined) clock.latest = latest;
    chunk.length = length;
    chunk.events = events;
    chunk.earliest = earliest;
    if (failures.size === 0) chunk.readNumbers();
    return failures.size === 0;
  }

  /** Finds out whether a watermark within the chunk matters, and if so, what it was at each event: see `Chunk.exact`. */
  observe(now: number): void {
    const chunk = this.#chunk;
    const watermark = this.#watermark;
    const reached = watermark.peek();
    const isExact = (family: WindowFamily): boolean => family.isExact(chunk.earliest, reached);
    chunk.exact = !this.#isProcessing && (watermark.hasJoined || this.#families.some(isExact));
    if (chunk.exact) this.#observeExactly(watermark.limit(now), now);
  }

  /**
   * Where the chunk's first event stands that is too late for a window which has ended within the chunk: what came before
   * it is to be handed on first, as if the batch had ended there. 0 where there is none.
   */
  split(): number {
    const { times, watermarks, length, exact } = this.#chunk;
    if (!exact) return 0;
    for (let i = 1; i < length; i++) {
      const watermark = watermarks[i]!;
      if (times[i]! >= watermark || watermark === watermarks[0]) continue;
      if (this.#families.some((family) => family.isExact(times[i]!, watermark))) return i;
    }
    return 0;
  }

  #rows(): number {
    return this.#families.reduce((sum, { rows }) => sum + rows, 0);
  }

  #observeExactly(limit: number, now: number): void {
    const { events, times, watermarks, length } = this.#chunk;
    const watermark = this.#watermark;
    const sourceOf = this.#sourceOf;
    watermark.rewind();
    for (let i = 0; i < length; i++) {
      watermarks[i] = watermark.value;
      const clock = watermark.clock(
        sourceOf === undefined ? events[i]!.source : sourceOf(events[i]!),
        now,
      );
      const time = Math.min(times[i]!, limit);
      if (time <= clock.latest) continue;
      const from = clock.latest;
      clock.latest = time;
      watermark.follow(from);
    }
  }
}

function tooFarAhead(maximum: number): Error {
  const reason = `is ahead of the host's clock, with as many rows of state in memory as may be, ${maximum}`;
  return new MillraceError('limit.exceeded', `windows: the event ${reason}: fold it again later`, {
    limit: 'maxRows',
    maximum,
    actual: maximum,
  });
}

function badTime(time: unknown): Error {
  return invalidEvent('/timestamp', time, 'must be ms since the Unix epoch, in the years 0 to 9999');
}
