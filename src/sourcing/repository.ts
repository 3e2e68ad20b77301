/**
 * A repository loads aggregates from an event store and saves what they decide, under optimistic concurrency: what was
 * decided on a state that has changed meanwhile is decided anew on the new one.
 *
 * @example
 * const carts = new Repository(store, cart, { source: 'shop', ports: hostPorts });
 * await carts.execute('1', { do: 'add', productId: 'espresso' });
 * (await carts.get('1')).state;
 */
import { hasCode, MillraceError } from '../errors.ts';
import { invalidEvent, type Event } from '../event/event.ts';
import { createEventFactory, type EventFactory, type EventOptions } from '../event/factory.ts';
import { deepFreeze } from '../event/freeze.ts';
import type { Ports } from '../ports.ts';
import type { AppendOptions, DataCheck, EventStore } from '../storage/event-store/event-store.ts';
import {
  Aggregate,
  subjectOf,
  type AggregateDefinition,
  type DraftToEvent,
  type Folded,
} from './aggregate.ts';
import { AggregateCache } from './aggregate-cache.ts';
import type { Draft } from './decider.ts';
import { foldSubject, nothingFolded } from './fold.ts';
import { Snapshots } from './snapshots.ts';

export interface RepositoryOptions {
  /** Who says so, in every event that does not name its own source. */
  readonly source: string;
  readonly ports: Pick<Ports, 'now' | 'fillRandom'>;
  /** Checks what is decided, before it is applied. Default: none. */
  readonly catalogue?: DataCheck | undefined;
  /** The most aggregates kept in memory. Default: 1,000; 0 keeps none. */
  readonly cache?: number | undefined;
}

export interface SaveOptions extends Pick<AppendOptions, 'put' | 'advance' | 'producer'> {
  /** How often to decide anew after a conflict. Default: 10. */
  readonly retries?: number | undefined;
}

export interface ExecuteOptions extends SaveOptions {
  /** What is said of the events beside type and data: correlation, causation, time. */
  readonly event?: EventOptions | undefined;
}

const CACHE = 1000;
const RETRIES = 10;
const PAGE_EVENTS = 1000;

export class Repository<State, Command = unknown, E extends Draft = Draft> {
  readonly #store: EventStore;
  readonly #definition: AggregateDefinition<State, Command, E>;
  readonly #snapshots: Snapshots<State>;
  readonly #cache: AggregateCache<Folded<State>>;
  readonly #toEvent: (subject: string) => DraftToEvent;

  constructor(
    store: EventStore,
    definition: AggregateDefinition<State, Command, E>,
    options: RepositoryOptions,
  ) {
    const { source, ports, catalogue, cache = CACHE } = options;
    const make = createEventFactory({ source, ports });
    const check = (type: string, data: unknown): unknown =>
      catalogue === undefined ? data : catalogue.check(type, data);
    this.#store = store;
    this.#definition = definition;
    this.#snapshots = new Snapshots(store, definition);
    this.#cache = new AggregateCache(cache);
    this.#toEvent = (subject) => (draft, given) =>
      toEvent(make, subject, { ...draft, data: check(draft.type, draft.data) }, given);
  }

