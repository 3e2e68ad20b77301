/**
 * How a page's batches come into the device's log: in their order, as far as there is room, and one event that is refused
 * leaves the others alone.
 */
import { hasCode, MillraceError, type WireError } from '../../src/errors.ts';
import type { Event } from '../../src/event/event.ts';
import { isUuidV7, timeOfUuidV7 } from '../../src/event/ids.ts';
import { decodeLine } from '../../src/event/wire.ts';
import type { CommitResult, Position, Storage } from '../../src/storage/storage.ts';
import { countOnce } from '../../src/sync/tally.ts';
import { consentMissing } from './consent.ts';
import type { DeviceBudget } from './device-budget.ts';
import type { Journal } from './journal.ts';
import type { Appended, HandedBatch } from './worker-api.ts';

/** A page's batch whose lines are decoded. */
export interface Batch extends HandedBatch {
  /** Of each line in turn; an error where it is no event. */
  readonly events: readonly (Event | MillraceError)[];
  readonly characters: number;
}

export interface DeviceAppendsOptions {
  readonly storage: Storage;
  readonly budget: DeviceBudget;
  readonly journal?: Journal | undefined;
  /** The browser's quota is used up. The batch comes again: by then there may be room for it. */
  readonly onFull: () => void;
}

export class DeviceAppends {
  readonly #options: DeviceAppendsOptions;
  #settled: Promise<void> = Promise.resolve();
  #shed = 0;
  #count = 0;

  constructor(options: DeviceAppendsOptions) {
    this.#options = options;
  }

  /** Batches that came down. */
  get count(): number {
    return this.#count;
  }

  /** Events that were shed, and are not counted in the log yet. */
  get shed(): number {
    return this.#shed;
  }

  /**
   * One after another, all in one transaction. Of each batch in turn what came of it.
   *
   * @param forgottenAt What was captured until then is not to be kept, in ms since the Unix epoch.
   */
  append(batches: readonly Batch[], forgottenAt: number): Promise<readonly Appended[]> {
    const appended = this.#append(batches, forgottenAt);
    this.#settled = appended.then(
      () => {},
      (error) => {
        if (isQuota(error)) this.#options.onFull();
      },
    );
    return appended;
  }

  /** Resolves once nothing is on its way. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  async countShed(): Promise<void> {
    const count = this.#shed;
    if (count === 0) return;
    await countOnce(this.#options.storage, () => ({ what: 'shed', count }));
    this.#shed -= count;
  }

  async #append(batches: readonly Batch[], forgottenAt: number): Promise<readonly Appended[]> {
    const taken = batches.map(({ events }) => events.map((event) => this.#take(event, forgottenAt)));
    const events = taken.flat().filter((event): event is Event => !(event instanceof MillraceError));
    const places = (await this.#commit(events)).values();
    const outcomes = taken.map((batch) => appended(batch, places));
    this.#options.journal?.write(
      outcomes.flatMap(({ positions }) => positions),
      batches.flatMap(({ lines }) => lines),
    );
    this.#count += batches.length;
    for (const { shed } of outcomes) this.#shed += shed;
    return outcomes;
  }

  async #commit(events: readonly Event[]): Promise<readonly (Position | MillraceError)[]> {
    const { storage, budget } = this.#options;
    try {
      const [together] = await storage.commit([{ events }]);
      if (together?.ok) return together.positions;
      // Refused as one, as where an id was brought that another event has: they go one by one, so that it alone fails.
      return (await storage.commit(events.map((event) => ({ events: [event] })))).map(placeOf);
    } catch (error) {
      budget.giveBack(events);
      throw error;
    }
  }

  #take(event: Event | MillraceError, forgottenAt: number): Event | MillraceError {
    if (event instanceof MillraceError) return event;
    return isForgotten(event, forgottenAt)
      ? consentMissing('withdrawn')
      : (this.#options.budget.take(event) ?? event);
  }
}

export function decodeBatch(batch: HandedBatch): Batch {
  const { lines } = batch;
  const characters = lines.reduce((sum, { length }) => sum + length, 0);
  return { ...batch, events: lines.map(decode), characters };
}

function decode(line: string): Event | MillraceError {
  try {
    return decodeLine(line);
  } catch (error) {
    return error as MillraceError;
  }
}

/** As the event's own id says; one that was brought does not say. */
function isForgotten({ id }: Event, forgottenAt: number): boolean {
  return forgottenAt > 0 && isUuidV7(id) && timeOfUuidV7(id) <= forgottenAt;
}

function isQuota(error: unknown): boolean {
  return ((error as Error).cause as Error | undefined)?.name === 'QuotaExceededError';
}

function placeOf(result: CommitResult): Position | MillraceError {
  return result.ok ? result.positions[0]! : result.error;
}

/** `places`: of the events that went to the storage, in turn. */
function appended(
  batch: readonly (Event | MillraceError)[],
  places: Iterator<Position | MillraceError>,
): Appended {
  const failed: { index: number; error: WireError }[] = [];
  let shed = 0;
  const positions = batch.map((event, index) => {
    const place =
      event instanceof MillraceError ? event : (places.next().value as typeof event | Position);
    if (typeof place === 'number') return place;
    if (hasCode(place, 'limit.exceeded') && place.details.limit === 'log.room') shed++;
    failed.push({ index, error: (place as MillraceError).toWire() });
    return 0;
  });
  return { positions, failed, shed };
}
