/**
 * Gathers what a page captures into batches, so that one call crosses to the worker for many events. A batch goes when
 * it is full, when its time is up, when an event is urgent, and when somebody awaits a receipt in it.
 */
import { MillraceError, type WireError } from '../../src/errors.ts';
import type { Position } from '../../src/storage/storage.ts';
import type { Ports, Undo } from '../../src/ports.ts';
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
  readonly ports: Pick<Ports, 'after'>;
  readonly flushMs: number;
  readonly maxBatch: number;
  readonly send: (lines: readonly string[], separately: boolean) => Promise<Appended>;
  /** A batch was answered: so many of its events were not committed. */
  readonly onSettled: (head: Position, failed: number, error: WireError | undefined) => void;
}

/** Characters after which a batch is full, whatever its count. */
const FULL_BATCH = 262_144;

type Settled = { readonly appended: Appended } | { readonly error: WireError };

class Batch {
  readonly lines: string[] = [];
  readonly settled: Promise<Settled>;
  settle: (settled: Settled) => void = () => {};
  characters = 0;
  separately = false;

  constructor() {
    this.settled = new Promise((resolve) => (this.settle = resolve));
  }
}

export class CaptureBuffer {
  readonly #options: CaptureBufferOptions;
  readonly #inFlight = new Set<Batch>();
  #open: Batch | undefined;
  #undoTimer: Undo | undefined;

  constructor(options: CaptureBufferOptions) {
    this.#options = options;
  }

  /** Events that are not known to be committed yet. */
  get held(): number {
    let held = this.#open?.lines.length ?? 0;
    for (const batch of this.#inFlight) held += batch.lines.length;
    return held;
  }

  add(
    id: string,
    line: string,
    options: { readonly urgent: boolean; readonly brought: boolean },
  ): Receipt {
    const batch = (this.#open ??= this.#begin());
    const index = batch.lines.push(line) - 1;
    batch.characters += line.length;
    batch.separately ||= options.brought;
    if (options.urgent || batch.lines.length >= this.#options.maxBatch || batch.characters >= FULL_BATCH)
      this.send();
    return receipt(id, () => this.#committed(batch, index, id));
  }

  /** Hands the open batch over, now. */
  send(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#open = undefined;
    this.#undoTimer?.();
    this.#inFlight.add(batch);
    void this.#deliver(batch);
  }

  /** @throws MillraceError the first error of what was captured before and could not be committed. */
  async flush(): Promise<void> {
    this.send();
    const all = await Promise.all([...this.#inFlight].map((batch) => batch.settled));
    for (const settled of all) {
      const error = 'error' in settled ? settled.error : settled.appended.failed[0]?.error;
      if (error !== undefined) throw MillraceError.fromWire(error);
    }
  }

  #begin(): Batch {
    this.#undoTimer = this.#options.ports.after(this.#options.flushMs, () => this.send());
    return new Batch();
  }

  async #deliver(batch: Batch): Promise<void> {
    const settled = await this.#options.send(batch.lines, batch.separately).then(
      (appended) => ({ appended }),
      (error: MillraceError) => ({ error: error.toWire() }),
    );
    this.#inFlight.delete(batch);
    batch.settle(settled);
    if ('error' in settled) this.#options.onSettled(0, batch.lines.length, settled.error);
    else
      this.#options.onSettled(
        settled.appended.head,
        settled.appended.failed.length,
        settled.appended.failed[0]?.error,
      );
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
