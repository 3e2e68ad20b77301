/** A shop's stream for the windows bench: its events, the loop that one would write by hand, and what must come out. */
import type { Event } from '../../src/event/event.ts';
import type { WindowUpdate } from '../../src/windows/window-update.ts';
import { mustEqual } from './timing.ts';

export const KEYS = 1000;
export const SECOND_MS = 1_000;
export const START = Date.parse('2026-01-31T09:00:00Z');
/** Events come up to so much later than others. */
const DISORDER_MS = 1_000;
/** A log has the events of a producer's push beside each other. */
const PUSH_EVENTS = 50;
const SOURCES = 16;

const keys = Array.from({ length: KEYS }, (_, i) => `visitor-${i}`);

export function keyOf(event: Event): string {
  return event.subject!;
}

export interface Stream {
  readonly events: number;
  /** The event time that they take. */
  readonly seconds: number;
}

/** The events in batches, the same ones every time. Plain objects of one shape, as the log's decoder makes them. */
export function* batches({ events, seconds }: Stream, size: number): Generator<readonly Event[]> {
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let made = 0; made < events; made += size) {
    yield Array.from({ length: size }, (_, i): Event => {
      const n = made + i;
      const passed = Math.floor((n * seconds * SECOND_MS) / events);
      return {
        id: 'bench',
        type: 'order.placed',
        data: { value: Math.floor(random() * 1000) },
        timestamp: START + Math.max(0, passed - Math.floor(random() * DISORDER_MS)),
        source: `till-${Math.floor(n / PUSH_EVENTS) % SOURCES}`,
        priority: 2,
        subject: keys[Math.floor(random() * KEYS)]!,
      };
    });
  }
}

export const valueOf = ({ data }: Event): number => (data as { readonly value: number }).value;

/** Tumbling windows as one writes them by hand: two maps, no watermark, no late events, nothing let go. */
export class HandWritten {
  readonly windows = new Map<number, Map<string, { count: number; sum: number }>>();

  add(events: readonly Event[], sizeMs: number): void {
    for (const event of events) {
      const start = Math.floor(event.timestamp / sizeMs) * sizeMs;
      let keys = this.windows.get(start);
      if (keys === undefined) this.windows.set(start, (keys = new Map()));
      const key = event.subject!;
      const value = (event.data as { readonly value: number }).value;
      const sums = keys.get(key);
      if (sums === undefined) keys.set(key, { count: 1, sum: value });
      else {
        sums.count++;
        sums.sum += value;
      }
    }
  }
}

/** Count, sum and greatest value of each second and key: any window is put together from it. */
export class Seconds {
  readonly #seconds: number;
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;
  readonly #most: Float64Array;
  readonly #ids = new Map(keys.map((key, i) => [key, i]));

  constructor({ seconds }: Stream) {
    this.#seconds = seconds;
    this.#counts = new Float64Array(seconds * KEYS);
    this.#sums = new Float64Array(seconds * KEYS);
    this.#most = new Float64Array(seconds * KEYS).fill(-Infinity);
  }

  add(events: readonly Event[]): void {
    for (const event of events) {
      const at =
        Math.floor((event.timestamp - START) / SECOND_MS) * KEYS + this.#ids.get(event.subject!)!;
      const value = valueOf(event);
      this.#counts[at]! += 1;
      this.#sums[at]! += value;
      this.#most[at] = Math.max(this.#most[at]!, value);
    }
  }

  /** How many results windows of that size and slide have. */
  results(sizeMs: number, slideMs: number): number {
    let results = 0;
    const first = Math.floor((START - sizeMs) / slideMs) * slideMs;
    for (let start = first; start < START + this.#seconds * SECOND_MS; start += slideMs) {
      for (let key = 0; key < KEYS; key++) if (this.#of(start, sizeMs, key).count > 0) results++;
    }
    return results;
  }

  mustHold({ window: { start, end }, key, value, revision }: WindowUpdate): void {
    const expected = this.#of(start, end - start, this.#ids.get(key)!);
    const { count, sum = expected.sum, max = expected.max } = value as Partial<typeof expected>;
    mustEqual(count, expected.count, `count of ${key} from ${start}`);
    mustEqual(sum, expected.sum, `sum of ${key} from ${start}`);
    mustEqual(max, expected.max, `max of ${key} from ${start}`);
    mustEqual(revision, expected.count, `revision of ${key} from ${start}`);
  }

  #of(start: number, sizeMs: number, key: number): { count: number; sum: number; max: number } {
    const from = Math.max(0, (start - START) / SECOND_MS);
    const to = Math.min(this.#seconds, (start + sizeMs - START) / SECOND_MS);
    const all = { count: 0, sum: 0, max: -Infinity };
    for (let second = from; second < to; second++) {
      const at = second * KEYS + key;
      all.count += this.#counts[at]!;
      all.sum += this.#sums[at]!;
      all.max = Math.max(all.max, this.#most[at]!);
    }
    return all;
  }
}
