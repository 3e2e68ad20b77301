/**
 * Gathers what a page captures into batches, so that one call crosses to the worker for many events. A batch goes when
 * it is full, when its time is up, when an event is urgent, and when somebody awaits a receipt in it.
 *
 * A batch whose commit fails in the storage is kept, and tried again until it is committed; what is captured meanwhile
 * waits behind it. The events' ids make a repeat harmless.
 */
import { MillraceError, type WireError } from '../../src/errors.ts';
import type { Position } from '../../src/storage/storage.ts';
import type { Ports, Undo } from '../../src/ports.ts';
import { Backoff } from '../../src/sync/backoff.ts';
import type { Appended } from './worker-api.ts';

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
  readonly send: (lines: readonly string[], separately: boolean) => Promise<Appended>;
  /** A batch came to its end, with so many of its events not committed. */
  readonly onSettled: (settled: Settled, failed: number, error: WireError | undefined) => void;
  /** A batch could not be committed now: it is kept. */
  readonly onTrouble: () => void;
}

export interface CaptureLimits {
  readonly events: number;
  /** Of their lines. */
  readonly characters: number;
}

/** What a page holds that is not known to be committed. Beyond it the newest captures are refused. */
export const captureLimits: CaptureLimits = { events: 50_000, characters: 16_777_216 };

/** Characters after which a batch is full, whatever its count. */
const FULL_BATCH = 262_144;
const RETRY = { firstMs: 50, maximumMs: 5_000 };

export type Settled = { readonly appended: Appended } | { readonly error: WireError };

class Batch {
  /** In the order of the captures. */
  readonly number: number;
  readonly lines: string[] = [];
  readonly settled: Promise<Settled>;
  settle: (settled: Settled) => void = () => {};
  characters = 0;
  separately = false;
  /** A flush waits for it, and tells of its error. */
  flushed = false;

  constructor(number: number) {
    this.number = number;
    this.settled = new Promise((resolve) => (this.settle = resolve));
  }
}

export class CaptureBuffer {
  readonly #options: CaptureBufferOptions;
  readonly #backoff: Backoff;
  /** Handed over, or kept to be. */
  readonly #unsettled = new Set<Batch>();
  /** Of those, the ones that wait for their turn after a failure. */
  #kept: Batch[] = [];
  #open: Batch | undefined;
  #batches = 0;
  #events = 0;
  #characters = 0;
  #undoTimer: Undo | undefined;
  #undoRetry: Undo | undefined;
  #retrying = false;
  #ended = false;
  #trouble: WireError | undefined;
  /** The first since the last flush that no flush has told of. */
  #failure: WireError | undefined;

