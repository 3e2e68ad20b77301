/**
 * Runs a delivery: each of its events by each of the handlers for it, in order. A step is a handler and an event; what
 * it did and that it ran are one commit, and the last step's commit marks the delivery.
 *
 * A handler that fails has no further events of the delivery, and stops no other. The delivery is then asked for again,
 * until the handler's attempts are used up: its event becomes a dead letter, and the delivery goes on.
 */
import { isWireError } from '../errors.ts';
import type { EventSchemas } from '../event/catalogue.ts';
import type { Event } from '../event/event.ts';
import type { EventFactory } from '../event/factory.ts';
import { eventAttributes, inSpan, isTraced, type Tracer } from '../monitor/tracing.ts';
import type { Ports } from '../ports.ts';
import { deadLetter, failedAgain, madeEventOf } from '../storage/dead-letters/dead-letter.ts';
import type { DeadLetter, Failed } from '../storage/dead-letters/dead-letter.ts';
import type { Retried } from '../storage/dead-letters/dead-letters.ts';
import { letterId } from '../storage/dead-letters/letter-id.ts';
import type { StoredDeadLetters } from '../storage/dead-letters/stored-dead-letters.ts';
import type { Storage } from '../storage/storage.ts';
import { Refusal, type Delivery } from './delivery-request.ts';
import { callHandler, type Handlers, type RegisteredHandler } from './handlers.ts';
import type { Begun, Inbox, Put } from './inbox.ts';
import type { ServiceCounts } from './service-status.ts';
import { OpenTransaction, type CommitOrder, type Committed } from './transaction.ts';

export interface DeliveryRunOptions {
  readonly service: string;
  readonly storage: Storage;
  readonly ports: Ports;
  readonly make: EventFactory<EventSchemas>;
  readonly handlers: Handlers;
  readonly inbox: Inbox;
  readonly order: CommitOrder;
  readonly letters: StoredDeadLetters;
  readonly counts: ServiceCounts;
  readonly tracer?: Tracer | undefined;
}

/** `failed`: some of it has not run, and is to be asked for again. */
export type DeliveryOutcome = 'handled' | 'repeated' | 'failed';

interface Step {
  readonly event: Event;
  readonly index: number;
  readonly handler: RegisteredHandler;
}

/** So often one transaction is called again because others were faster. */
const MOST_OVERTAKEN = 100;

type Settle = () => Promise<readonly Put[] | undefined>;

export class DeliveryRun {
  readonly #options: DeliveryRunOptions;

  constructor(options: DeliveryRunOptions) {
    this.#options = options;
  }

  /** @throws MillraceError as the storage does; Refusal where others were faster again and again */
  async run(delivery: Delivery, isOurs: (event: Event) => boolean): Promise<DeliveryOutcome> {
    const { inbox, counts } = this.#options;
    const { subscription, sequence, unreadable } = delivery;
    if (await inbox.hasRun(subscription, sequence)) return 'repeated';
    if (unreadable !== undefined)
      return this.giveUp(delivery, unreadable.error, unreadable.line, 'delivery');
    const begun = await inbox.begun(subscription, sequence);
    const steps = this.#stepsOf(delivery, begun, isOurs);
    const blocked = new Set<string>();
    let left = steps.length;
    for (const step of steps) {
      if (blocked.has(step.handler.name)) continue;
      if (await this.#step(delivery, step, left)) left--;
      else blocked.add(step.handler.name);
    }
    if (blocked.size > 0) return 'failed';
    // Where there was no step, or another process has taken the last of them.
    await this.#options.order.commit(undefined, () => inbox.mark(subscription, sequence));
    counts.ignored += delivery.events.length - this.#called(delivery, isOurs);
    return 'handled';
  }

  /** How many of its events there is a handler for. */
  #called({ events }: Delivery, isOurs: (event: Event) => boolean): number {
    return events.filter((event) => isOurs(event) && this.#options.handlers.of(event).length > 0).length;
  }

  /** The delivery is marked, and what it brought is a dead letter: nothing can be made of it. */
  async giveUp(
    { subscription, sequence }: Pick<Delivery, 'subscription' | 'sequence'>,
    error: unknown,
    line: string,
    detail: string,
  ): Promise<DeliveryOutcome> {
    const { service, inbox, order, ports } = this.#options;
    const id = letterId(`${subscription}_${sequence}`, detail);
    const where = { part: 'service', name: service, detail } as const;
    const letter = await this.#letter({ id, where, error, attempts: 0, at: ports.now(), line });
    const committed = await order.commit(undefined, async () => {
      const mark = await inbox.mark(subscription, sequence);
      return mark && [...mark, this.#options.letters.entry(id, letter)];
    });
    if (committed === 'committed') this.#tell(letter);
    return committed === 'settled' ? 'repeated' : 'handled';
  }

  /** Marks what its owner has given up at the edge. */
  async skip(subscription: string, sequence: number): Promise<boolean> {
    const { inbox, order } = this.#options;
    return (await order.commit(undefined, () => inbox.mark(subscription, sequence))) === 'committed';
  }

  /** Drives a dead letter again. Its end is in the commit of what the handler did. @throws what the handler throws */
  async redrive(letter: DeadLetter): Promise<Retried> {
    const { handlers, letters } = this.#options;
    const handler = handlers.get(letter.where.name);
    if (handler === undefined)
      throw new Error(`there is no handler ${letter.where.name} in this service: register it first`);
    const event = madeEventOf(letter);
    await this.#attempt({ handler, event }, letter.attempts + 1, async () =>
      (await letters.get(letter.id)) === undefined ? undefined : [letters.entry(letter.id)],
    );
    return 'taken';
  }

  #stepsOf({ events }: Delivery, { done }: Begun, isOurs: (event: Event) => boolean): readonly Step[] {
    return events.flatMap((event, index) => {
      const handlers = isOurs(event) ? this.#options.handlers.of(event) : [];
      return handlers
        .filter(({ name }) => (done[name] ?? 0) <= index)
        .map((handler) => ({ event, index, handler }));
    });
  }

