/**
 * What a client asks of its edge: each request is tried again with jitter while the edge is out of reach, until it is
 * answered, refused, given up, or its caller or the client ends it.
 */
import { hasCode, MillraceError } from '../errors.ts';
import type { Fetch, Ports } from '../ports.ts';
import { Backoff } from '../sync/backoff.ts';
import { createExchange, understood, type Exchange, type HttpRequest } from '../sync/http-ask.ts';

export interface EdgeRequestsOptions {
  readonly endpoint: string;
  readonly key?: string | undefined;
  readonly attempts?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly fetch: Fetch;
  readonly ports: Ports;
}

export interface TryOptions {
  /** Tries while the edge is out of reach. Default: the client's. */
  readonly attempts?: number | undefined;
}

const ATTEMPTS = 5;
const TIMEOUT_MS = 15_000;

export class EdgeRequests {
  readonly endpoint: string;
  readonly ports: Ports;
  /** For one answer. */
  readonly timeoutMs: number;
  /** Of one request. */
  readonly attempts: number;
  readonly #exchange: Exchange;
  #lifetime = new AbortController();

  constructor(options: EdgeRequestsOptions) {
    const { endpoint, key, attempts = ATTEMPTS, timeoutMs = TIMEOUT_MS, fetch, ports } = options;
    this.endpoint = endpoint;
    this.ports = ports;
    this.timeoutMs = timeoutMs;
    this.attempts = attempts;
    this.#exchange = createExchange({ endpoint, key, fetch, ports, timeoutMs });
  }

  /** Whatever is asked from now on is asked, after an `end`. */
  begin(): void {
    if (this.#lifetime.signal.aborted) this.#lifetime = new AbortController();
  }

  /** What is under way is aborted, and nothing more is asked. */
  end(): void {
    this.#lifetime.abort();
  }

  /** @throws MillraceError `sync.unreachable`, `sync.refused`, `disposed`; the signal's reason */
  async ask<T>(
    request: HttpRequest,
    read: (text: string) => T | undefined,
    { attempts = this.attempts }: TryOptions = {},
  ): Promise<T> {
    const backoff = new Backoff(this.ports);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(request, (response) => understood(response.text(), read, this.endpoint));
      } catch (error) {
        if (attempt >= attempts || !hasCode(error, 'sync.unreachable')) throw error;
        await this.pause(backoff.failed(error.details.retryAfterMs), request.signal);
      }
    }
  }

  /** One try; the time-out ends when `read` does, and what it leaves unread of the body is aborted with the signal. */
  async once<T>(
    request: HttpRequest,
    read: (response: Awaited<ReturnType<Fetch>>) => T | Promise<T>,
  ): Promise<T> {
    const signal = this.#ending(request.signal);
    this.#check(request.signal);
    try {
      return await this.#exchange({ ...request, signal }, read);
    } catch (error) {
      this.#check(request.signal);
      throw error;
    }
  }

  /** @throws as `ask` does, where it is ended before */
  async pause(delayMs: number, signal?: AbortSignal): Promise<void> {
    const ending = this.#ending(signal);
    if (!ending.aborted)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          undo();
          ending.removeEventListener('abort', done);
          resolve();
        };
        const undo = this.ports.after(delayMs, done);
        ending.addEventListener('abort', done);
      });
    this.#check(signal);
  }

  #ending(signal: AbortSignal | undefined): AbortSignal {
    const { signal: own } = this.#lifetime;
    return signal === undefined ? own : AbortSignal.any([own, signal]);
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (!this.#lifetime.signal.aborted) return;
    const message = `the client of ${this.endpoint} is disconnected: connect it again before asking`;
    throw new MillraceError('disposed', message, { what: 'client' });
  }
}