  constructor(options: CaptureBufferOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.ports, RETRY);
  }

  /** Events that are not known to be committed yet. */
  get held(): number {
    return this.#events;
  }

  /** Why batches are kept, while any are. */
  get trouble(): WireError | undefined {
    return this.#kept.length > 0 ? this.#trouble : undefined;
  }

  /** @throws MillraceError `limit.exceeded` where as much is held as may be: the event is not taken. */
  add(
    id: string,
    line: string,
    options: { readonly urgent: boolean; readonly brought: boolean },
  ): Receipt {
    this.#checkRoom(line);
    const batch = (this.#open ??= this.#begin());
    const index = batch.lines.push(line) - 1;
    batch.characters += line.length;
    batch.separately ||= options.brought;
    this.#events++;
    this.#characters += line.length;
    if (options.urgent || batch.lines.length >= this.#options.maxBatch || batch.characters >= FULL_BATCH)
      this.send();
    return receipt(id, () => this.#committed(batch, index, id));
  }

  /** An event was refused before it came here: the next flush tells of it. */
  refused(error: WireError): void {
    this.#failure ??= error;
  }

  /** Hands the open batch over, now, or behind those that are kept. */
  send(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#open = undefined;
    this.#undoTimer?.();
    this.#unsettled.add(batch);
    if (this.#kept.length > 0) this.#kept.push(batch);
    else void this.#deliver(batch);
  }

  /** Hands over all that is held, kept batches too, without waiting for one before the next. */
  sendAll(): void {
    this.send();
    for (const batch of this.#kept.splice(0)) void this.#deliver(batch);
  }

  /** As `sendAll`, for the last time: what fails now is tried no more. */
  end(): void {
    this.#ended = true;
    this.#undoRetry?.();
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
    const batches = [...this.#unsettled];
    for (const batch of batches) batch.flushed = true;
    for (const settled of await Promise.all(batches.map((batch) => batch.settled)))
      error ??= errorOf(settled);
    if (error !== undefined) throw MillraceError.fromWire(error);
  }

  #checkRoom(line: string): void {
    const { events, characters } = this.#options.limits ?? captureLimits;
    if (this.#events >= events) throw full('capture.events', events, this.#events + 1);
    const actual = this.#characters + line.length;
    if (actual > characters) throw full('capture.characters', characters, actual);
  }

  #begin(): Batch {
    this.#undoTimer = this.#options.ports.after(this.#options.flushMs, () => this.send());
    return new Batch(this.#batches++);
  }

  async #deliver(batch: Batch): Promise<boolean> {
    const settled = await this.#options.send(batch.lines, batch.separately).then(
      (appended) => ({ appended }),
      (error: MillraceError) => ({ error: error.toWire() }),
    );
    const again = 'error' in settled && settled.error.code === 'storage.failed' && !this.#ended;
    if (again) this.#keep(batch, settled.error);
    else this.#settle(batch, settled);
    return !again;
  }

  #keep(batch: Batch, error: WireError): void {
    if (!this.#kept.includes(batch)) {
      this.#kept.push(batch);
      this.#kept.sort((a, b) => a.number - b.number);
    }
    this.#trouble = error;
    if (!this.#retrying) this.#retryLater();
    this.#options.onTrouble();
  }

  #retryLater(): void {
    this.#undoRetry ??= this.#options.ports.after(this.#backoff.failed(), () => {
      this.#undoRetry = undefined;
      void this.#retry();
    });
  }

  /** One after another, so that they keep their order. */
  async #retry(): Promise<void> {
    this.#retrying = true;
    let goesOn = true;
    for (let batch = this.#kept[0]; goesOn && batch !== undefined; batch = this.#kept[0]) {
      goesOn = await this.#deliver(batch);
      if (goesOn) this.#backoff.reset();
    }
    this.#retrying = false;
    if (this.#kept.length > 0 && !this.#ended) this.#retryLater();
  }

  #settle(batch: Batch, settled: Settled): void {
    this.#kept = this.#kept.filter((kept) => kept !== batch);
    // One that was handed over twice has come to its end before.
    if (!this.#unsettled.delete(batch)) return;
    this.#events -= batch.lines.length;
    this.#characters -= batch.characters;
    const error = errorOf(settled);
    if (!batch.flushed) this.#failure ??= error;
    batch.settle(settled);
    const failed = 'error' in settled ? batch.lines.length : settled.appended.failed.length;
    this.#options.onSettled(settled, failed, error);
  }

  async #committed(batch: Batch, index: number, id: string): Promise<Committed> {
    // The rest of the task may capture more: it goes in the same batch.
    queueMicrotask(() => {
      if (this.#open === batch) this.send();
    });
    const settled = await batch.settled;
    const error =
      'error' in settled
        ? settled.error
        : settled.appended.failed.find((one) => one.index === index)?.error;
    if (error !== undefined) throw MillraceError.fromWire(error);
    return { id, position: 'appended' in settled ? settled.appended.positions[index]! : 0 };
  }
}

function errorOf(settled: Settled): WireError | undefined {
  return 'error' in settled ? settled.error : settled.appended.failed[0]?.error;
}

function full(limit: string, maximum: number, actual: number): MillraceError<'limit.exceeded'> {
  const text = `the page holds all that it may (${limit} ${maximum}) until the log takes it: this event is not kept; capture it again later`;
  return new MillraceError('limit.exceeded', text, { limit, maximum, actual });
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
