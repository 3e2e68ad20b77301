/** A bound of how long one object waits for another: whoever is not answered in time asks again, and hangs on nobody. */
import { MillraceError } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';

export interface WithinOptions {
  readonly limitMs: number;
  /** For the error. */
  readonly what: string;
  readonly ports: Pick<Ports, 'after'>;
}

/** What was asked may still be done. @throws MillraceError `timeout`, or what the promise rejects with */
export function within<T>(
  asked: Promise<T>,
  { limitMs: timeoutMs, what, ports }: WithinOptions,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = (): void => {
      const message = `${what} did not come within ${timeoutMs} ms: it may have been done all the same; try again`;
      reject(new MillraceError('timeout', message, { what, timeoutMs }));
    };
    const undo = ports.after(timeoutMs, late);
    asked.then(resolve, reject).finally(undo);
  });
}
