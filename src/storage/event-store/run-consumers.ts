/** Keeps consumers caught up: at each commit's hint, and now and then without one. */
import type { Ports, Undo } from '../../ports.ts';
import type { Storage } from '../storage.ts';
import { Bell } from './follow.ts';

export interface RunOptions {
  readonly ports: Pick<Ports, 'after' | 'random'>;
  /** Asks again after so long without a hint. Default: 5,000. */
  readonly pollMs?: number | undefined;
  /** Hears of each failure of the log; it is tried again, ever more slowly, 30 s apart at most. Default: a warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** What can be kept caught up: a consumer, a projector, a reactor. */
export interface CatchesUp {
  catchUp(options: { readonly signal: AbortSignal }): Promise<unknown>;
}

const POLL_MS = 5_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 30_000;

/** Starts them, each at its own pace. Returns what stops them; a page that is being committed then still is. */
export function runConsumers(
  storage: Storage,
  consumers: readonly CatchesUp[],
  options: RunOptions,
): Undo {
  const controller = new AbortController();
  for (const consumer of consumers) void run(storage, consumer, options, controller.signal);
  return () => controller.abort();
}

async function run(
  storage: Storage,
  consumer: CatchesUp,
  options: RunOptions,
  signal: AbortSignal,
): Promise<void> {
  const {
    ports,
    pollMs = POLL_MS,
    onError = (error) => console.warn('a consumer failed', error),
  } = options;
  const bell = new Bell(storage, ports, signal);
  let retryMs = FIRST_RETRY_MS;
  while (!isAborted(signal)) {
    bell.reset();
    try {
      await consumer.catchUp({ signal });
      retryMs = FIRST_RETRY_MS;
      if (!isAborted(signal)) await bell.rung(pollMs);
    } catch (error) {
      if (isAborted(signal)) break;
      onError(error);
      await pause(ports, retryMs * (0.5 + ports.random() / 2), signal);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  }
  bell.stop();
}

function pause(ports: Pick<Ports, 'after'>, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      undo();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const undo = ports.after(delayMs, done);
    signal.addEventListener('abort', done);
  });
}

const isAborted = (signal: AbortSignal): boolean => signal.aborted;
