/**
 * `millrace/service`: a service that talks to others through events. It subscribes at the edge, takes deliveries as a
 * standard `Request → Response` handler, and publishes through an outbox.
 *
 * What a handler puts and publishes through its transaction, and the mark that it ran, are one commit of the service's
 * storage: it happens once for each event, wherever a process is killed and however often a delivery comes.
 *
 * @example
 * const service = new EventService({ name: 'shipping', endpoint, key, callbackUrl, storage: openSqlite(database) });
 * service.registerHandler('order.placed', async (event, transaction) => {
 *   transaction.put(`parcels/${event.data.orderId}`, 'packed');
 *   transaction.publish('parcel.sent', { orderId: event.data.orderId });
 * });
 * await service.start();
 * export default { fetch: (request) => service.handleIncomingEvent(request) };
 */
import type { CatalogueEntry, SelectedEvent, TypeSelector } from '../bus/selector.ts';
import { invalidOption } from '../bus/event-handler.ts';
import { MillraceError } from '../errors.ts';
import type { DataOf, EventSchemas, TypeOf } from '../event/catalogue.ts';
import type { Event } from '../event/event.ts';
import { createEventFactory, type EventFactory, type EventOptions } from '../event/factory.ts';
import { hostDigest, hostFetch, hostPorts, type Digest, type Ports, type Undo } from '../ports.ts';
import { HostDeadLetters, type DeadLetters } from '../storage/dead-letters/dead-letters.ts';
import { StoredDeadLetters } from '../storage/dead-letters/stored-dead-letters.ts';
import { EventClient } from './client.ts';
import { answerHandshake, problem, readDelivery, Refusal, type Delivery } from './delivery-request.ts';
import { DeliveryRun, type DeliveryOutcome } from './delivery-run.ts';
import { GapAudit } from './gap-audit.ts';
import { Handlers, type HandlerOptions, type ServiceHandler } from './handlers.ts';
import { Inbox } from './inbox.ts';
import { Outbox } from './outbox.ts';
import { checkOptions, type EventServiceOptions } from './service-options.ts';
import { ServiceSubscriptions, type EnsureOptions } from './service-subscriptions.ts';
import { noCounts, type ServiceState, type ServiceStatus } from './service-status.ts';
import { CommitOrder, type TypedTransaction } from './transaction.ts';

export type { HandlerOptions } from './handlers.ts';
export type { EventServiceOptions } from './service-options.ts';
export type { HandlerTransaction, TypedTransaction } from './transaction.ts';
export type { Gap, GapOutcome, ServiceCounts, ServiceState, ServiceStatus } from './service-status.ts';

export const serviceLimits = {
  /** Deliveries under way together; one more is answered with 429. */
  underWay: 64,
} as const;

/** Of a request that is not taken now: the edge asks again after so long. */
const LATER = { 'retry-after': '1' } as const;

export class EventService<Schemas extends EventSchemas = {}> implements AsyncDisposable {
  /** Events that a handler was given up on: to be driven again once it is mended. */
  readonly deadLetters: DeadLetters;
  /** To read from the edge, and to publish without the outbox. Ends with the service. */
  readonly client: EventClient<Schemas>;
  readonly #options: EventServiceOptions<Schemas>;
  readonly #ports: Ports;
  readonly #digest: Digest;
  readonly #make: EventFactory<Schemas>;
  readonly #handlers: Handlers;
  readonly #run: DeliveryRun;
  readonly #subscriptions: ServiceSubscriptions;
  readonly #audit: GapAudit;
  readonly #outbox: Outbox;
  readonly #counts = noCounts();
  /** By subscription and sequence: what comes again while it runs waits for the same outcome. */
  readonly #underWay = new Map<string, Promise<DeliveryOutcome>>();
  #state: ServiceState = 'idle';
  #trouble: unknown;
  #undoAudit: Undo | undefined;
  #looking: Promise<void> | undefined;
  #stopping = new AbortController();

