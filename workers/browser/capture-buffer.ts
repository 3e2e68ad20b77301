/**
 * Gathers what a page captures into batches, so that one call crosses to the worker for many events. What is captured
 * goes when there is enough of it, when its time is up, when an event is urgent, and when somebody awaits a receipt.
 *
 * A batch that nobody waits for is answered late, together with others: each message takes the page more time than many
 * events do. While batches are on their way, all that is captured goes in the next. One whose commit fails in the storage is kept,
 * with those behind it, and tried again until it is committed: the worker lets nothing overtake it. The events' ids make a
 * repeat harmless.
 */
import { MillraceError, type WireError } from '../../src/errors.ts';
import type { Position } from '../../src/storage/storage.ts';
import type { Ports, Undo } from '../../src/ports.ts';
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

export interface CaptureBufferOptions {
  readonly ports: Pick<Ports, 'after' | 'random'>;
  readonly flushMs: number;
  readonly maxBatch: number;
  /** The most that is held. Default: `captureLimits`. */
  readonly limits?: CaptureLimits;
  /** `hurry`: somebody waits for it. Else it may be answered a little later, with others. */
  readonly send: (batch: HandedBatch, hurry: boolean) => Promise<Appended>;
  /** Somebody waits for that batch now, which is on its way. */
  readonly hurry: (number: number) => void;
  /** A batch came to its end. One that failed as a whole has failed in each of its events, and has no positions. */
  readonly onSettled: (appended: Appended) => void;
  /** A batch could not be committed now: it is kept. */
  readonly onTrouble: () => void;
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

/** What one batch takes: it is one commit, and one transaction. */
const FULL_EVENTS = 5_000;
const FULL_CHARACTERS = 1_048_576;
/** Characters after which a batch goes, whatever its count. */
const ENOUGH = 262_144;
/** While one is committed the worker decodes the next. Of large ones more, so that a page's long task keeps it busy. */
const ON_THEIR_WAY = 2;
const LARGE_EVENTS = 1_000;
const LARGE_ON_THEIR_WAY = 8;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 5_000;

class Batch {
  /** In the order of the captures. */
  readonly number: number;
  readonly lines: string[] = [];
  readonly settled: Promise<Appended>;
  settle: (appended: Appended) => void = () => {};
  characters = 0;
  separately = false;
  /** Handed over at least once: it takes no more. */
  closed = false;
  onItsWay = false;
  /** A flush waits for it, and tells of its error. */
  flushed = false;
  /** Somebody waits for it. */
  hurried = false;

  constructor(number: number) {
    this.number = number;
    this.settled = new Promise((resolve) => (this.settle = resolve));
  }
}

export class CaptureBuffer {
  readonly #options: CaptureBufferOptions;
  /** In the order of the captures. The last may still grow. */
  #batches: Batch[] = [];
  #made = 0;
  #events = 0;
  #characters = 0;
  /** All that is held goes as soon as it may. */
  #due = false;
  #undoTimer: Undo | undefined;
  #undoRetry: Undo | undefined;
  #ended = false;
  /** Failures in a row. */
  #failures = 0;
  #trouble: WireError | undefined;
  /** The first since the last flush that no flush has told of. */
  #failure: WireError | undefined;

  constructor(options: CaptureBufferOptions) {
    this.#options = options;
  }

  /** Events that are not known to be committed yet. */
  get held(): number {
    return this.#events;
  }

  /** Why a batch is kept, while one is. */
  get trouble(): WireError | undefined {
    return this.#trouble;
  }

