/** What is called with an event: a function, or an object that may also say which events it can handle. */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';

/** What a handler is told beside the event. */
export interface Attempt {
  /** From 1. Higher than 1 where a retry follows on a failure. */
  readonly attempt: number;
  /**
   * Aborted when nobody waits for the handler any more: its time is over, it was unsubscribed, or its host stopped.
   * None for a bus handler without `timeoutMs`, `retry` and `concurrency`.
   */
  readonly signal: AbortSignal | undefined;
}

/** It has failed when it throws, or when the promise that it answers rejects. Any other answer is ignored. */
export type HandlerFunction<E extends Event = Event> = (event: E, attempt: Attempt) => unknown;

export interface EventHandler<E extends Event = Event> {
  readonly handle: HandlerFunction<E>;
  /** Default: every event that it is subscribed to. Where it throws, the handler has failed on the event. */
  readonly canHandle?: (event: E) => boolean;
}

export type Handler<E extends Event = Event> = HandlerFunction<E> | EventHandler<E>;

/** What became of one event at one handler. */
export interface HandlerOutcome {
  /** The subscription's name. */
  readonly handler: string;
  /** `skipped`: its filter, `canHandle` or its end said no. */
  readonly status: 'handled' | 'skipped' | 'failed';
  /** How often it was called. */
  readonly attempts: number;
  /** What the last attempt failed with. */
  readonly error?: unknown;
}

/** @throws MillraceError `query.invalid` where it is neither a function nor an object with `handle`. */
export function handlerFunction<E extends Event>(handler: Handler<E>): HandlerFunction<E> {
  if (typeof handler === 'function') return handler;
  if (typeof handler?.handle === 'function') return (event, attempt) => handler.handle(event, attempt);
  throw invalidOption('handler', handler, 'must be a function, or an object with a function `handle`');
}

/** An option that means nothing; the pointer is into the options. */
export function invalidOption(
  name: string,
  value: unknown,
  reason: string,
): MillraceError<'query.invalid'> {
  const simple = ['string', 'number', 'boolean', 'undefined'].includes(typeof value);
  const shown = simple ? value : typeof value;
  const details = { path: `/${name}`, value: shown, reason };
  return new MillraceError('query.invalid', `${name} ${reason}: got ${String(shown)}`, details);
}

/** What a subscription without a name is called. */
export function defaultName(handler: Handler<never>, order: number): string {
  const own = typeof handler === 'function' ? handler.name : '';
  return `${own === '' ? 'handler' : own}-${order}`;
}

/** @throws MillraceError `query.invalid` */
export function checkConcurrency(concurrency: number | undefined): void {
  if (concurrency !== Infinity) checkNumber('concurrency', concurrency, 1, 'whole');
}

/** @throws MillraceError `query.invalid` */
export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    throw invalidOption(name, value, 'must be a function');
}

/** @throws MillraceError `query.invalid` */
export function checkNumber(
  name: string,
  value: number | undefined,
  minimum: number,
  kind: 'whole' | 'any' = 'any',
): void {
  if (value === undefined) return;
  const fits = kind === 'whole' ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (fits && value >= minimum) return;
  throw invalidOption(
    name,
    value,
    `must be a ${kind === 'whole' ? 'whole ' : ''}number from ${minimum} on`,
  );
}
