/**
 * Carries a subscription's deliveries out: reads what is new, attempts what is due, writes down what came of it, until
 * there is nothing to do for now. It knows no platform: the database, the network, the clock and the logs are given.
 *
 * Nothing that matters is in its memory. Whoever loses it makes another one on the same tables and runs that.
 */
import type { Tracer } from '../../../src/monitor/tracing.ts';
import type { Ports } from '../../../src/ports.ts';
import { backoffMs } from './backoff.ts';
import { encodeBody } from './body.ts';
import type { CallbackRules } from './callback-url.ts';
import { traceDelivery } from './delivery-trace.ts';
import { contact, type ContactOptions } from './contact.ts';
import { Feed } from './feed.ts';
import { askForConsent } from './handshake.ts';
import { consentOfQueue, queueLimits, queueOf, QueueSender, type Queues } from './queue.ts';
import type { Resolve } from './resolver.ts';
import { Scheduler, type Attempt } from './scheduler.ts';
import { compileSelection } from './selection.ts';
import { readSecrets, readSettings, type Settings } from './settings.ts';
import { deliveryId, sign } from './signature.ts';
import type { Source } from './source.ts';
import { answered, gone, readStanding, writeStanding } from './standing.ts';
import type { SqlDatabase } from './tables.ts';

export interface DelivererOptions {
  readonly database: SqlDatabase;
  readonly sources: readonly Source[];
  readonly fetch: typeof fetch;
  readonly resolve: Resolve;
  readonly rules: CallbackRules;
  /** Default: there are none. */
  readonly queues?: Queues | undefined;
  readonly ports: Ports;
  /** Records the attempts of events whose trace is recorded. Default: nobody does. */
  readonly tracer?: Tracer | undefined;
  readonly onError: (error: unknown) => void;
}

export const delivererLimits = {
  /** After this long a run begins nothing more, so that its object is never long at one thing. */
  runMs: 20_000,
  /** Without any hint, the logs are asked again after this long. */
  idleMs: 60_000,
  /** With this many lanes due, nothing more is read. */
  due: 100,
  handshakeMs: 10_000,
  /** What cannot be read is asked for again: the first wait, and the longest. */
  troubleFirstMs: 1_000,
  troubleMaximumMs: 60_000,
} as const;

export class Deliverer {
  readonly #options: DelivererOptions;
  #settings: Settings;
  readonly #scheduler: Scheduler;
  readonly #feed: Feed;
  readonly #queues: QueueSender;
  readonly #working = new Set<Promise<void>>();
  #asking: Promise<void> | undefined;
  #pulling: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  /** There may be more to read than was read, as somebody has said, or as the last page did. */
  #more = true;
  /** When to read, though nobody says that there is more. */
  #readAt = 0;
  #troubles = 0;
  #trouble: string | undefined;
  /** What came of an attempt could not be written down. */
  #failed = false;
  #ended = false;
  #wake: () => void = () => undefined;

