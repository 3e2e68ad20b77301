/**
 * The watermark: up to which event time a stream is believed to be whole. Each source has its own clock, which is as far
 * as its latest event less the disorder that is expected; the stream's is the slowest source's.
 * (Akidau et al., Watermarks in Stream Processing Systems, VLDB 2021.)
 *
 * A clock ahead of the host's counts as the host's, so that a wrong one closes no window before its time. A source that
 * is silent holds the others for a while, and then no more.
 */
import type { JsonValue } from '../storage/storage.ts';
import { invalidWindow } from './windows.ts';

export interface WatermarkOptions {
  /** How much later than another an event may come from its source and be in time. Default: 1,000. */
  readonly outOfOrderMs?: number | undefined;
  /** How long a silent source holds the others, by the host's clock. Default: 60,000. */
  readonly idleMs?: number | undefined;
  /** How far ahead of the host's clock a source's may be believed. Default: 60,000. */
  readonly maxAheadMs?: number | undefined;
}

/** How far one source is. */
export interface SourceClock {
  /** The latest event time, in ms, no later than the host's clock allowed; `-Infinity` before its first event. */
  latest: number;
  /** What `latest` was when the present run of events began, and which run that was. */
  before: number;
  run: number;
  /** When it was last heard of, by the host's clock. */
  seenAt: number;
}

/** As it is kept: JSON knows no infinity, so `null` is before all time. */
export interface WatermarkState {
  readonly [key: string]: JsonValue;
  readonly watermark: number | null;
  readonly idle: number | null;
  readonly sources: readonly (readonly [source: string, latest: number, seenAt: number])[];
}

const OUT_OF_ORDER_MS = 1_000;
const IDLE_MS = 60_000;
const MAX_AHEAD_MS = 60_000;

export class Watermark {
  readonly #outOfOrderMs: number;
  readonly #idleMs: number;
  readonly #maxAheadMs: number;
  readonly #sources = new Map<string, SourceClock>();
  /** The furthest of the sources that fell silent. */
  #idle = -Infinity;
  #value = -Infinity;
  /** What the value was when the present run of events began. */
  #before = -Infinity;
  #run = 0;
  #joined = false;

  /** @throws MillraceError `query.invalid` */
  constructor(options: WatermarkOptions = {}) {
    this.#outOfOrderMs = checkMs('outOfOrderMs', options.outOfOrderMs ?? OUT_OF_ORDER_MS);
    this.#idleMs = checkMs('idleMs', options.idleMs ?? IDLE_MS);
    this.#maxAheadMs = checkMs('maxAheadMs', options.maxAheadMs ?? MAX_AHEAD_MS);
  }

  /** In ms since the Unix epoch; `-Infinity` before the first event. Never falls. */
  get value(): number {
    return this.#value;
  }

  /** The sources that it waits for. Those that fell silent are forgotten. */
  get sources(): number {
    return this.#sources.size;
  }

  /** The latest time that a source's clock may show now. */
  limit(now: number): number {
    return now + this.#maxAheadMs;
  }

  /** Begins a run of events, to which `rewind` can go back. */
  begin(): void {
    this.#run++;
    this.#joined = false;
    this.#before = this.#value;
  }

  /** Whether a source has joined in this run: it may have held the watermark only from there on. */
  get hasJoined(): boolean {
    return this.#joined;
  }

  /** The clock of a source that is heard of now. Who has it sets it forward as events come. */
  clock(source: string, now: number): SourceClock {
    let clock = this.#sources.get(source);
    if (clock === undefined) {
      clock = { latest: -Infinity, before: -Infinity, run: this.#run, seenAt: now };
      this.#sources.set(source, clock);
      this.#joined = true;
    } else if (clock.run !== this.#run) {
      clock.run = this.#run;
      clock.before = clock.latest;
    }
    clock.seenAt = now;
    return clock;
  }

  /** What the watermark comes to by the clocks as they are now. */
  peek(): number {
    return Math.max(this.#value, this.#slowest() - this.#outOfOrderMs);
  }

  /** Sets the clocks, and the watermark, back to where this run of events began. */
  rewind(): void {
    this.#value = this.#before;
    for (const clock of this.#sources.values()) if (clock.run === this.#run) clock.latest = clock.before;
  }

  /** Moves the watermark after a clock was set forward from there, event by event: no source falls silent meanwhile. */
  follow(from: number): void {
    // Only the slowest holds it, and who joins can but hold it more.
    if (from > this.#value + this.#outOfOrderMs) return;
    const slowest = this.#slowest();
    if (slowest < Infinity) this.raise(slowest - this.#outOfOrderMs);
  }

  /** Moves the watermark as far as the clocks allow now, and gives it. */
  advance(now: number): number {
    for (const [source, { latest, seenAt }] of this.#sources) {
      // By how far, whichever way: a host's clock that was set back must not keep a silent source for ever.
      if (Math.abs(now - seenAt) < this.#idleMs) continue;
      this.#idle = Math.max(this.#idle, latest);
      this.#sources.delete(source);
    }
    return this.raise(this.#slowest() - this.#outOfOrderMs);
  }

  /** The slowest of the clocks; of those that fell silent the fastest, where there is no other. */
  #slowest(): number {
    if (this.#sources.size === 0) return this.#idle;
    let slowest = Infinity;
    for (const { latest } of this.#sources.values()) {
      if (latest < slowest && latest !== -Infinity) slowest = latest;
    }
    return slowest === Infinity ? -Infinity : slowest;
  }

  /** Moves it there, if that is forward. */
  raise(to: number): number {
    return (this.#value = Math.max(this.#value, to));
  }

  save(): WatermarkState {
    return {
      watermark: finite(this.#value),
      idle: finite(this.#idle),
      sources: [...this.#sources].map(
        ([source, { latest, seenAt }]) => [source, latest, seenAt] as const,
      ),
    };
  }

  restore({ watermark, idle, sources }: WatermarkState): void {
    this.#value = watermark ?? -Infinity;
    this.#idle = idle ?? -Infinity;
    this.#sources.clear();
    for (const [source, latest, seenAt] of sources) {
      this.#sources.set(source, { latest, before: latest, run: this.#run, seenAt });
    }
  }
}

function finite(value: number): number | null {
  return value === -Infinity ? null : value;
}

function checkMs(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw invalidWindow(name, value, 'must be a whole number of ms from 0 on');
}