  /** @throws MillraceError `limit.exceeded` where as much is held as may be: the event is shed. */
  add(
    id: string,
    line: string,
    options: { readonly urgent: boolean; readonly brought: boolean; readonly share?: number },
  ): Receipt {
    this.#checkRoom(line, options.share ?? 1);
    const batch = this.#openBatch();
    const index = batch.lines.push(line) - 1;
    batch.characters += line.length;
    batch.separately ||= options.brought;
    this.#events++;
    this.#characters += line.length;
    const enough = batch.lines.length >= this.#options.maxBatch || batch.characters >= ENOUGH;
    if (!this.#due && (enough || options.urgent)) this.send();
    else if (index + 1 === LARGE_EVENTS) this.#next();
    return receipt(id, () => this.#committed(batch, index, id));
  }

  /** An event was refused before it came here: the next flush tells of it. */
  refused(error: WireError): void {
    this.#failure ??= error;
  }

  /** Hands over what is held: now, or right behind the batch that is on its way or kept. */
  send(): void {
    this.#due = true;
    this.#stopTimer();
    this.#next();
  }

  /** Hands over all that is held at once: the worker keeps the order. */
  sendAll(): void {
    this.#stopTimer();
    this.#undoRetry?.();
    this.#undoRetry = undefined;
    for (const batch of [...this.#batches]) if (!batch.onItsWay) void this.#deliver(batch);
  }

  /** As `sendAll`, for the last time: what fails now is tried no more. */
  end(): void {
    this.#ended = true;
    this.sendAll();
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
    const { events, characters } = this.#options.limits ?? captureLimits;
    checkLimit('events', events * share, this.#events + 1);
    checkLimit('characters', characters * share, this.#characters + line.length);
  }

  /** The batch that takes the next event. */
  #openBatch(): Batch {
    const last = this.#batches.at(-1);
    const isFull = last && (last.lines.length >= FULL_EVENTS || last.characters >= FULL_CHARACTERS);
    if (last && !last.closed && !isFull) return last;
    const batch = new Batch(this.#made++);
    this.#batches.push(batch);
    this.#undoTimer ??= this.#options.ports.after(this.#options.flushMs, () => this.send());
    return batch;
  }

  #stopTimer(): void {
    this.#undoTimer?.();
    this.#undoTimer = undefined;
  }

  /** The next batch goes, unless enough are on their way, or one waits to be tried again. */
  #next(): void {
    const batch = this.#batches.find(({ onItsWay }) => !onItsWay);
    if (!this.#due || batch === undefined || this.#undoRetry !== undefined) return;
    const before = this.#batches.indexOf(batch);
    const most = batch.lines.length < LARGE_EVENTS ? ON_THEIR_WAY : LARGE_ON_THEIR_WAY;
    if (before >= most) return this.#hurry(this.#batches[before - 1]);
    this.#due = batch !== this.#batches.at(-1);
    // The one behind it waits.
    if (this.#due) this.#hurry(batch);
    void this.#deliver(batch);
  }

  #hurry(batch: Batch | undefined): void {
    if (batch === undefined || batch.hurried) return;
    batch.hurried = true;
    if (batch.onItsWay) this.#options.hurry(batch.number);
  }

  async #deliver(batch: Batch): Promise<void> {
    batch.closed = batch.onItsWay = true;
    let appended: Appended;
    try {
      const { number, lines, separately, hurried } = batch;
      appended = await this.#options.send({ number, lines, separately }, hurried);
    } catch (cause) {
      const error = (cause as MillraceError).toWire();
      batch.onItsWay = false;
      if (error.code === 'storage.failed' && !this.#ended) return this.#retryLater(error);
      const failed = batch.lines.map((_, index) => ({ index, error }));
      appended = { positions: [], failed, head: 0, shed: 0 };
    }
    this.#settle(batch, appended);
  }

  #retryLater(error: WireError): void {
    this.#trouble = error;
    this.#due = true;
    this.#undoRetry ??= this.#options.ports.after(this.#pauseMs(), () => {
      this.#undoRetry = undefined;
      this.#next();
    });
    this.#options.onTrouble();
  }

  /** Exponential, with full jitter: as `Backoff` has it. */
  #pauseMs(): number {
    return (
      this.#options.ports.random() * Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++)
    );
  }

  #settle(batch: Batch, appended: Appended): void {
    this.#batches = this.#batches.filter((other) => other !== batch);
    this.#events -= batch.lines.length;
    this.#characters -= batch.characters;
    this.#trouble = undefined;
    this.#failures = 0;
    if (!batch.flushed) this.#failure ??= appended.failed[0]?.error;
    batch.settle(appended);
    this.#options.onSettled(appended);
    this.#next();
  }

  async #committed(batch: Batch, index: number, id: string): Promise<Committed> {
    // The rest of the task may capture more: it goes in the same batch.
    queueMicrotask(() => {
      this.#hurry(batch);
      if (!batch.closed) this.send();
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

/** The receipt of an event that was refused in the page. */
export function failedReceipt(id: string, error: MillraceError): Receipt {
  return receipt(id, () => Promise.reject(error));
}