  /** For the subscription in the database's tables. */
  constructor(options: DelivererOptions) {
    const { database, sources, queues = {}, ports } = options;
    const settings = readSettings(database);
    const { retryForMs, selection, batch = 1 } = settings;
    const random = (): number => ports.random();
    this.#options = options;
    this.#settings = settings;
    const current = (): Settings => this.#settings;
    this.#scheduler = new Scheduler(database, {
      get concurrency() {
        return concurrencyOf(current());
      },
      ...{ retryForMs, random },
    });
    this.#queues = new QueueSender(queues, ports);
    this.#feed = new Feed({ database, sources, selector: compileSelection(selection), batch });
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Why the logs could not be read, the last time. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** There may be something new. Returns at once; a run that is under way takes it up. */
  hint(): void {
    this.#more = true;
    this.#wake();
  }

  /** The callback is at another URL: the next attempt goes there. What is selected never changes. */
  reload(): void {
    this.#settings = readSettings(this.#options.database);
    this.#wake();
  }

  /** Nothing is begun any more, and what is under way is not written down. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Does what there is to do now. One run at a time: a second caller waits for the first one's. */
  run(): Promise<void> {
    return (this.#running ??= this.#run().finally(() => (this.#running = undefined)));
  }

  /** When to run next, in ms since the Unix epoch; `undefined` where only the owner can make something happen. */
  nextAt(): number | undefined {
    if (this.#ended) return undefined;
    const { state, askAt } = readStanding(this.#options.database);
    const now = this.#options.ports.now();
    if (state === 'pending') return Math.max(now, askAt);
    if (state !== 'active') return undefined;
    if (this.#failed) return now + delivererLimits.troubleMaximumMs;
    if (this.#readsOn(now)) return now;
    const readAt = this.#hasRoom(now) ? this.#readAt : now + delivererLimits.idleMs;
    return Math.max(now, Math.min(readAt, this.#scheduler.nextAt() ?? readAt));
  }

  /** Asks the endpoint for its consent, where it is time to. */
  consent(): Promise<void> {
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
  }

  async #run(): Promise<void> {
    await this.consent();
    const { ports } = this.#options;
    const until = ports.now() + delivererLimits.runMs;
    this.#failed = false;
    for (;;) {
      const { promise: woken, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      if (ports.now() < until && this.#active()) this.#begin(ports.now());
      if (this.#working.size === 0 && this.#pulling === undefined) return;
      await Promise.race([woken, ...this.#working, this.#pulling ?? woken]);
    }
  }

  #active(): boolean {
    return !this.#ended && !this.#failed && readStanding(this.#options.database).state === 'active';
  }

  #begin(now: number): void {
    const { ratePerMinute } = readStanding(this.#options.database);
    for (const attempt of this.#scheduler.begin(now, ratePerMinute)) this.#work(this.#attempt(attempt));
    if (this.#pulling !== undefined || !this.#readsOn(now)) return;
    this.#more = false;
    this.#readAt = now + delivererLimits.idleMs;
    this.#pulling = this.#pull(now).finally(() => (this.#pulling = undefined));
  }

  /** Whether there is something to read, and room for it. */
  #readsOn(now: number): boolean {
    return (this.#more || now >= this.#readAt) && this.#hasRoom(now);
  }

  #hasRoom(now: number): boolean {
    const { due } = delivererLimits;
    return !this.#feed.full && this.#scheduler.due(now, due) < due;
  }

  #work(working: Promise<void>): void {
    const work = working
      .catch((error: unknown) => {
        this.#failed = true;
        this.#options.onError(error);
      })
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  async #pull(now: number): Promise<void> {
    try {
      if (await this.#feed.pull(now)) this.#more = true;
      this.#troubles = 0;
      this.#trouble = undefined;
      // Objects of one process answer each other with no turn in between: a long reading would leave the network none.
      if (this.#more) await new Promise<void>((done) => void this.#options.ports.after(0, done));
    } catch (error) {
      if (this.#ended) return;
      this.#trouble = (error as Error).message;
      this.#readAt = now + this.#troubleMs(this.#troubles++);
      this.#more = false;
      this.#options.onError(error);
    }
  }

  #troubleMs(before: number): number {
    const { troubleFirstMs: firstMs, troubleMaximumMs: maximumMs } = delivererLimits;
    return backoffMs(before, { firstMs, maximumMs, random: () => this.#options.ports.random() });
  }

  async #attempt(attempt: Attempt): Promise<void> {
    const { ports, database, tracer } = this.#options;
    const { sequence, lines, before } = attempt;
    const { id, format, batch, callbackUrl: url, timeoutMs } = this.#settings;
    const queue = queueOf(url);
    const { contentType, text: body } = encodeBody(lines, { format, batched: batch !== undefined });
    const trace = traceDelivery({ lines, id: deliveryId(id, sequence), url, before }, tracer);
    const headers = {
      'content-type': contentType,
      ...trace.headers,
      ...sign(deliveryId(id, sequence), body, readSecrets(database), ports.now()),
      'millrace-sequence': String(sequence),
      'millrace-attempt': String(before + 1),
    };
    const request = { url, method: 'POST', headers, body, timeoutMs } as const;
    const answer = await (queue === undefined
      ? contact(request, this.#contacts)
      : this.#queues.send(queue, request));
    trace.end(answer);
    if (this.#ended) return;
    const verdict = this.#scheduler.settle(attempt, answer, ports.now());
    if (verdict === 'gone' && url === this.#settings.callbackUrl)
      writeStanding(database, gone(readStanding(database), ports.now()));
  }

  async #ask(): Promise<void> {
    const { ports, database } = this.#options;
    const { state, askAt } = readStanding(database);
    if (this.#ended || state !== 'pending' || askAt > ports.now()) return;
    const { callbackUrl, origin } = this.#settings;
    const timeoutMs = delivererLimits.handshakeMs;
    const queue = queueOf(callbackUrl);
    const consent =
      queue === undefined
        ? await askForConsent(callbackUrl, origin, { ...this.#contacts, timeoutMs })
        : consentOfQueue(queue, this.#options.queues ?? {});
    if (this.#ended || callbackUrl !== this.#settings.callbackUrl) return;
    const random = (): number => ports.random();
    writeStanding(database, answered(readStanding(database), consent, { now: ports.now(), random }));
    this.#wake();
  }

  get #contacts(): ContactOptions {
    const { fetch, resolve, rules, ports } = this.#options;
    return { fetch, resolve, rules, ports };
  }
}

/** A queue is no endpoint with few connections: what is due goes out together. */
function concurrencyOf({ callbackUrl, concurrency }: Settings): number {
  return queueOf(callbackUrl) === undefined ? concurrency : queueLimits.messages;
}
