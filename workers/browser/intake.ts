/**
 * A page's batches on their way into the log, in the order of their captures: as many go down in one commit as wait, and
 * are tried until they are down. What comes behind them waits, so nothing overtakes them; the events' ids make a repeat
 * harmless.
 */
import { hasCode, type MillraceError } from '../../src/errors.ts';
import type { Ports } from '../../src/ports.ts';
import { Backoff } from '../../src/sync/backoff.ts';
import { decodeBatch, type Batch } from './device-appends.ts';
import type { Appended, HandedBatch } from './worker-api.ts';

/** Characters that go down in one transaction, unless one batch alone has more. */
const TOGETHER = 1_048_576;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 5_000;

interface Waiting {
  readonly batch: Batch;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

export class Intake {
  readonly #ports: Pick<Ports, 'after' | 'random'>;
  readonly #append: (batches: readonly Batch[]) => Promise<readonly Appended[]>;
  readonly #onTrouble: () => void;
  readonly #backoff: Backoff;
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Ends a pause. */
  #wake = (): void => {};
  #trouble: MillraceError | undefined;
  #closed = false;

  /**
   * @param append Rejects with `storage.failed` where it is to be tried again; else it has one outcome for each batch.
   * @param onTrouble `trouble` has changed.
   */
  constructor(
    ports: Pick<Ports, 'after' | 'random'>,
    append: (batches: readonly Batch[]) => Promise<readonly Appended[]>,
    onTrouble: () => void,
  ) {
    this.#ports = ports;
    this.#append = append;
    this.#onTrouble = onTrouble;
    this.#backoff = new Backoff(ports, { firstMs: FIRST_RETRY_MS, maximumMs: LAST_RETRY_MS });
  }

  /** Why a batch is kept, while one is. */
  get trouble(): MillraceError | undefined {
    return this.#trouble;
  }

  /** Resolves once the batch is committed. It is decoded at once, while those before it are on their way to the disk. */
  add(handed: HandedBatch): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch: decodeBatch(handed), resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when what is here has been tried for the last time. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#group();
      try {
        const appended = await this.#append(group.map(({ batch }) => batch));
        this.#tell(undefined);
        this.#backoff.reset();
        for (const [index, { resolve }] of group.entries()) resolve(appended[index]!);
      } catch (error) {
        if (hasCode(error, 'storage.failed') && !this.#closed) {
          this.#tell(error);
          await this.#pause();
          continue;
        }
        for (const { reject } of group) reject(error);
      }
      this.#waiting.splice(0, group.length);
    }
    this.#running = undefined;
  }

  #tell(trouble: MillraceError | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#onTrouble();
  }

  #group(): readonly Waiting[] {
    let characters = 0;
    const full = this.#waiting.findIndex(
      ({ batch }, index) => (characters += batch.characters) > TOGETHER && index > 0,
    );
    return this.#waiting.slice(0, full < 0 ? undefined : full);
  }

  async #pause(): Promise<void> {
    const undo = await new Promise<() => void>((resolve) => {
      const stop = this.#ports.after(this.#backoff.failed(), () => resolve(stop));
      this.#wake = () => resolve(stop);
    });
    undo();
  }
}
