/** A live stream that calls a handler, until somebody stops it. */
import type { Event } from '../event/event.ts';
import type { EventChoice } from './choice.ts';
import type { EdgeRequests } from './edge-requests.ts';
import { followLive, type LiveOptions } from './live-events.ts';

/** Waited for before the next event's turn. Where it throws, the stream ends, and its cursor stays before the event. */
export type LiveHandler<E extends Event = Event> = (event: E, cursor: string) => unknown;

export class LiveSubscription implements AsyncDisposable {
  /** Resolves when it was stopped. Rejects where the handler failed, or the edge refuses. */
  readonly finished: Promise<void>;
  readonly #stopping = new AbortController();
  #cursor: string | undefined;

  constructor(edge: EdgeRequests, choice: EventChoice, handler: LiveHandler, options: LiveOptions) {
    const { signal: own } = this.#stopping;
    const { signal: given } = options;
    const signal = given === undefined ? own : AbortSignal.any([own, given]);
    this.finished = this.#run(edge, choice, handler, { ...options, signal });
  }

  /** Where to go on after what was handled. `undefined` before the first event. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Resolves when no handler runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.finished.catch(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(
    edge: EdgeRequests,
    choice: EventChoice,
    handler: LiveHandler,
    options: LiveOptions,
  ): Promise<void> {
    try {
      for await (const { event, cursor } of followLive(edge, choice, options)) {
        if (options.signal?.aborted) return;
        await handler(event, cursor);
        this.#cursor = cursor;
      }
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error;
    }
  }
}
