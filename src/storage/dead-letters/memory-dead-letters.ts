/** Dead letters in memory: the last ones. */
import { MillraceError } from '../../errors.ts';
import type { Undo } from '../../ports.ts';
import { checkList } from '../check-input.ts';
import { failedAgain, type DeadLetter } from './dead-letter.ts';
import { LetterListeners, type DeadLetterListOptions, type DeadLetterStore } from './dead-letters.ts';

export interface MemoryDeadLettersOptions {
  /** The most that are kept; the one that failed longest ago gives way, and is counted. Default: 1,000. */
  readonly capacity?: number | undefined;
}

const DEFAULT_LIMIT = 100;

export class MemoryDeadLetters implements DeadLetterStore {
  /** From the one that failed longest ago on. */
  readonly #letters = new Map<string, DeadLetter>();
  readonly #listeners = new LetterListeners();
  readonly #capacity: number;
  #shed = 0;

  /** @throws MillraceError `query.invalid` */
  constructor({ capacity = 1_000 }: MemoryDeadLettersOptions = {}) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      const reason = 'must be a whole number from 1 on';
      const details = { path: '/capacity', value: capacity, reason };
      throw new MillraceError('query.invalid', `capacity ${reason}: got ${String(capacity)}`, details);
    }
    this.#capacity = capacity;
  }

  get shed(): number {
    return this.#shed;
  }

  add(letter: DeadLetter): void {
    const { id } = letter;
    const kept = failedAgain(this.#letters.get(id), letter);
    this.#letters.delete(id);
    this.#letters.set(id, kept);
    if (this.#letters.size > this.#capacity) {
      this.#letters.delete(this.#letters.keys().next().value!);
      this.#shed++;
    }
    this.#listeners.tell(kept);
  }

  list(options: DeadLetterListOptions = {}): readonly DeadLetter[] {
    const { after, limit } = checkList({ ...options, limit: options.limit ?? DEFAULT_LIMIT });
    const ids = [...this.#letters.keys()].filter((id) => id > after).toSorted();
    return ids.slice(0, limit).map((id) => this.#letters.get(id)!);
  }

  get(id: string): DeadLetter | undefined {
    return this.#letters.get(id);
  }

  drop(ids: readonly string[] = [...this.#letters.keys()]): number {
    return ids.filter((id) => this.#letters.delete(id)).length;
  }

  count(): number {
    return this.#letters.size;
  }

  onAdded(listener: (letter: DeadLetter) => void): Undo {
    return this.#listeners.add(listener);
  }
}
