/** Dead letters as whoever looks after them has them: listed, looked at, driven again, dropped. The same at every host. */
import { isWireError } from '../../errors.ts';
import type { Undo } from '../../ports.ts';
import type { MaybePromise } from '../storage.ts';
import { reasonOf, type DeadLetter } from './dead-letter.ts';

export interface DeadLetterListOptions {
  /** Only those whose id is greater. */
  readonly after?: string | undefined;
  /** 1 to 10,000. Default: 100. */
  readonly limit?: number | undefined;
}

export interface RedriveOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface Redriven {
  /** They were taken this time, and are no letters any more. */
  readonly redriven: number;
  /** They failed once more, and are letters with the new reason. */
  readonly failed: number;
}

export interface DeadLetters {
  /** A page, in the order of their ids: go on with `after` the last one's. @throws MillraceError `query.invalid` */
  list(options?: DeadLetterListOptions): MaybePromise<readonly DeadLetter[]>;
  get(id: string): MaybePromise<DeadLetter | undefined>;
  /**
   * Tries each once more where it failed, one after another, and nowhere else; ids that are no letters (any more) are
   * passed over. Default: all that there are. At least once: after a crash in between, a letter may be there that was
   * taken.
   *
   * @throws MillraceError where nothing can be said of a letter, because its host, or the storage, cannot now: it and
   *   those behind it stay; the signal's reason.
   */
  redrive(ids?: readonly string[], options?: RedriveOptions): Promise<Redriven>;
  /** Gives them up for good. Resolves to how many there were. Default: all. */
  drop(ids?: readonly string[]): MaybePromise<number>;
  count(): MaybePromise<number>;
  /** How many are lost: they gave way to newer ones, or could not be kept. */
  readonly shed: number;
  /** Tells of each letter once it is kept, also of one that has failed again. */
  onAdded(listener: (letter: DeadLetter) => void): Undo;
}

/** Where a host keeps its letters. One host to each. */
export interface DeadLetterStore extends Omit<DeadLetters, 'redrive'> {
  /** Adds the letter, or puts it in the place of the one of its id, which keeps its first time and its attempts. */
  add(letter: DeadLetter): MaybePromise<void>;
}

/**
 * What became of a letter that was tried again: `taken`; `settled`, taken too, and its host has ended it itself, in the commit
 * of what came of it; `kept`, where it has failed and its host has kept it anew; `gone`, where somebody else was faster. What
 * is thrown is its new reason.
 */
export type Retried = 'taken' | 'settled' | 'kept' | 'gone';

export interface Redriver {
  now(): number;
  retry(letter: DeadLetter, options: RedriveOptions): MaybePromise<Retried>;
  /** Whether the error says nothing of the letter, so that the redriving ends. Default: errors of a storage, `disposed`. */
  isOutage?(error: unknown): boolean;
}

const PAGE = 100;

/** A store's letters, which the host can drive again. */
export class HostDeadLetters implements DeadLetters {
  readonly #store: DeadLetterStore;
  readonly #redriver: Redriver;
  /** No letter is driven twice at a time. */
  readonly #busy = new Set<string>();

  constructor(store: DeadLetterStore, redriver: Redriver) {
    this.#store = store;
    this.#redriver = redriver;
  }

  get shed(): number {
    return this.#store.shed;
  }

  list(options?: DeadLetterListOptions): MaybePromise<readonly DeadLetter[]> {
    return this.#store.list(options);
  }

  get(id: string): MaybePromise<DeadLetter | undefined> {
    return this.#store.get(id);
  }

  drop(ids?: readonly string[]): MaybePromise<number> {
    return this.#store.drop(ids);
  }

  count(): MaybePromise<number> {
    return this.#store.count();
  }

  onAdded(listener: (letter: DeadLetter) => void): Undo {
    return this.#store.onAdded(listener);
  }

  async redrive(ids?: readonly string[], options: RedriveOptions = {}): Promise<Redriven> {
    const tally = { redriven: 0, failed: 0 };
    for await (const id of ids ?? idsOf(this.#store)) {
      options.signal?.throwIfAborted();
      if (this.#busy.has(id)) continue;
      this.#busy.add(id);
      try {
        const outcome = await this.#redriveOne(id, options);
        if (outcome !== undefined) tally[outcome]++;
      } finally {
        this.#busy.delete(id);
      }
    }
    return tally;
  }

  async #redriveOne(id: string, options: RedriveOptions): Promise<keyof Redriven | undefined> {
    const letter = await this.#store.get(id);
    if (letter === undefined) return undefined;
    const { retry, isOutage = isOwnOutage } = this.#redriver;
    try {
      const retried = await retry.call(this.#redriver, letter, options);
      if (retried === 'kept') return 'failed';
      if (retried === 'settled') return 'redriven';
      if (retried === 'gone') return undefined;
    } catch (error) {
      if (isOutage(error) || options.signal?.aborted === true) throw error;
      const { firstAt: _, ...rest } = letter;
      const at = this.#redriver.now();
      await this.#store.add({ ...rest, attempts: 1, reason: reasonOf(error), firstAt: at, lastAt: at });
      return 'failed';
    }
    await this.#end(letter);
    return 'redriven';
  }

  /** Not where the same has failed there meanwhile, for another reason to be kept. */
  async #end({ id, lastAt, attempts }: DeadLetter): Promise<void> {
    const now = await this.#store.get(id);
    if (now?.lastAt === lastAt && now.attempts === attempts) await this.#store.drop([id]);
  }
}

/** Those that there were when it began: one that fails again comes behind no other. */
async function* idsOf(store: DeadLetterStore): AsyncGenerator<string> {
  let after = '';
  for (;;) {
    const page = await store.list({ after, limit: PAGE });
    for (const { id } of page) yield id;
    if (page.length < PAGE) return;
    after = page.at(-1)!.id;
  }
}

function isOwnOutage(error: unknown): boolean {
  return isWireError(error) && (error.code.startsWith('storage.') || error.code === 'disposed');
}

/** Listeners of a store. One that throws is logged, and stops nobody. */
export class LetterListeners {
  readonly #listeners = new Set<(letter: DeadLetter) => void>();

  add(listener: (letter: DeadLetter) => void): Undo {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(letter: DeadLetter): void {
    for (const listener of this.#listeners) {
      try {
        listener(letter);
      } catch (error) {
        console.error('a listener of dead letters threw', error);
      }
    }
  }
}
