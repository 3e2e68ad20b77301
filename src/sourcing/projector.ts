/**
 * A projector keeps a projection up to date behind the log, and rebuilds it from zero while the old one is read.
 *
 * Documents stand in generations. One serves; another may be built beside it, with a checkpoint of its own, and takes
 * its place in one commit once it has caught up. Any number of projectors of one projection may run at a time.
 */
import { hasCode } from '../errors.ts';
import {
  Consumer,
  type ConsumeOptions,
  type ConsumerStatus,
  type Produced,
} from '../storage/event-store/consumer.ts';
import { lastErasure } from '../storage/event-store/erasure.ts';
import type { EventStore } from '../storage/event-store/event-store.ts';
import { inlineSequence } from '../storage/event-store/inline.ts';
import type { Position } from '../storage/position.ts';
import type { Commit, JsonValue, ListOptions } from '../storage/storage.ts';
import type { StoredEvent } from '../storage/stored-event.ts';
import {
  checkProjection,
  documentKey,
  documentsPrefix,
  foldDocuments,
  generationsKey,
  readGenerations,
  typesOf,
  type Generations,
  type Projection,
} from './projection.ts';

export interface ProjectorOptions {
  /** The store folds the projection inline: only what is built anew is folded here. Default: false. */
  readonly inline?: boolean | undefined;
  /** The most events of one commit. Default: 500. */
  readonly pageEvents?: number | undefined;
}

export interface ProjectorStatus {
  /** Of what is read. Nothing, where nothing is built yet, or the store folds it inline. */
  readonly serving: ConsumerStatus | undefined;
  /** Of what is built to take its place. */
  readonly building: ConsumerStatus | undefined;
}

/** Removed at a time, when a generation has had its day. */
const CHUNK = 500;

export class Projector<State extends JsonValue = JsonValue> {
  readonly #store: EventStore;
  readonly #projection: Projection<State>;
  readonly #inline: boolean;
  readonly #pageEvents: number | undefined;
  readonly #consumers = new Map<number, Consumer>();

  /** @throws MillraceError `query.invalid` for a projection that cannot be. */
  constructor(store: EventStore, projection: Projection<State>, options: ProjectorOptions = {}) {
    checkProjection(projection as unknown as Projection<never>);
    this.#store = store;
    this.#projection = projection;
    this.#inline = options.inline ?? false;
    this.#pageEvents = options.pageEvents;
  }

