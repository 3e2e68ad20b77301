/** A service's handlers, by what they are registered for. */
import { invalidOption } from '../bus/event-handler.ts';
import { isTopicPattern, topicMatches } from '../bus/topic-pattern.ts';
import { selectorText } from '../bus/selector.ts';
import type { Event } from '../event/event.ts';
import type { Ports, Undo } from '../ports.ts';
import { MillraceError } from '../errors.ts';
import type { HandlerTransaction } from './transaction.ts';

/**
 * What it puts and publishes through the transaction is committed when it has ended well, together with the mark that
 * it ran: once for each event, however often it is called. What it does elsewhere is done as often as it is called.
 */
export type ServiceHandler<E extends Event = Event> = (
  event: E,
  transaction: HandlerTransaction,
) => unknown;

export interface HandlerOptions {
  /** Names its progress and its dead letters, and so must stay what it is over restarts. Default: what it is registered for. */
  readonly name?: string | undefined;
  /** After this long it has failed, and its signal is aborted. Default: the service's. */
  readonly timeoutMs?: number | undefined;
  /** How often it is called with an event before that becomes a dead letter. Default: the service's. */
  readonly attempts?: number | undefined;
}

export interface RegisteredHandler {
  readonly name: string;
  /** A type, or a topic pattern. */
  readonly type: string;
  readonly handle: ServiceHandler;
  readonly timeoutMs: number;
  readonly attempts: number;
}

const NAME_LENGTH = 100;

export class Handlers {
  readonly #handlers = new Map<string, RegisteredHandler>();
  readonly #defaults: { readonly timeoutMs: number; readonly attempts: number };

  constructor(defaults: { readonly timeoutMs: number; readonly attempts: number }) {
    this.#defaults = defaults;
  }

  /** What handlers are registered for, each once, in their order. */
  get types(): readonly string[] {
    return [...new Set([...this.#handlers.values()].map(({ type }) => type))];
  }

  /** @throws MillraceError `query.invalid`, `topic.invalid` */
  add(
    selector: string | { readonly type: string },
    handle: ServiceHandler,
    options: HandlerOptions = {},
  ): Undo {
    const type = selectorText(selector);
    if (typeof handle !== 'function') throw invalidOption('handler', handle, 'must be a function');
    const { timeoutMs: usualMs, attempts: usual } = this.#defaults;
    const { name = type, timeoutMs = usualMs, attempts = usual } = options;
    if (name === '' || name.length > NAME_LENGTH)
      throw invalidOption('name', name, `must have 1 to ${NAME_LENGTH} characters`);
    if (this.#handlers.has(name))
      throw invalidOption('name', name, 'is another handler’s: give each a name of its own');
    this.#handlers.set(name, { name, type, handle, timeoutMs, attempts });
    return () => void this.#handlers.delete(name);
  }

  get(name: string): RegisteredHandler | undefined {
    return this.#handlers.get(name);
  }

  /** In the order of their registration. */
  of(event: Event): readonly RegisteredHandler[] {
    return [...this.#handlers.values()].filter(({ type }) =>
      isTopicPattern(type) ? topicMatches(type, event.type) : type === event.type,
    );
  }
}

/** Calls it, and waits no longer than its time. @throws what it throws; MillraceError `timeout` */
export async function callHandler(
  { name, handle, timeoutMs }: RegisteredHandler,
  event: Event,
  transaction: HandlerTransaction & { readonly controller: AbortController },
  ports: Pick<Ports, 'after'>,
): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const undo = ports.after(timeoutMs, () => {
    const text = `the handler ${name} did not end within ${timeoutMs} ms`;
    const error = new MillraceError('timeout', text, { what: `handler ${name}`, timeoutMs });
    transaction.controller.abort(error);
    reject(error);
  });
  try {
    await Promise.race([handle(event, transaction), late]);
  } finally {
    undo();
  }
}
