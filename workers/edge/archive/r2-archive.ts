/** An R2 bucket as the archive of old segments. What it does not answer in time has failed, and nobody waits for ever. */
import { MillraceError } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';
import type { SegmentArchive } from '../../../src/storage/sqlite.ts';

/** An object has two megabytes, as a rule. */
const ANSWER_MS = 15_000;

export interface R2ArchiveOptions {
  readonly ports: Pick<Ports, 'after'>;
  /** How long one operation may take. Default: 15,000. */
  readonly answerMs?: number;
}

/** The part of an R2 bucket that is needed. */
export interface Bucket {
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<unknown>;
  get(key: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null>;
  delete(key: string): Promise<void>;
}

export function r2Archive(
  bucket: Bucket,
  { ports, answerMs = ANSWER_MS }: R2ArchiveOptions,
): SegmentArchive {
  const inTime = async <T>(operation: string, run: () => Promise<T>): Promise<T> => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const undo = ports.after(answerMs, () => {
      const message = `R2 did not answer a ${operation} within ${answerMs} ms`;
      reject(new MillraceError('timeout', message, { what: `R2 ${operation}`, timeoutMs: answerMs }));
    });
    try {
      return await Promise.race([run(), late]);
    } finally {
      undo();
    }
  };
  return {
    put: (key, bytes) =>
      inTime('put', async () => {
        await bucket.put(key, bytes);
      }),
    get: (key) =>
      inTime('get', async () => {
        const object = await bucket.get(key);
        return object === null ? undefined : new Uint8Array(await object.arrayBuffer());
      }),
    delete: (key) => inTime('delete', () => bucket.delete(key)),
  };
}