  /** Folds what was committed since the checkpoints. @throws MillraceError as `Consumer.catchUp` */
  async catchUp(options: ConsumeOptions = {}): Promise<ProjectorStatus> {
    const { serving, building, version } = await this.#prepare();
    // Documents of another definition stay as they are: this one cannot go on with them.
    const own = version === (this.#projection.version ?? 1) && !this.#inline;
    if (serving > 0 && own) await this.#consumer(serving).catchUp(options);
    if (building > 0) {
      const { lag, paused } = await this.#consumer(building).catchUp(options);
      if (lag === 0 && paused === undefined) await this.#serve(building);
    }
    return this.status();
  }

  /**
   * Folds all events anew, from the first that the log still has. Until that has caught up, the old documents are read.
   * One that is being built already goes on.
   */
  async rebuild(options: ConsumeOptions = {}): Promise<ProjectorStatus> {
    await this.#begin((kept) => kept.building === 0);
    return this.catchUp(options);
  }

  /** The document of the key, as of the checkpoint. */
  async get(key: string): Promise<State | undefined> {
    const { name } = this.#projection;
    for (let { serving } = await this.#generations(); serving > 0;) {
      const state = await this.#store.storage.get(documentKey(name, serving, key));
      const now = (await this.#generations()).serving;
      // Another generation may have taken over in between, and this one's documents be gone.
      if (now === serving) return state as State | undefined;
      serving = now;
    }
    return undefined;
  }

  /** The documents, sorted by key. `after` is a key. */
  async list(options: ListOptions = {}): Promise<readonly (readonly [key: string, state: State])[]> {
    const { name } = this.#projection;
    for (let { serving } = await this.#generations(); serving > 0;) {
      const prefix = documentsPrefix(name, serving);
      const after = options.after === undefined ? undefined : prefix + options.after;
      const entries = await this.#store.storage.list(prefix, { ...options, after });
      const now = (await this.#generations()).serving;
      if (now === serving) {
        return entries.map(([key, state]) => [key.slice(prefix.length), state as State] as const);
      }
      serving = now;
    }
    return [];
  }

  async status(): Promise<ProjectorStatus> {
    const { serving, building } = await this.#generations();
    const of = async (generation: number): Promise<ConsumerStatus | undefined> =>
      generation > 0 ? this.#consumer(generation).status() : undefined;
    return { serving: this.#inline ? undefined : await of(serving), building: await of(building) };
  }

  /** Goes on after a pause: see `Consumer.resume`. */
  async resume(options: { readonly skip?: boolean } = {}): Promise<void> {
    const { serving, building } = await this.#generations();
    for (const generation of [serving, building]) {
      if (generation > 0) await this.#consumer(generation).resume(options);
    }
  }

  /** The generations as this definition wants them: its own built, where another's is read or none. */
  async #prepare(): Promise<Generations> {
    const { version = 1 } = this.#projection;
    const erased = await this.#lastErasure();
    return this.#begin(
      ({ serving, building, version: kept, servingFrom = 0 }) =>
        building === 0 && (serving === 0 || kept !== version || servingFrom < erased),
    );
  }

  /** Up to where the documents must be told anew from the log; 0 where the projection erases by itself, or needs not to. */
  async #lastErasure(): Promise<Position> {
    const { types, onErased } = this.#projection;
    if (onErased !== undefined || !this.#store.mayBePersonal(types)) return 0;
    return lastErasure(this.#store);
  }

  /** Begins a new generation where it is wanted. Of several who begin one, all go on with the same. */
  async #begin(wanted: (kept: Generations) => boolean): Promise<Generations> {
    for (;;) {
      const kept = await this.#generations();
      if (!wanted(kept)) return kept;
      const seq = await this.#sequence();
      if (!isSame(kept, await this.#generations())) continue;
      // A generation's number is never used again: a straggler of an old one must not write into it.
      const { head } = await this.#store.storage.stats();
      const next = { ...kept, building: seq + 1, buildingFrom: head };
      if (await this.#put(next, seq)) return next;
    }
  }

  /** The generation takes over, where nothing has come in since that it has not folded. */
  async #serve(building: number): Promise<void> {
    const seq = await this.#sequence();
    const kept = await this.#generations();
    if (kept.building !== building) return;
    const { version = 1, name } = this.#projection;
    const inline = inlineSequence(name);
    const folded = (await this.#store.storage.producer(inline))?.seq ?? 0;
    const { lag } = await this.#consumer(building).status();
    if (lag > 0) return;
    const advance = this.#inline ? [{ id: inline, epoch: 1, seq: folded + 1 }] : [];
    const { buildingFrom: servingFrom = 0 } = kept;
    const next = { serving: building, building: 0, version, servingFrom };
    const served = await this.#put(next, seq, advance);
    if (served) await this.#removeOthers(building);
  }

  async #removeOthers(serving: number): Promise<void> {
    const { storage } = this.#store;
    const kept = documentsPrefix(this.#projection.name, serving);
    let after: string | undefined;
    for (;;) {
      const all = await storage.list(`${generationsKey(this.#projection.name)}/`, {
        after,
        limit: CHUNK,
      });
      const old = all.filter(([key]) => !key.startsWith(kept));
      if (old.length > 0) await this.#store.append([], { put: old.map(([key]) => [key, undefined]) });
      if (all.length < CHUNK) return;
      after = all.at(-1)![0];
    }
  }

  /** Whether it is in; not, where another projector came first. */
  async #put(
    generations: Generations,
    seq: number,
    advance: NonNullable<Commit['advance']> = [],
  ): Promise<boolean> {
    const key = generationsKey(this.#projection.name);
    try {
      await this.#store.append([], {
        put: [[key, { ...generations }]],
        advance: [{ id: key, epoch: 1, seq: seq + 1 }, ...advance],
      });
      return true;
    } catch (error) {
      if (hasCode(error, 'producer.gap')) return false;
      throw error;
    }
  }

  #generations(): Promise<Generations> {
    return readGenerations(this.#store.storage, this.#projection.name);
  }

  async #sequence(): Promise<number> {
    return (await this.#store.storage.producer(generationsKey(this.#projection.name)))?.seq ?? 0;
  }

  #consumer(generation: number): Consumer {
    const known = this.#consumers.get(generation);
    if (known !== undefined) return known;
    const { name } = this.#projection;
    const types = typesOf(this.#projection as unknown as Projection<never>);
    const handle = (events: readonly StoredEvent[]) => this.#fold(generation, events);
    const definition = { name: `projection/${name}/${generation}`, types, handle };
    const consumer = new Consumer(this.#store, definition, { pageEvents: this.#pageEvents });
    this.#consumers.set(generation, consumer);
    return consumer;
  }

  /** Each fold takes the generations' own sequence a step further: none goes into one that has changed its part since. */
  async #fold(generation: number, stored: readonly StoredEvent[]): Promise<Produced | undefined> {
    const range = {
      id: generationsKey(this.#projection.name),
      epoch: 1,
      seq: (await this.#sequence()) + 1,
    };
    const { serving, building } = await this.#generations();
    if (generation !== building && (generation !== serving || this.#inline)) return undefined;
    const events = stored.map(({ event }) => event);
    const { storage } = this.#store;
    const put = await foldDocuments(this.#projection, generation, events, (key) => storage.get(key));
    return { put, advance: [range] };
  }
}

function isSame(a: Generations, b: Generations): boolean {
  return a.serving === b.serving && a.building === b.building && a.version === b.version;
}
