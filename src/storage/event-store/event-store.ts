/**
 * The event store: a log as applications use it. It appends with expected versions, finds by id, type, correlation and
 * time, reads old events as today's, keeps personal data sealed, and folds inline projections in the commit itself.
 *
 * @example
 * const store = new EventStore(openMemory());
 * await store.append(event, { expect: [{ subject: 'cart-1', version: 'none' }] });
 * for await (const { event } of store.events({ subject: 'cart-1' })) console.log(event.type);
 */
import { makeEvent, type Event } from '../../event/event.ts';
import { sameData } from '../same-content.ts';
import { whenDone } from '../segments/script.ts';
import type { Position } from '../position.ts';
import type { Commit, MaybePromise, Page, Query, Storage, StoredValue } from '../storage.ts';
import { StoredEvent } from '../stored-event.ts';
import { accepted, type Appended } from './appended.ts';
import { commitInline, type InlineFold } from './inline.ts';
import { SUBJECT_ERASED } from './erasure.ts';
import { readReadable } from './unreadable.ts';
import { isErased, type PersonalData } from './personal-data.ts';
import { Upcasters, type Upcaster } from './upcasters.ts';

/** What is asked of a catalogue here: any `Catalogue`, whatever its schemas. */
export interface DataCheck {
  readonly personal: readonly string[];
  /** The data as its schema returns it. @throws MillraceError as `Catalogue.check` */
  check(type: string, data: unknown): unknown;
}

export interface EventStoreOptions {
  /** Checks the data of what is appended, and names the personal types. Default: none. */
  readonly catalogue?: DataCheck | undefined;
  readonly upcasters?: readonly Upcaster[] | undefined;
  /** Seals the types that the catalogue names as personal. Default: none, they are stored as they are. */
  readonly personal?: PersonalData | undefined;
  /** What is folded in the commit of each append. Each name once. */
  readonly inline?: readonly InlineFold[] | undefined;
}

/** What else goes into the commit of the events: all of it, or nothing. */
export type AppendOptions = Pick<Commit, 'expect' | 'put' | 'producer' | 'advance'>;

export interface LatestOptions {
  /** The most events. Default: 100. */
  readonly limit?: number | undefined;
}

export type SinceOptions = Pick<Query, 'types' | 'after' | 'limit'>;

/** A query whose `limit` is a page's size, not the end. */
export interface EventsQuery extends Query {
  readonly signal?: AbortSignal | undefined;
}

const CORRELATION_PAGE = 1000;

export class EventStore {
  readonly storage: Storage;
  readonly personal: PersonalData | undefined;
  readonly #catalogue: DataCheck | undefined;
  readonly #upcasters: Upcasters | undefined;
  readonly #personalTypes: ReadonlySet<string>;
  readonly #inline: readonly InlineFold[];

  /** @throws MillraceError `catalogue.invalid` for upcasters that make no chain. */
  constructor(storage: Storage, options: EventStoreOptions = {}) {
    const { catalogue, upcasters = [], personal, inline = [] } = options;
    this.storage = storage;
    this.#catalogue = catalogue;
    this.#upcasters = upcasters.length > 0 ? new Upcasters(upcasters) : undefined;
    this.personal = personal;
    const types = personal === undefined ? [] : (catalogue?.personal ?? []);
    this.#personalTypes = new Set(this.#upcasters?.stored(types) ?? types);
    this.#inline = inline;
  }

  /**
   * Stores one event or several, of one subject or many: all of them, or none. The same events again are acknowledged.
   * Answers at once where the storage does, and nothing is sealed or folded.
   *
   * @throws MillraceError `version.conflict` with subject, expected and actual version; `event.conflict`; what the
   *   producer's sequence is refused for; `catalogue.unknown-type`, `event.invalid`, `projection.failed`; as `Storage`.
   */
  append(given: Event | readonly Event[], options: AppendOptions = {}): MaybePromise<Appended> {
    const events = this.#checked(Array.isArray(given) ? (given as readonly Event[]) : [given as Event]);
    const seal =
      this.#personalTypes.size > 0 && events.some(({ type }) => this.#personalTypes.has(type));
    if (!seal && this.#inline.length === 0) {
      const { expect, put, producer, advance } = options;
      return this.#commit({ events, expect, put, producer, advance });
    }
    return this.#appendSlowly(events, options);
  }

  /** The event of that id, where it stands. */
  getById(id: string): MaybePromise<StoredEvent | undefined> {
    return whenDone(this.read({ id, limit: 1 }), ({ events }) => events[0]);
  }

  /** The latest of a type, newest first; of all its versions, where it has upcasters. */
  async getByType(type: string, options: LatestOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#take({ types: [type], direction: 'backward' }, options.limit ?? 100);
  }

  /** All that belongs together, in order. */
  async getByCorrelationId(correlationId: string): Promise<readonly StoredEvent[]> {
    return this.#take({ correlationId, limit: CORRELATION_PAGE }, Infinity);
  }

  /** What happened at `time` or later, in ms since the Unix epoch, in the log's order: event time, not that of its arrival. */
  async getSince(time: number, options: SinceOptions = {}): Promise<readonly StoredEvent[]> {
    const { limit = 100, ...query } = options;
    return this.#take({ ...query, from: time }, limit);
  }

