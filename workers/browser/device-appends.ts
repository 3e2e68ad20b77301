/**
 * How a page's batches come into the device's log: in their order, as far as there is room, and one event that is refused
 * leaves the others alone.
 */
import { hasCode, MillraceError, type WireError } from '../../src/errors.ts';
import type { Event } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import type { CommitResult, Position, Storage } from '../../src/storage/storage.ts';
import { countOnce } from '../../src/sync/tally.ts';
import { AppendOrder } from './append-order.ts';
import type { DeviceBudget } from './device-budget.ts';
import type { Journal } from './journal.ts';
import type { Appended } from './worker-api.ts';

export interface DeviceAppendsOptions {
  readonly storage: Storage;
  readonly budget: DeviceBudget;
  readonly journal?: Journal | undefined;
  /** The browser's quota is used up. The batch comes again: by then there may be room for it. */
  readonly onFull: () => void;
}

export class DeviceAppends {
  readonly #options: DeviceAppendsOptions;
  readonly #order = new AppendOrder();
  #running = 0;
  #onSettled = (): void => {};
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

  /** All in one transaction. */
  async append(lines: readonly string[], separately: boolean, number: number): Promise<Appended> {
    this.#running++;
    try {
      return await this.#order.run(number, () => this.#append(lines, separately));
    } catch (error) {
      if (isQuota(error)) this.#options.onFull();
      throw error;
    } finally {
      if (--this.#running === 0) this.#onSettled();
    }
  }

  /** Resolves once no batch is on its way. */
  async settled(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#onSettled = resolve));
  }

  async countShed(): Promise<void> {
    const count = this.#shed;
    if (count === 0) return;
    await countOnce(this.#options.storage, () => ({ what: 'shed', count }));
    this.#shed -= count;
  }

  async #append(lines: readonly string[], separately: boolean): Promise<Appended> {
    const batch = lines.map((line) => this.#take(line));
    const events = batch.filter((event): event is Event => !(event instanceof MillraceError));
    const outcome = appended(batch, await this.#commit(events, separately));
    this.#options.journal?.write(outcome.positions, lines);
    this.#count++;
    this.#shed += outcome.shed;
    return outcome;
  }

  async #commit(
    events: readonly Event[],
    separately: boolean,
  ): Promise<readonly (Position | MillraceError)[]> {
    const { storage, budget } = this.#options;
    try {
      const [together] = separately ? [] : await storage.commit([{ events }]);
      if (together?.ok) return together.positions;
      // Refused as one: the events go one by one, so that the one to blame is the only one to fail.
      return (await storage.commit(events.map((event) => ({ events: [event] })))).map(placeOf);
    } catch (error) {
      budget.giveBack(events);
      throw error;
    }
  }

  #take(line: string): Event | MillraceError {
    try {
      const event = decodeLine(line);
      return this.#options.budget.take(event) ?? event;
    } catch (error) {
      return error as MillraceError;
    }
  }
}

function isQuota(error: unknown): boolean {
  return ((error as Error).cause as Error | undefined)?.name === 'QuotaExceededError';
}

function placeOf(result: CommitResult): Position | MillraceError {
  return result.ok ? result.positions[0]! : result.error;
}

function appended(
  batch: readonly (Event | MillraceError)[],
  places: readonly (Position | MillraceError)[],
): Appended {
  const failed: { index: number; error: WireError }[] = [];
  let head = 0;
  let shed = 0;
  let committed = 0;
  const positions = batch.map((event, index) => {
    const place = event instanceof MillraceError ? event : places[committed++]!;
    if (typeof place === 'number') {
      head = Math.max(head, place);
      return place;
    }
    if (hasCode(place, 'limit.exceeded') && place.details.limit === 'log.room') shed++;
    failed.push({ index, error: place.toWire() });
    return 0;
  });
  return { positions, failed, head, shed };
}
