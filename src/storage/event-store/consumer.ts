/**
 * A consumer reads a log from its checkpoint, and commits what it makes of the events together with the checkpoint: it
 * sees each event once, wherever a crash falls and however many of its name run over one storage.
 *
 * An event that it cannot take pauses it: what stands before is committed, the event and the reason are kept, and
 * nothing goes on until it is resumed.
 */
import { hasCode, isWireError, type MillraceError } from '../../errors.ts';
import type { Position } from '../position.ts';
import type { Commit, MaybePromise, Page, Query, StoredValue } from '../storage.ts';
import type { StoredEvent } from '../stored-event.ts';
import type { EventStore } from './event-store.ts';
import { positionOf, readReadable } from './unreadable.ts';

/** What a consumer makes of some events, to be committed with its checkpoint. */
export type Produced = Partial<Pick<Commit, 'events' | 'put' | 'expect' | 'advance'>>;

export interface ConsumerDefinition {
  /** Names its checkpoint: 1 to 200 characters. Another definition needs another name. */
  readonly name: string;
  /** Only events of these types. Default: all. */
  readonly types?: readonly string[] | undefined;
  /**
   * Changes nothing by itself, for it may be asked again with the same events, or with fewer of them. A version that it
   * `expect`s and that no longer holds has it asked again; so has a sequence that it would `advance`. Nothing returned:
   * it takes no more events, and the catching up ends.
   */
  handle(events: readonly StoredEvent[]): MaybePromise<Produced | undefined>;
}

/** Why a consumer stands still, kept in its log. */
export interface Pause {
  readonly position: Position;
  /** The event's id, where it can be read at all. */
  readonly id?: string;
  readonly code?: string;
  readonly reason: string;
}

export interface ConsumerStatus {
  /** All up to here is consumed. */
  readonly position: Position;
  /** The log's last position. */
  readonly head: Position;
  /** How many positions it is behind. */
  readonly lag: number;
  readonly paused: Pause | undefined;
}

export interface ConsumeOptions {
  readonly signal?: AbortSignal | undefined;
  /** The most events to take in this call, a page more or less. Default: all there are. */
  readonly limit?: number | undefined;
}

export interface ConsumerOptions {
  /** The most events of one commit. Default: 500. */
  readonly pageEvents?: number | undefined;
}

const PAGE_EVENTS = 500;
/** Refused so often in a row, it is no race any more. */
const MOST_REFUSALS = 100;

type Outcome = 'taken' | 'halve' | 'ended' | MillraceError;

/** The producer whose sequence is the consumer's checkpoint: who trims a log asks it how far the consumer is. */
export function checkpointOf(consumer: string): string {
  return `consumer/${consumer}`;
}