  /** Whether the step is done: well, or for good. */
  async #step(delivery: Delivery, step: Step, left: number): Promise<boolean> {
    const { counts } = this.#options;
    const { subscription, sequence } = delivery;
    const { failures } = await this.#options.inbox.begun(subscription, sequence);
    const attempt = (failures[step.handler.name] ?? 0) + 1;
    try {
      const committed = await this.#attempt(step, attempt, () => this.#settle(delivery, step, left));
      if (committed === 'committed') counts.handled++;
      return true;
    } catch (error) {
      if (isOutage(error)) throw error;
      counts.failures++;
      return attempt < step.handler.attempts
        ? this.#putFailure(delivery, step, attempt)
        : this.#bury(delivery, step, left, { error, attempts: attempt });
    }
  }

  /** One attempt, in a span of its own where the event's trace is recorded: with its commit, and all calls that were overtaken. */
  async #attempt(
    step: Pick<Step, 'handler' | 'event'>,
    attempt: number,
    settle: Settle,
  ): Promise<Committed> {
    const { tracer } = this.#options;
    const { event, handler } = step;
    const { traceparent: parent } = event;
    if (tracer === undefined || !isTraced(event))
      return this.#callAndCommit(step, attempt, settle, parent);
    const attributes = {
      ...eventAttributes(event),
      'messaging.operation.type': 'process',
      'millrace.handler': handler.name,
      'millrace.attempt': attempt,
    };
    const options = { parent, kind: 'consumer', attributes } as const;
    return inSpan(tracer, `handle ${event.type}`, options, ({ traceparent }) =>
      this.#callAndCommit(step, attempt, settle, traceparent),
    );
  }

  async #callAndCommit(
    { handler, event }: Pick<Step, 'handler' | 'event'>,
    attempt: number,
    settle: Settle,
    traceparent: string | undefined,
  ): Promise<Committed> {
    const { storage, ports, make, order } = this.#options;
    for (let overtaken = 0; overtaken < MOST_OVERTAKEN; overtaken++) {
      const since = await order.since();
      const cause = { event, traceparent };
      const transaction = new OpenTransaction({ storage, make, cause, attempt, since });
      try {
        await callHandler(handler, event, transaction, ports);
      } finally {
        transaction.end();
      }
      const committed = await order.commit(transaction, settle);
      if (committed !== 'overtaken') return committed;
    }
    throw new Refusal('busy', 503, `others were faster ${MOST_OVERTAKEN} times: it is tried again`);
  }

  /** What marks the step; nothing where another process has done it. */
  async #settle(delivery: Delivery, step: Step, left: number): Promise<readonly Put[] | undefined> {
    const { inbox } = this.#options;
    const { subscription, sequence } = delivery;
    const { name } = step.handler;
    const { done, failures } = await inbox.begun(subscription, sequence);
    if ((done[name] ?? 0) > step.index) return undefined;
    const mark = await inbox.mark(subscription, sequence);
    if (mark === undefined || left === 1) return mark;
    const { [name]: _, ...others } = failures;
    const begun = { done: { ...done, [name]: step.index + 1 }, failures: others };
    return [inbox.putBegun(subscription, sequence, begun)];
  }

  async #putFailure(delivery: Delivery, { handler }: Step, attempt: number): Promise<false> {
    const { inbox, order } = this.#options;
    const { subscription, sequence } = delivery;
    await order.commit(undefined, async () => {
      if (await inbox.hasRun(subscription, sequence)) return undefined;
      const begun = await inbox.begun(subscription, sequence);
      const failures = { ...begun.failures, [handler.name]: attempt };
      return [inbox.putBegun(subscription, sequence, { ...begun, failures })];
    });
    return false;
  }

  async #bury(
    delivery: Delivery,
    step: Step,
    left: number,
    { error, attempts }: { readonly error: unknown; readonly attempts: number },
  ): Promise<true> {
    const { letters, order, ports } = this.#options;
    const { event, handler } = step;
    const id = letterId(event.id, handler.name);
    const where = { part: 'service', name: handler.name } as const;
    const letter = await this.#letter({ id, where, error, attempts, at: ports.now(), event });
    const committed = await order.commit(undefined, async () => {
      const marks = await this.#settle(delivery, step, left);
      return marks && [...marks, letters.entry(id, letter)];
    });
    if (committed === 'committed') this.#tell(letter);
    return true;
  }

  async #letter(failed: Failed): Promise<DeadLetter> {
    return failedAgain(await this.#options.letters.get(failed.id), deadLetter(failed));
  }

  #tell(letter: DeadLetter): void {
    this.#options.counts.deadLetters++;
    this.#options.letters.tell([letter]);
  }
}

/** Of the storage, or of the turn: it says nothing of the handler. */
function isOutage(error: unknown): boolean {
  return error instanceof Refusal || (isWireError(error) && error.code.startsWith('storage.'));
}
