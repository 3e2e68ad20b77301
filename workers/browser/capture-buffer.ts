/**
 * Gathers what a page captures into batches, so that one call crosses to the worker for many events. A batch goes when there
 * is enough of it, when its time is up, when an event is urgent, when somebody awaits a receipt, and when the page goes away.
 *
 * From there on it is the worker's (`intake.ts`): a batch that nobody waits for is answered late, together with others, since
 * each message takes the page more time than many events do.
 */
import { MillraceError, type WireError } from '../../src/errors.ts';
import type { Position } from '../../src/storage/storage.ts';
import type { Ports, Undo } from '../../src/ports.ts';
import { shares } from './device-budget.ts';
import type { PageLine } from './page-line.ts';
import type { Appended, HandedBatch } from './worker-api.ts';

/**
 * The promise of one captured event. Awaiting it is the durable receipt: it resolves once the event is committed, and
 * rejects with a MillraceError where it is not. Nobody needs to: a receipt that is not awaited never raises anything.
 */
export interface Receipt extends PromiseLike<Committed> {
  readonly id: string;
}

export interface Committed {
  readonly id: string;
  /** Where the event stands in the device's log. */
  readonly position: Position;
}

/** The way to the worker. */
export interface CaptureLink {
  append(batch: HandedBatch): Promise<Appended>;
  /** Somebody waits for that batch now, which is on its way. */
  hurry(number: number): void;
}

export interface CaptureBufferOptions {
  readonly ports: Pick<Ports, 'after'>;
  readonly flushMs: number;
  readonly maxBatch: number;
  /** The most that is held. */
  readonly limits: CaptureLimits;
  readonly link: CaptureLink;
  /** A batch came to its end. One that failed as a whole has failed in each of its events, and has no positions. */
  readonly onSettled: (appended: Appended) => void;
}

export interface CaptureLimits {
  readonly events: number;
  /** Of their lines. */
  readonly characters: number;
}

/**
 * What a page holds that is not known to be committed: 50,000 events and 16 Mi characters of normal priority, as `shares`
 * has it. Beyond it the newest captures are refused.
 */
export const captureLimits: CaptureLimits = { events: 62_500, characters: 20_971_520 };

/** Characters after which a batch goes, whatever its count. */
const ENOUGH = 262_144;

class Batch {
  /** In the order of the captures. */
  readonly number: number;
  readonly lines: string[] = [];
  settle!: (appended: Appended) => void;
  readonly settled = new Promise<Appended>((resolve) => (this.settle = resolve));
  characters = 0;
  /** A flush waits for it, and tells of its error. */
  flushed = false;
  /** Somebody waits for it. */
  hurried = false;

  constructor(number: number) {
    this.number = number;
  }
}

export class CaptureBuffer {
  readonly #options: CaptureBufferOptions;
  /** Those that are not answered, in the order of the captures. */
  readonly #batches = new Set<Batch>();
  /** The batch that takes the next event. */
  #open: Batch | undefined;
  #made = 0;
  #events = 0;
  #characters = 0;
  #undoTimer: Undo | undefined;
  /** The first since the last flush that no flush has told of. */
  #failure: WireError | undefined;

  constructor(options: CaptureBufferOptions) {
    this.#options = options;
  }

  /** Events that are not known to be committed yet. */
  get held(): number {
    return this.#events;
  }

  /** @throws MillraceError `limit.exceeded` where as much is held as may be: the event is shed. */
  add({ id, line, priority }: PageLine): Receipt {
    this.#checkRoom(line, shares[priority - 1]!);
    const batch = (this.#open ??= this.#openBatch());
    const index = batch.lines.push(line) - 1;
    batch.characters += line.length;
    this.#events++;
    this.#characters += line.length;
    const enough = index + 1 >= this.#options.maxBatch || batch.characters >= ENOUGH;
    if (enough || priority === 4) this.send();
    return receipt(id, () => this.#committed(batch, index, id));
  }

  /** The receipt of an event that was refused before it came into a batch. The next flush tells of it too. */
  refuse(id: string, error: MillraceError): Receipt {
    this.#failure ??= error.toWire();
    return receipt(id, () => Promise.reject(error));
  }

  /** Hands over what is held. */
  send(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#undoTimer?.();
    this.#open = undefined;
    void this.#deliver(batch);
  }

  /**
   * Waits for all that was captured before, however often it must be tried.
   *
   * @throws MillraceError the first error of what was captured before, and since the last flush, and was refused.
   */
  async flush(): Promise<void> {
    this.send();
    let error = this.#failure;
    this.#failure = undefined;
    const batches = [...this.#batches];
    for (const batch of batches) batch.flushed = true;
    this.#hurry(batches.at(-1));
    for (const { settled } of batches) error ??= (await settled).failed[0]?.error;
    if (error !== undefined) throw MillraceError.fromWire(error);
  }

  /** `share`: the part of the room that is the event's priority's to fill. */
  #checkRoom(line: string, share: number): void {
    const { events, characters } = this.#options.limits;
    checkLimit('events', events * share, this.#events + 1);
    checkLimit('characters', characters * share, this.#characters + line.length);
  }

  #openBatch(): Batch {
    const batch = new Batch(this.#made++);
    this.#batches.add(batch);
    this.#undoTimer = this.#options.ports.after(this.#options.flushMs, () => this.send());
    return batch;
  }

  #hurry(batch: Batch | undefined): void {
    if (batch === undefined || batch.hurried) return;
    batch.hurried = true;
    if (batch !== this.#open) this.#options.link.hurry(batch.number);
  }

  async #deliver(batch: Batch): Promise<void> {
    const { number, lines, hurried: hurry } = batch;
    const sent = this.#options.link.append({ number, lines, hurry });
    const appended = await sent.catch((cause: MillraceError): Appended => {
      const error = cause.toWire();
      const failed = lines.map((_, index) => ({ index, error }));
      return { positions: [], failed, shed: 0 };
    });
    this.#batches.delete(batch);
    this.#events -= lines.length;
    this.#characters -= batch.characters;
    if (!batch.flushed) this.#failure ??= appended.failed[0]?.error;
    batch.settle(appended);
    this.#options.onSettled(appended);
  }

  async #committed(batch: Batch, index: number, id: string): Promise<Committed> {
    // The rest of the task may capture more: it goes in the same batch.
    queueMicrotask(() => {
      this.#hurry(batch);
      if (batch === this.#open) this.send();
    });
    const { positions, failed } = await batch.settled;
    const failure = failed.find((one) => one.index === index);
    if (failure !== undefined) throw MillraceError.fromWire(failure.error);
    return { id, position: positions[index]! };
  }
}

function checkLimit(what: string, maximum: number, actual: number): void {
  if (!(actual > maximum)) return;
  const text = `the page holds ${maximum} ${what} already: this event is not kept; capture it again later`;
  throw new MillraceError('limit.exceeded', text, { limit: `capture.${what}`, maximum, actual });
}

/** A receipt asks for its outcome when it is awaited, and not before: an outcome nobody asks for rejects nowhere. */
function receipt(id: string, outcome: () => Promise<Committed>): Receipt {
  return {
    id,
    // oxlint-disable-next-line unicorn/no-thenable -- to be awaited is what a receipt is for
    then: (onCommitted, onFailed) => outcome().then(onCommitted, onFailed),
  };
}
