/**
 * Keeps a page's batches in the order of their captures. One that fails in the storage comes again: those behind it, which
 * were on their way by then, are turned back until it has.
 */
import { hasCode, type MillraceError } from '../../src/errors.ts';

export class AppendOrder {
  /** The first that failed, and why. */
  #awaited: { readonly number: number; readonly error: MillraceError } | undefined;

  /** @throws what `append` does; `storage.failed` where the batch must wait its turn. */
  async run<T>(number: number, append: () => Promise<T>): Promise<T> {
    const awaited = this.#awaited;
    if (awaited !== undefined && number > awaited.number) throw awaited.error;
    this.#awaited = undefined;
    try {
      return await append();
    } catch (error) {
      if (hasCode(error, 'storage.failed')) this.#hold(number, error);
      throw error;
    }
  }

  #hold(number: number, error: MillraceError): void {
    if (number < (this.#awaited?.number ?? Infinity)) this.#awaited = { number, error };
  }
}