  /** The version of a subject: how many events it has had. */
  version(subject: string): MaybePromise<number> {
    return this.storage.version(subject);
  }

  get(key: string): MaybePromise<StoredValue | undefined> {
    return this.storage.get(key);
  }

  /** One page, in today's form. @throws MillraceError `upcast.failed`, `seal.broken`; as `Storage.read` */
  read(query: Query): MaybePromise<Page> {
    const upcasters = this.#upcasters;
    const stored =
      upcasters === undefined || query.types === undefined
        ? query
        : { ...query, types: upcasters.stored(query.types) };
    const page = this.storage.read(stored);
    if (upcasters === undefined && this.#personalTypes.size === 0) return page;
    return whenDone(page, (read) => this.#asToday(read)) as MaybePromise<Page>;
  }

  /**
   * All that the query selects, in its direction, page by page: a page is read when it is asked for.
   *
   * @throws MillraceError as `read` does, after what stands before the event that cannot be read; the signal's reason.
   */
  async *events(query: EventsQuery = {}): AsyncGenerator<StoredEvent, void, undefined> {
    const { signal, ...selection } = query;
    let bounds: Pick<Query, 'after' | 'before'> = {};
    for (;;) {
      signal?.throwIfAborted();
      const { page, failure } = await readReadable(this, { ...selection, ...bounds });
      for (const event of page.events) yield event;
      if (failure !== undefined) throw failure;
      if (!page.more) return;
      bounds = query.direction === 'backward' ? { before: page.next } : { after: page.next };
    }
  }

  /**
   * Erases the personal data of a subject for good, by forgetting its key. Its events keep their positions, and read as
   * `isErased`. Then an event of type `SUBJECT_ERASED` is appended, for what was folded elsewhere to be erased, and `events`
   * with it. Projections follow it: see `Projection.onErased`. After a failure, ask again.
   *
   * @returns Whether there was a key.
   */
  async erase(subject: string, events: readonly Event[] = []): Promise<boolean> {
    const erased = (await this.personal?.forget(subject)) ?? false;
    const told = await this.personal?.erasure(subject);
    const all = told === undefined ? events : [told, ...events];
    if (all.length > 0) await this.append(all);
    return erased;
  }

  /** Whether events of these types, as they read today, may hold personal data. Default: of any type. */
  mayBePersonal(types?: readonly string[]): boolean {
    if (types === undefined) return this.#personalTypes.size > 0;
    return types.some((type) => this.#personalTypes.has(type));
  }

  /**
   * Which key of the subject seals what is folded of its events, and of these that wait to be appended; 0: none, for it
   * has no personal data.
   */
  async keyGeneration(subject: string, waiting: readonly Event[] = []): Promise<number> {
    if (this.personal === undefined) return 0;
    const seals = waiting.some(({ type }) => this.#personalTypes.has(type));
    return seals ? this.personal.ensureKey(subject) : this.personal.generation(subject);
  }

  async #appendSlowly(events: readonly Event[], options: AppendOptions): Promise<Appended> {
    const stored: Event[] = [];
    for (const event of events) {
      const seal = this.personal !== undefined && this.#personalTypes.has(event.type);
      stored.push(seal ? await this.personal.seal(event) : event);
    }
    if (this.#inline.length === 0) return this.#commit({ ...options, events: stored });
    const today = events.map((event) => this.#upcasters?.current(event, 0) ?? event);
    return commitInline(this.storage, this.#inline, { ...options, events: stored }, today, (commit) =>
      this.#commit(commit),
    );
  }

  #commit(commit: Commit): MaybePromise<Appended> {
    const results = this.storage.commit([commit]);
    // Not `whenDone`: a closure for each append would be its greatest part.
    return results instanceof Promise ? results.then(accepted) : accepted(results);
  }

  #checked(events: readonly Event[]): readonly Event[] {
    const catalogue = this.#catalogue;
    if (catalogue === undefined) return events;
    return events.map((event) => {
      if (event.type === SUBJECT_ERASED) return event;
      const data = catalogue.check(event.type, event.data);
      return sameData(data, event.data) ? event : makeEvent({ ...event, data });
    });
  }

  async #take(query: Query, limit: number): Promise<readonly StoredEvent[]> {
    const taken: StoredEvent[] = [];
    if (limit < 1) return taken;
    const page = Math.min(limit, query.limit ?? limit, CORRELATION_PAGE);
    for await (const event of this.events({ ...query, limit: page })) {
      taken.push(event);
      if (taken.length === limit) break;
    }
    return taken;
  }

  async #asToday(page: Page): Promise<Page> {
    const events: StoredEvent[] = [];
    for (const stored of page.events) events.push(await this.#eventToday(stored));
    return { ...page, events };
  }

  async #eventToday(stored: StoredEvent): Promise<StoredEvent> {
    const { position, line, event } = stored;
    const opened =
      this.personal !== undefined && this.#personalTypes.has(event.type)
        ? await this.personal.open(event, position)
        : event;
    const today = this.#upcast(opened, position);
    return today === event ? stored : new StoredEvent(position, line, today);
  }

  #upcast(event: Event, position: Position): Event {
    if (this.#upcasters === undefined) return event;
    if (!isErased(event)) return this.#upcasters.current(event, position);
    return makeEvent({ ...event, type: this.#upcasters.currentType(event.type) });
  }
}
