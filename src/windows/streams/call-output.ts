/** Calls an output with one item, as often as it asks for. */
import { retryDelayMs } from '../../bus/retry.ts';
import type { Ports } from '../../ports.ts';
import type { CalledOutput } from './outputs.ts';

/** Calls until it succeeds, or is given up. @throws What the signal was aborted with, while it waits */
export async function callOutput<I>(
  { retry = { count: 0 } }: CalledOutput<I>,
  call: () => unknown,
  ports: Pick<Ports, 'after' | 'random'>,
  signal: AbortSignal | undefined,
): Promise<{ readonly error: unknown; readonly attempts: number } | undefined> {
  for (let attempts = 1; ; attempts++) {
    signal?.throwIfAborted();
    try {
      await call();
      return undefined;
    } catch (error) {
      if (attempts > retry.count) return { error, attempts };
    }
    await pause(retryDelayMs(retry, attempts, ports), ports, signal);
  }
}

function pause(
  delayMs: number,
  ports: Pick<Ports, 'after'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      undo();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const undo = ports.after(delayMs, done);
    signal?.addEventListener('abort', done);
  });
}