export class Consumer {
  readonly name: string;
  readonly #store: EventStore;
  readonly #definition: ConsumerDefinition;
  readonly #pageEvents: number;
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: EventStore, definition: ConsumerDefinition, options: ConsumerOptions = {}) {
    this.name = definition.name;
    this.#store = store;
    this.#definition = definition;
    this.#pageEvents = options.pageEvents ?? PAGE_EVENTS;
  }

  /**
   * Takes what was committed since the checkpoint. Calls run one after another.
   *
   * @throws MillraceError as `Storage` does; the signal's reason. What was committed before stays. An event that
   *   cannot be taken is no error here: it is in the status.
   */
  catchUp(options: ConsumeOptions = {}): Promise<ConsumerStatus> {
    const run = this.#running.then(() => this.#catchUp(options));
    this.#running = run.catch(() => undefined);
    return run;
  }

  async status(): Promise<ConsumerStatus> {
    const { storage } = this.#store;
    const position = await this.#position();
    const paused = await this.#paused(position);
    const { head } = await storage.stats();
    return { position, head, lag: Math.max(0, head - position), paused };
  }

  /** Takes the event that it paused at again; or, with `skip`, passes over it for good and keeps it in `skipped`. */
  async resume(options: { readonly skip?: boolean } = {}): Promise<void> {
    const { position, paused } = await this.status();
    if (paused === undefined) return;
    const skip = options.skip === true && paused.position > position;
    const put: [string, StoredValue | undefined][] = [[this.#pauseKey, undefined]];
    if (skip) put.push([this.#skippedPrefix + sortable(paused.position), { ...paused }]);
    await this.#store.append([], { put, ...(skip && this.#to(position, paused.position)) });
  }

  /** What `resume` has passed over, in the log's order. */
  async skipped(): Promise<readonly Pause[]> {
    const entries = await this.#store.storage.list(this.#skippedPrefix);
    return entries.map(([, value]) => value as unknown as Pause);
  }

  async #catchUp({ signal, limit = Infinity }: ConsumeOptions): Promise<ConsumerStatus> {
    let size = this.#pageEvents;
    let refusals = 0;
    for (let taken = 0; taken < limit;) {
      signal?.throwIfAborted();
      const cursor = await this.#position();
      if ((await this.#paused(cursor)) !== undefined) break;
      const read = await this.#read(cursor, Math.min(size, limit - taken));
      if (read.page.next <= cursor && read.failure === undefined) break;
      const outcome = await this.#take(cursor, read.page, read.failure);
      if (outcome === 'ended') break;
      if (outcome === 'taken') {
        taken += read.page.events.length;
        size = Math.min(size * 2, this.#pageEvents);
        refusals = 0;
      }
      // One of several cannot be taken: by halves, it is found, and those before it are in.
      else if (outcome === 'halve') size = Math.max(1, read.page.events.length >> 1);
      else if (++refusals === MOST_REFUSALS) throw outcome;
    }
    return this.status();
  }

  async #position(): Promise<Position> {
    return (await this.#store.storage.producer(this.#checkpoint))?.seq ?? 0;
  }

  /** A pause behind the checkpoint is another's of the name, which has gone on since. */
  async #paused(position: Position): Promise<Pause | undefined> {
    const pause = (await this.#store.storage.get(this.#pauseKey)) as Pause | undefined;
    return pause !== undefined && pause.position > position ? pause : undefined;
  }

  async #read(after: Position, limit: number): Promise<{ page: Page; failure?: unknown }> {
    const query: Query = { after, limit, types: this.#definition.types };
    return readReadable(this.#store, query);
  }

  async #take(cursor: Position, page: Page, unreadable: unknown): Promise<Outcome> {
    const { events } = page;
    // What cannot be read stands right behind the page's events.
    const end = unreadable === undefined ? page.next : positionOf(unreadable)! - 1;
    try {
      const produced = events.length > 0 ? await this.#definition.handle(events) : {};
      if (produced === undefined) return 'ended';
      const paused = unreadable === undefined ? undefined : pauseOf(end + 1, undefined, unreadable);
      return await this.#commit(cursor, end, produced, paused);
    } catch (error) {
      if (isStorageFailure(error)) throw error;
      if (events.length > 1) return 'halve';
      const [event] = events;
      if (event === undefined) throw error;
      const paused = pauseOf(event.position, event, error);
      return await this.#commit(cursor, event.position - 1, {}, paused);
    }
  }

  /** The refusal, where another of the name, or a writer, came first. */
  async #commit(
    cursor: Position,
    end: Position,
    produced: Produced,
    paused: Pause | undefined,
  ): Promise<Outcome> {
    const { events = [], put = [], expect, advance = [] } = produced;
    const pause = paused && ([this.#pauseKey, { ...paused }] as const);
    const own = end > cursor ? this.#to(cursor, end).advance : [];
    try {
      await this.#store.append(events, {
        put: pause === undefined ? put : [...put, pause],
        expect,
        advance: [...own, ...advance],
      });
      return 'taken';
    } catch (error) {
      if (hasCode(error, 'producer.gap') || hasCode(error, 'version.conflict')) return error;
      throw error;
    }
  }

  #to(cursor: Position, end: Position): { advance: NonNullable<Commit['advance']> } {
    const range = { id: this.#checkpoint, epoch: 1, seq: cursor + 1, count: end - cursor };
    return { advance: [range] };
  }

  get #checkpoint(): string {
    return checkpointOf(this.#definition.name);
  }

  get #pauseKey(): string {
    return `consumer/${this.#definition.name}`;
  }

  get #skippedPrefix(): string {
    return `skipped/${this.#definition.name}/`;
  }
}

/** The failure of the log itself, which is no fault of the event. */
function isStorageFailure(error: unknown): boolean {
  return isWireError(error) && error.code.startsWith('storage.');
}

function pauseOf(position: Position, stored: StoredEvent | undefined, error: unknown): Pause {
  const reason = error instanceof Error ? error.message : String(error);
  return {
    position,
    ...(stored !== undefined && readId(stored)),
    ...(isWireError(error) && { code: error.code }),
    reason,
  };
}

function readId(stored: StoredEvent): { readonly id?: string } {
  try {
    return { id: stored.event.id };
  } catch {
    return {};
  }
}

/** So that text sorts as the positions do. */
function sortable(position: Position): string {
  return String(position).padStart(16, '0');
}
