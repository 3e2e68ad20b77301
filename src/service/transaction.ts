/**
 * What one handler does with one event, gathered until it has ended, and committed as one.
 *
 * Handlers run side by side, and each sees the storage as if it ran alone: one that has read what another has changed
 * since is called again (optimistic concurrency control by backward validation: Kung and Robinson, "On Optimistic Methods
 * for Concurrency Control", 1981). Whoever writes to the same keys from elsewhere is not seen.
 */
import { invalidOption } from '../bus/event-handler.ts';
import { hasCode, MillraceError } from '../errors.ts';
import type { DataOf, EventSchemas, TypeOf } from '../event/catalogue.ts';
import type { Event } from '../event/event.ts';
import type { EventFactory, EventOptions } from '../event/factory.ts';
import { causedBy } from '../event/trace-context.ts';
import type { Storage, StoredValue } from '../storage/storage.ts';
import type { Put } from './inbox.ts';

export interface HandlerTransaction {
  /** A value of the service's storage, with what this transaction has put. What it is, its writer knows. */
  get<T = StoredValue>(key: string): Promise<T | undefined>;
  /**
   * Puts a value with the commit; `undefined` removes it.
   *
   * @throws MillraceError `query.invalid` for a key of the service's own, `disposed` once the transaction has ended
   */
  put(key: string, value: StoredValue | undefined): void;
  /**
   * Publishes with the commit: the event goes into the service's log, and from there to the edge. It has the handled
   * event as its cause, and its correlation, else its id.
   *
   * @throws MillraceError as `Catalogue.check` does; `disposed` once the transaction has ended
   */
  publish(type: string, data: unknown, options?: EventOptions): Event;
  /** The trace context of this call: for what it asks of others. Its events carry it by themselves. */
  readonly traceparent: string | undefined;
  /** Which call this is for the event, from 1; failures count, and calls for a transaction that came too late do not. */
  readonly attempt: number;
  /** Aborted when the handler's time is over. */
  readonly signal: AbortSignal;
}

/** The same, for a catalogue's types. */
export interface TypedTransaction<Schemas extends EventSchemas> extends HandlerTransaction {
  publish<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options?: EventOptions,
  ): Event<Type, DataOf<Schemas, Type>>;
}

/** What handlers must not write to: the service's marks, its sync, its dead letters. */
const OWN_KEYS = /^(?:service|sync|dead[\w-]*)\//;

export interface TransactionOptions {
  readonly storage: Storage;
  readonly make: EventFactory<EventSchemas>;
  /** What is handled, and the trace context in which it is. */
  readonly cause: { readonly event: Event; readonly traceparent: string | undefined };
  readonly attempt: number;
  /** Of the commits before it: see `CommitOrder`. */
  readonly since: number;
}

export class OpenTransaction implements HandlerTransaction {
  readonly attempt: number;
  readonly controller = new AbortController();
  readonly since: number;
  readonly reads = new Set<string>();
  readonly writes = new Map<string, StoredValue | undefined>();
  readonly events: Event[] = [];
  readonly #options: TransactionOptions;
  #ended = false;

  constructor(options: TransactionOptions) {
    this.#options = options;
    this.attempt = options.attempt;
    this.since = options.since;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get traceparent(): string | undefined {
    return this.#options.cause.traceparent;
  }

  async get<T = StoredValue>(key: string): Promise<T | undefined> {
    if (this.writes.has(key)) return this.writes.get(key) as T | undefined;
    this.reads.add(key);
    return (await this.#options.storage.get(key)) as T | undefined;
  }

  put(key: string, value: StoredValue | undefined): void {
    this.#check();
    if (OWN_KEYS.test(key))
      throw invalidOption('key', key, 'is among the service’s own: begin it otherwise');
    this.writes.set(key, value);
  }

  publish(type: string, data: unknown, options: EventOptions = {}): Event {
    this.#check();
    const { cause, make } = this.#options;
    const own = causedBy(cause.event, { within: cause.traceparent });
    const event = make(type, data, { ...own, ...options });
    this.events.push(event);
    return event;
  }

  /** Nothing is taken any more: what a handler does after its time would be in no commit. */
  end(): void {
    this.#ended = true;
  }

  #check(): void {
    if (!this.#ended) return;
    const message = 'the handler has ended, or its time is over: what it does now is in no commit';
    throw new MillraceError('disposed', message, { what: 'transaction' });
  }
}

/** What a commit came to. `overtaken`: what was read has changed since. `settled`: there is nothing to commit any more. */
export type Committed = 'committed' | 'overtaken' | 'settled';

interface Written {
  readonly seq: number;
  readonly keys: ReadonlySet<string>;
}

/** So many commits are remembered, to tell what has changed since a handler began. */
const REMEMBERED = 1_000;

/** The service's commits, one after another: each takes the service's own sequence one step further. */
export class CommitOrder {
  readonly #storage: Storage;
  readonly #producer: string;
  #seq: number | undefined;
  /** What was committed at or before this one is not known in detail. */
  #unknown = 0;
  #written: Written[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(storage: Storage, producer: string) {
    this.#storage = storage;
    this.#producer = producer;
  }

  /** Where the commits stand now, for a transaction that begins. */
  async since(): Promise<number> {
    return (this.#seq ??= await this.#read());
  }

  /**
   * Commits what the transaction did, and what `settle` puts, which is asked when nothing else can be committed before.
   *
   * @throws MillraceError as `Storage.commit` does, and the refusal of the handler's own events
   */
  commit(
    transaction: OpenTransaction | undefined,
    settle: () => Promise<readonly Put[] | undefined>,
  ): Promise<Committed> {
    const mine = this.#turn.then(() => this.#commit(transaction, settle));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #commit(
    transaction: OpenTransaction | undefined,
    settle: () => Promise<readonly Put[] | undefined>,
  ): Promise<Committed> {
    for (;;) {
      const seq = (this.#seq ??= await this.#read()) + 1;
      if (transaction !== undefined && this.#isOvertaken(transaction)) return 'overtaken';
      const marks = await settle();
      if (marks === undefined) return 'settled';
      const writes = transaction?.writes ?? new Map<string, StoredValue>();
      const advance = [{ id: this.#producer, epoch: 1, seq }];
      const commit = { events: transaction?.events ?? [], put: [...writes, ...marks], advance };
      const [result] = await this.#storage.commit([commit]);
      if (result!.ok) {
        this.#remember({ seq, keys: new Set(writes.keys()) });
        return 'committed';
      }
      if (!hasCode(result!.error, 'producer.gap')) throw result!.error;
      // Another process has committed, or a commit came down whose answer was lost: what it has changed is not known here.
      this.#unknown = this.#seq = await this.#read();
      this.#written = [];
    }
  }

  async #read(): Promise<number> {
    return (await this.#storage.producer(this.#producer))?.seq ?? 0;
  }

  #isOvertaken({ since, reads }: OpenTransaction): boolean {
    if (reads.size === 0) return false;
    if (since < this.#unknown) return true;
    return this.#written.some(({ seq, keys }) => seq > since && [...reads].some((key) => keys.has(key)));
  }

  #remember(written: Written): void {
    this.#seq = written.seq;
    if (written.keys.size > 0) this.#written.push(written);
    if (this.#written.length > REMEMBERED) this.#unknown = this.#written.shift()!.seq;
  }
}