  /**
   * The aggregate as it is in the log now; at version 0 where it never was.
   *
   * @throws MillraceError `history.trimmed` where its first events are gone, and no snapshot stands in for them
   */
  async get(id: string): Promise<Aggregate<State, Command, E>> {
    const subject = this.#subject(id);
    const generation = await this.#store.keyGeneration(subject);
    const version = await this.#store.version(subject);
    const cached = this.#cache.get(subject);
    const known = cached?.generation === generation ? cached : undefined;
    if (known?.version === version) return this.#aggregate(id, known);
    const folded =
      (known && (await this.#foldFrom(subject, known, version))) ??
      (await this.#load(subject, generation, version));
    this.#keep(subject, folded);
    return this.#aggregate(id, folded);
  }

  /** The aggregate from its events alone, without cache and snapshot; a snapshot of it is put where there are any. */
  async rebuild(id: string): Promise<Aggregate<State, Command, E>> {
    const subject = this.#subject(id);
    const version = await this.#store.version(subject);
    const nothing = nothingFolded(this.#definition, await this.#store.keyGeneration(subject));
    const folded = await this.#foldWhole(subject, nothing, version);
    await this.#putSnapshot(subject, folded);
    this.#keep(subject, folded);
    return this.#aggregate(id, folded);
  }

  /** The state as of a version. @throws MillraceError `version.missing` where it has not had that many events */
  async getByVersion(id: string, version: number): Promise<State> {
    const subject = this.#subject(id);
    const actual = await this.#store.version(subject);
    if (!Number.isSafeInteger(version) || version < 0 || version > actual) {
      throw missing(subject, version, actual);
    }
    const start = await this.#startWhere(subject, (snapshot) => snapshot.version <= version);
    const skip = await this.#trimmedOf(subject, start);
    if (skip > 0) throw trimmed(subject, version, skip);
    return (await foldSubject(this.#store, this.#definition, subject, start, { version })).state;
  }

  /** The state before the first of its events that happened after `time`, in ms since the Unix epoch. */
  async getByTime(
    id: string,
    time: number,
  ): Promise<{ readonly state: State; readonly version: number }> {
    const subject = this.#subject(id);
    const start = await this.#startWhere(subject, (snapshot) => snapshot.time <= time);
    const skip = await this.#trimmedOf(subject, start);
    if (skip > 0) throw trimmed(subject, start.version, skip);
    const { state, version } = await foldSubject(this.#store, this.#definition, subject, start, {
      time,
    });
    return { state, version };
  }

  /** The events behind a version, in order. @throws MillraceError `history.trimmed` where some of them are gone */
  async getEventsSince(id: string, version: number): Promise<readonly Event[]> {
    const subject = this.#subject(id);
    const actual = await this.#store.version(subject);
    const events: Event[] = [];
    for await (const { event } of this.#store.events({ subject, limit: PAGE_EVENTS }))
      events.push(event);
    const skip = version - Math.max(0, actual - events.length);
    if (skip < 0) throw trimmed(subject, version, events.length);
    return events.slice(skip);
  }

  /**
   * Saves what waits in the aggregate, all of it or nothing, and gives it. After a conflict its commands are decided
   * anew on the aggregate as it is then; events that were applied without a command cannot be, and the conflict is
   * thrown. After a failure of the storage, ask again with the same aggregate: what was saved is known as such.
   *
   * @throws MillraceError `version.conflict`; as `EventStore.append`; what `decide` throws
   */
  async save(
    aggregate: Aggregate<State, Command, E>,
    options: SaveOptions = {},
  ): Promise<readonly Event[]> {
    const { retries = RETRIES, ...rest } = options;
    for (let tries = 0; ; tries++) {
      try {
        return await this.#append(aggregate, rest);
      } catch (error) {
        const { decisions } = aggregate;
        if (!hasCode(error, 'version.conflict') || decisions === undefined || tries >= retries)
          throw error;
        aggregate.restart((await this.get(aggregate.id)).saved);
        for (const { command, options: given } of decisions) aggregate.execute(command, given);
      }
    }
  }

  /** Loads, decides and saves. @returns The events that were saved. */
  async execute(id: string, command: Command, options: ExecuteOptions = {}): Promise<readonly Event[]> {
    const { event, ...save } = options;
    const aggregate = await this.get(id);
    aggregate.execute(command, event);
    return this.save(aggregate, save);
  }

  async #append(
    aggregate: Aggregate<State, Command, E>,
    options: AppendOptions,
  ): Promise<readonly Event[]> {
    const { subject, pending, saved } = aggregate;
    const { put = [], ...rest } = options;
    if (pending.length === 0 && Object.keys(options).length === 0) return [];
    const version = saved.version + pending.length;
    const time = pending.reduce((latest, { timestamp }) => Math.max(latest, timestamp), saved.time);
    const { state, deleted } = aggregate;
    // A state that was folded under a key that is gone stays under it: nothing more is kept of it.
    const generation =
      saved.generation === 0 ? await this.#store.keyGeneration(subject, pending) : saved.generation;
    const folded = { state, deleted, version, time, position: saved.position, generation };
    const due = this.#snapshots.isDue(saved.version, version);
    const snapshot = due ? await this.#snapshots.put(subject, folded, pending.at(-1)!.id) : [];
    const { positions } = await this.#store.append(pending, {
      ...rest,
      put: [...put, ...snapshot],
      expect: [{ subject, version: saved.version }],
    });
    const position = positions.reduce((last, each) => Math.max(last, each), saved.position);
    aggregate.markSaved({ ...folded, position });
    this.#keep(subject, aggregate.saved);
    return pending;
  }

  /** By snapshot, where there is one that holds; by all events where there is none. */
  async #load(subject: string, generation: number, version: number): Promise<Folded<State>> {
    const snapshot = await this.#snapshots.load(subject, generation);
    const folded = snapshot && (await this.#foldFrom(subject, snapshot, version));
    if (folded !== undefined) return folded;
    const whole = await this.#foldWhole(subject, nothingFolded(this.#definition, generation), version);
    // None, or a stale one: the next to come must not fold all of it again.
    if (this.#snapshots.isDue(0, whole.version)) await this.#putSnapshot(subject, whole);
    return whole;
  }

  /** Nothing where what follows on the start was trimmed, so that fewer events are there than there were. */
  async #foldFrom(
    subject: string,
    start: Folded<State>,
    version: number,
  ): Promise<Folded<State> | undefined> {
    const folded = await foldSubject(this.#store, this.#definition, subject, start);
    return folded.version < version ? undefined : folded;
  }

  async #foldWhole(subject: string, start: Folded<State>, version: number): Promise<Folded<State>> {
    const folded = await foldSubject(this.#store, this.#definition, subject, start);
    if (folded.version < version) throw trimmed(subject, version, folded.version);
    return folded;
  }

  /** The snapshot, where it may be used, else the beginning. */
  async #startWhere(
    subject: string,
    holds: (snapshot: Folded<State>) => boolean,
  ): Promise<Folded<State>> {
    const generation = await this.#store.keyGeneration(subject);
    const snapshot = await this.#snapshots.load(subject, generation);
    return snapshot !== undefined && holds(snapshot)
      ? snapshot
      : nothingFolded(this.#definition, generation);
  }

  /** How many of the events that follow on the start can be read, where some were trimmed; 0 where none was. */
  async #trimmedOf(subject: string, start: Folded<State>): Promise<number> {
    const { storage } = this.#store;
    if ((await storage.stats()).trimmed <= start.position) return 0;
    const actual = await storage.version(subject);
    let readable = 0;
    for await (const _ of this.#store.events({ subject, after: start.position, limit: PAGE_EVENTS }))
      readable++;
    return start.version + readable < actual ? Math.max(1, readable) : 0;
  }

  /** What it misses, the events give again: a failure to keep it is none of the caller's. */
  async #putSnapshot(subject: string, folded: Folded<State>): Promise<void> {
    const put = await this.#snapshots.put(subject, folded);
    if (put.length > 0) await this.#store.append([], { put });
  }

  #keep(subject: string, folded: Folded<State>): void {
    deepFreeze(folded.state);
    this.#cache.set(subject, folded);
  }

  #aggregate(id: string, folded: Folded<State>): Aggregate<State, Command, E> {
    return new Aggregate(id, this.#definition, folded, this.#toEvent(this.#subject(id)));
  }

  #subject(id: string): string {
    return subjectOf(this.#definition.name, id);
  }
}

/** An event that was brought whole stays as it is; a draft becomes one of the subject. */
function toEvent(make: EventFactory<{}>, subject: string, draft: Draft, given: EventOptions): Event {
  const { type, data, ...said } = draft;
  if (said.subject !== undefined && said.subject !== subject) {
    throw invalidEvent('/subject', said.subject, `must be ${subject}, or left out`);
  }
  return make(type, data, { ...given, ...present(said), subject });
}

function present(options: EventOptions): EventOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function missing(subject: string, asked: number, actual: number): MillraceError<'version.missing'> {
  const message = `${subject} is at version ${actual}: it never was at ${asked}`;
  return new MillraceError('version.missing', message, { subject, asked, actual });
}

function trimmed(subject: string, version: number, readable: number): MillraceError<'history.trimmed'> {
  const message = `the first events of ${subject} were trimmed, and no snapshot stands in for them: its version ${version} cannot be known`;
  return new MillraceError('history.trimmed', message, { subject, version, readable });
}
