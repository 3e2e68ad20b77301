/**
 * Keeps a page's batches in the order of their captures. One that fails in the storage comes again: those behind it, which
 * were on their way by then, are turned back until it has, and each of them holds back those behind itself.
 */
import { hasCode, type MillraceError } from '../../src/errors.ts';

export class AppendOrder {
  /** Those that failed or were turned back, and why: each of them comes again. */
  readonly #awaited = new Map<number, MillraceError>();

  /** @throws what `append` does; `storage.failed` where the batch must wait its turn. */
  async run<T>(number: number, append: () => Promise<T>): Promise<T> {
    for (const [awaited, error] of this.#awaited) if (awaited < number) this.#turnBack(number, error);
    this.#awaited.delete(number);
    try {
      return await append();
    } catch (error) {
      if (hasCode(error, 'storage.failed')) this.#turnBack(number, error);
      throw error;
    }
  }

  #turnBack(number: number, error: MillraceError): never {
    this.#awaited.set(number, error);
    throw error;
  }
}