  /** @throws MillraceError `query.invalid` */
  constructor(options: EventServiceOptions<Schemas>) {
    checkOptions(options);
    const { name, endpoint, key, storage, catalogue, attempts = 5 } = options;
    const { fetch = hostFetch, ports = hostPorts, digest = hostDigest } = options;
    const { handlerTimeoutMs = 10_000, toleranceMs = 300_000, keepEvents = Infinity } = options;
    if (digest === undefined)
      throw invalidOption('digest', digest, 'is needed: the host has no WebCrypto');
    const prefix = `service/${name}/`;
    this.#options = options;
    this.#ports = ports;
    this.#digest = digest;
    this.#make = createEventFactory({ source: name, catalogue, ports });
    const asked = { endpoint, ...(key !== undefined && { key }), fetch, ports };
    const typed = catalogue === undefined ? {} : { catalogue };
    this.client = new EventClient({ ...asked, ...typed, source: name, attempts: Infinity });
    this.#handlers = new Handlers({ timeoutMs: handlerTimeoutMs, attempts });
    const letters = new StoredDeadLetters(storage, name);
    const inbox = new Inbox(storage, prefix);
    const counts = this.#counts;
    const order = new CommitOrder(storage, `${prefix}inbox`);
    const make = this.#make as unknown as EventFactory<EventSchemas>;
    const handlers = this.#handlers;
    const parts = { service: name, storage, ports, make, handlers, inbox, order, letters, counts };
    const run = new DeliveryRun({ ...parts, tracer: options.tracer });
    this.#run = run;
    const { subscriptions } = this.client;
    const { callbackUrl, from, batch, concurrency, retryForMs } = options;
    const { deliveryTimeoutMs: timeoutMs } = options;
    const wanted = { callbackUrl, from, batch, concurrency, timeoutMs, retryForMs };
    const kept = { service: name, storage, ports, subscriptions, wanted, toleranceMs };
    this.#subscriptions = new ServiceSubscriptions(kept);
    this.#audit = new GapAudit({
      client: this.client as unknown as EventClient,
      subscriptions: this.#subscriptions,
      take: (delivery) => this.#take(delivery),
      onGap: (gap) => options.onGap?.(gap),
      ...{ inbox, run, counts },
    });
    this.#outbox = new Outbox({ storage, ...asked, digest, keepEvents });
    this.deadLetters = new HostDeadLetters(letters, {
      now: () => ports.now(),
      retry: (letter) => run.redrive(letter),
    });
  }

  /**
   * Calls the handler with each event of a type, of a topic pattern (`order.*`), or of a catalogue's entry. Several for
   * one event are called one after another, and none waits for one that fails. To be registered before the start.
   *
   * @throws MillraceError `query.invalid` for a name that is taken, `topic.invalid`
   */
  registerHandler<const Selector extends TypeSelector<Schemas>>(
    selector: Selector,
    handler: (
      event: SelectedEvent<Schemas, Selector>,
      transaction: TypedTransaction<Schemas>,
    ) => unknown,
    options?: HandlerOptions,
  ): Undo;
  registerHandler<S extends EventSchemas, const Type extends TypeOf<S>>(
    entry: CatalogueEntry<S, Type>,
    handler: (event: Event<Type, DataOf<S, Type>>, transaction: TypedTransaction<Schemas>) => unknown,
    options?: HandlerOptions,
  ): Undo;
  registerHandler(
    selector: string | { readonly type: string },
    handler: (event: never, transaction: never) => unknown,
    options?: HandlerOptions,
  ): Undo {
    return this.#handlers.add(selector, handler as ServiceHandler, options);
  }

  /**
   * Subscribes at the edge to what its handlers are registered for, or finds its subscriptions there; fetches what it has
   * missed; then takes deliveries. It waits for an edge that is out of reach. The outbox runs from the beginning.
   *
   * @throws MillraceError `sync.refused`; `subscription.unknown` where somebody has deleted its subscription; `disposed`
   *   where it is stopped before; as the storage does; the signal's reason
   */
  async start(options: EnsureOptions = {}): Promise<void> {
    if (this.#state === 'starting' || this.#state === 'listening') return;
    this.#state = 'starting';
    this.#stopping = new AbortController();
    const { signal: given } = options;
    const { signal: own } = this.#stopping;
    const signal = given === undefined ? own : AbortSignal.any([given, own]);
    try {
      await this.#subscriptions.load();
      this.#outbox.start();
      await this.client.connect({ signal });
      await this.#subscriptions.ensure(this.#handlers.types, { ...options, signal });
      await this.#audit.look(signal);
    } catch (error) {
      // Who stops it meanwhile ends what it began; else it has failed by itself.
      if (own.aborted) throw stopped(this.#options.name);
      await this.stop();
      throw error;
    }
    this.#state = 'listening';
    this.#armAudit();
  }

  /** Takes no more deliveries, and resolves when those under way have ended. What is published waits in the storage. */
  async stop(): Promise<void> {
    if (this.#state === 'idle' || this.#state === 'stopped') return;
    this.#state = 'stopping';
    this.#undoAudit?.();
    this.#stopping.abort(stopped(this.#options.name));
    await Promise.allSettled([...this.#underWay.values(), this.#looking]);
    this.client.disconnect();
    await this.#outbox.stop();
    this.#state = 'stopped';
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Publishes through the outbox. Resolves when it is committed here, whether the edge can be reached or not. */
  async publishEvent<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options: EventOptions = {},
  ): Promise<Event<Type, DataOf<Schemas, Type>>> {
    const event = this.#make(type, data, options);
    const [result] = await this.#options.storage.commit([{ events: [event] }]);
    if (!result!.ok) throw result!.error;
    return event;
  }

  /**
   * Answers the edge: the handshake, and deliveries. Never rejects. 200: it has run, now or before. 400, 401, 404, 413: it
   * is not to be believed, and was not read. 422: a handler has failed, and it is to come again. 429, 503: not now.
   */
  async handleIncomingEvent(request: Request): Promise<Response> {
    if (request.method === 'OPTIONS') return this.#consent(request);
    if (request.method !== 'POST')
      return problem(405, 'method', 'deliveries are posted', { allow: 'POST, OPTIONS' });
    try {
      return await this.#answer(request);
    } catch (error) {
      if (error instanceof Refusal) {
        this.#counts.refused[error.reason]++;
        return problem(error.status, error.reason, error.message, error.status >= 429 ? LATER : {});
      }
      this.#trouble = error;
      return problem(503, 'failed', 'the service cannot take it now: send it again', LATER);
    }
  }

  /** New secrets for its subscriptions; what the old ones have signed is accepted for `toleranceMs` more. */
  rotateSecrets({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#subscriptions.rotateSecrets(signal);
  }

  /** Ends its subscriptions at the edge, for good. What it has handled stays marked. */
  unsubscribe({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#subscriptions.remove(signal);
  }

  async status(): Promise<ServiceStatus> {
    return {
      state: this.#state,
      counts: structuredClone(this.#counts),
      underWay: this.#underWay.size,
      push: this.#outbox.status,
      waiting: await this.#outbox.waiting(),
      ...(this.#trouble !== undefined && { trouble: this.#trouble }),
    };
  }

  #consent(request: Request): Response {
    const { endpoint, origins = [new URL(endpoint).host] } = this.#options;
    const response = answerHandshake(request, { origins });
    if (response.status === 200) this.#counts.handshakes++;
    return response;
  }

  async #answer(request: Request): Promise<Response> {
    if (this.#state !== 'listening')
      throw new Refusal('busy', 503, `the service is ${this.#state}: send it again`);
    const { toleranceMs = 300_000 } = this.#options;
    const delivery = await readDelivery(request, {
      secretsOf: (id) => this.#subscriptions.secretsOf(id),
      now: this.#ports.now(),
      toleranceMs,
      digest: this.#digest,
    });
    const outcome = await this.#take(delivery);
    if (outcome === 'failed')
      return problem(422, 'handler', 'a handler has failed: the delivery is to come again');
    return new Response(JSON.stringify({ status: outcome }), {
      status: 200,
      headers: { 'content-type': 'application/json' },
    });
  }

  async #take(delivery: Delivery): Promise<DeliveryOutcome> {
    const { subscription, sequence } = delivery;
    const id = `${subscription}_${sequence}`;
    const running = this.#underWay.get(id);
    if (running !== undefined) {
      const outcome = await running;
      if (outcome !== 'failed') this.#counts.repeated++;
      return outcome === 'handled' ? 'repeated' : outcome;
    }
    if (this.#underWay.size >= serviceLimits.underWay)
      throw new Refusal('busy', 429, `${serviceLimits.underWay} deliveries are under way`);
    const isOurs = (event: Event): boolean => this.#subscriptions.isFirst(subscription, event);
    const taking = this.#run.run(delivery, isOurs).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, taking);
    const outcome = await taking;
    if (outcome === 'handled') this.#counts.deliveries++;
    if (outcome === 'repeated') this.#counts.repeated++;
    return outcome;
  }

  #armAudit(): void {
    const { auditMs = 60_000 } = this.#options;
    this.#undoAudit = this.#ports.after(auditMs, () => {
      this.#looking = this.#look();
    });
  }

  async #look(): Promise<void> {
    try {
      await this.#audit.look(this.#stopping.signal);
      this.#trouble = undefined;
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#trouble = error;
    }
    if (this.#state === 'listening') this.#armAudit();
  }
}

function stopped(name: string): MillraceError<'disposed'> {
  const message = `the service ${name} was stopped: what it has not taken is delivered when it starts again`;
  return new MillraceError('disposed', message, { what: 'service' });
}
