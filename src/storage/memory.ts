/**
 * A log in memory: the simplest driver, and the one that the others are compared with. Everything is gone with it.
 *
 * It keeps the events, and has their lines written when somebody asks for them.
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { encodeLine } from '../event/wire.ts';
import { checkCommits, checkList, checkQuery, checkTrim, type BoundedQuery } from './check-input.ts';
import { CommitListeners } from './commit-listeners.ts';
import {
  emptyHead,
  isProvablyNew,
  lengthOfLine,
  planCommits,
  type CommitPlan,
  type Facts,
  type LogHead,
} from './commit-plan.ts';
import { isPlainlyEncodable } from './encodable.ts';
import { selects } from './selects.ts';
import { firstAbove, inRange, post } from './postings.ts';
import type { Position } from './position.ts';
import type { Page, ProducerHead, Storage, StoredValue } from './storage.ts';
import type { StoredEvent } from './stored-event.ts';

export interface MemoryOptions {
  /** The log's name, for its errors. Each call opens a new log all the same. */
  readonly log?: string;
}

export function openMemory(options: MemoryOptions = {}): Storage {
  return new MemoryStorage(options.log ?? 'memory');
}

/** One look-up gives both, at every append. */
interface Subject {
  readonly name: string;
  /** How many events it has had, those trimmed included: each of them raises it by one, as the plan has counted. */
  version: number;
  /** Of those that are left, rising. */
  positions: Position[];
}

class KeptEvent implements StoredEvent {
  readonly position: Position;
  readonly event: Event;

  constructor(position: Position, event: Event) {
    this.position = position;
    this.event = event;
  }

  get line(): string {
    return encodeLine(this.event);
  }
}

class MemoryStorage implements Storage {
  readonly #log: string;
  readonly #facts: Facts;
  readonly #listeners = new CommitListeners();
  /** The event of position p stands at p - 1 - `#head.trimmed`. */
  #events: Event[] = [];
  /** Its `bytes` are of the events up to `#measured`. */
  #head: LogHead = emptyHead;
  #measured: Position = 0;
  /** Positions of the ids that were greater than every UUIDv7 before them: they rise together, and are found by search. */
  #ordered: Position[] = [];
  /** The positions of all other ids. */
  readonly #unordered = new Map<string, Position>();
  /** The positions of each type and correlation, rising. */
  readonly #types = new Map<string, Position[]>();
  readonly #correlations = new Map<string, Position[]>();
  readonly #subjects = new Map<string, Subject>();
  /** The one that was last found: a commit asks for its version, and then counts its event. */
  #found: Subject | undefined;
  readonly #producers = new Map<string, ProducerHead>();
  readonly #values = new Map<string, StoredValue>();
  #closed = false;

  constructor(log: string) {
    this.#log = log;
    const storage = this;
    this.#facts = {
      get head() {
        return storage.#head;
      },
      isNew: (id) => isProvablyNew(id, storage.#head),
      stored: (id) => storage.#stored(id),
      version: (subject) => storage.#subject(subject)?.version ?? 0,
      producer: (id) => storage.#producers.get(id),
    };
  }

  commit(batch: Parameters<Storage['commit']>[0]): CommitPlan['results'] {
    this.#checkOpen();
    checkCommits(batch);
    const plan = planCommits(batch, this.#facts, countLater);
    this.#write(plan);
    if (plan.events.length > 0) this.#listeners.notify(plan.head.position);
    return plan.results;
  }

  read(given: Parameters<Storage['read']>[0]): Page {
    this.#checkOpen();
    const query = checkQuery(given);
    const events: StoredEvent[] = [];
    const backward = query.direction === 'backward';
    for (const position of this.#candidates(query)) {
      const event = this.#at(position);
      if (!selects(query, event)) continue;
      if (events.length === query.limit) return this.#page(events, events.at(-1)!.position, true);
      events.push(new KeptEvent(position, event));
    }
    const end = Math.max(query.after, Math.min(this.#head.position, query.before - 1));
    return this.#page(events, backward ? query.after + 1 : end, false);
  }

  get(key: string): StoredValue | undefined {
    this.#checkOpen();
    return copy(this.#values.get(key));
  }

  list(
    prefix: string,
    options: Parameters<Storage['list']>[1] = {},
  ): readonly (readonly [string, StoredValue])[] {
    this.#checkOpen();
    const { after, limit } = checkList(options);
    return [...this.#values]
      .filter(([key]) => key.startsWith(prefix) && key > after)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([key, value]) => [key, copy(value)!]);
  }

  producer(id: string): ProducerHead | undefined {
    this.#checkOpen();
    return this.#producers.get(id);
  }

  version(subject: string): number {
    this.#checkOpen();
    return this.#subject(subject)?.version ?? 0;
  }

  trim(until: Position): void {
    this.#checkOpen();
    checkTrim(until);
    const { trimmed, position } = this.#head;
    const count = Math.min(until, position) - trimmed;
    if (count <= 0) return;
    const { bytes: before } = this.stats();
    const gone = this.#events.splice(0, count);
    let bytes = before;
    for (const [i, event] of gone.entries()) {
      // An id that was forgotten before may stand anew further on.
      if (this.#unordered.get(event.id) === trimmed + 1 + i) this.#unordered.delete(event.id);
      bytes -= lengthOfLine(event);
    }
    this.#head = { ...this.#head, trimmed: trimmed + count, events: this.#head.events - count, bytes };
    const above = (positions: readonly Position[]) =>
      positions.slice(firstAbove(positions, this.#head.trimmed));
    this.#ordered = above(this.#ordered);
    for (const subject of this.#subjects.values()) subject.positions = above(subject.positions);
    for (const postings of [this.#types, this.#correlations]) {
      for (const [value, positions] of postings) {
        const kept = above(positions);
        if (kept.length > 0) postings.set(value, kept);
        else postings.delete(value);
      }
    }
  }

  compact(): boolean {
    this.#checkOpen();
    return false;
  }

  stats(): { events: number; bytes: number; segments: number; head: Position; trimmed: Position } {
    this.#checkOpen();
    const { position } = this.#head;
    let { bytes } = this.#head;
    while (this.#measured < position) bytes += lengthOfLine(this.#at(++this.#measured));
    this.#head = { ...this.#head, bytes };
    const { events, trimmed } = this.#head;
    return { events, bytes, segments: 0, head: position, trimmed };
  }

  onCommit(listener: (head: Position) => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new MillraceError('storage.closed', `the log ${this.#log} is closed: open it again`, {
      log: this.#log,
    });
  }

  #at(position: Position): Event {
    return this.#events[position - 1 - this.#head.trimmed]!;
  }

  #stored(id: string): { position: Position; event: Event } | undefined {
    const position = this.#positionOf(id);
    return position === undefined ? undefined : { position, event: this.#at(position) };
  }

  #positionOf(id: string): Position | undefined {
    const position = this.#unordered.get(id);
    if (position !== undefined || id > this.#head.maxId) return position;
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(this.#ordered[middle]!).id < id) low = middle + 1;
      else high = middle;
    }
    const found = this.#ordered[low];
    return found !== undefined && this.#at(found).id === id ? found : undefined;
  }

  #write(plan: CommitPlan): void {
    let { position } = this.#head;
    for (const event of plan.events) {
      this.#events.push(event);
      const ordered = plan.ordered[position - this.#head.position];
      position++;
      if (ordered) this.#ordered.push(position);
      else this.#unordered.set(event.id, position);
      post(this.#types, event.type, position);
      if (event.correlationId !== undefined) post(this.#correlations, event.correlationId, position);
      if (event.subject !== undefined) this.#count(event.subject, position);
    }
    for (const [id, head] of plan.producers) this.#producers.set(id, head);
    for (const [key, value] of plan.values) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, copy(value));
    }
    this.#head = plan.head;
  }

  #subject(name: string): Subject | undefined {
    if (this.#found?.name === name) return this.#found;
    const found = this.#subjects.get(name);
    if (found !== undefined) this.#found = found;
    return found;
  }

  #count(subject: string, position: Position): void {
    const known = this.#subject(subject);
    if (known === undefined)
      this.#subjects.set(subject, { name: subject, version: 1, positions: [position] });
    else {
      known.version++;
      known.positions.push(position);
    }
  }

  /** The positions that may be selected, in the order of the query. */
  *#candidates(query: BoundedQuery): Generator<Position> {
    const first = Math.max(query.after, this.#head.trimmed) + 1;
    const last = Math.min(query.before - 1, this.#head.position);
    if (query.id !== undefined) {
      const position = this.#positionOf(query.id);
      if (position !== undefined && position >= first && position <= last) yield position;
      return;
    }
    const posted = this.#postingsOf(query);
    if (posted !== undefined) yield* inRange(posted, first, last, query.direction);
    else if (query.direction === 'forward') for (let p = first; p <= last; p++) yield p;
    else for (let p = last; p >= first; p--) yield p;
  }

  /** Where the events stand that may be selected, by the rarest that the query names; nothing where all may be. */
  #postingsOf({ subject, correlationId, types }: BoundedQuery): readonly Position[] | undefined {
    if (subject !== undefined) return this.#subject(subject)?.positions ?? [];
    if (correlationId !== undefined) return this.#correlations.get(correlationId) ?? [];
    return types?.length === 1 ? (this.#types.get(types[0]!) ?? []) : undefined;
  }

  #page(events: readonly StoredEvent[], next: Position, more: boolean): Page {
    return { events, next, more, head: this.#head.position };
  }
}

/** Its line is written later, and counted then: what may fail is tried now. */
function countLater(event: Event): 0 {
  if (!isPlainlyEncodable(event)) encodeLine(event);
  return 0;
}

function copy<T extends StoredValue | undefined>(value: T): T {
  return typeof value === 'object' && value !== null ? structuredClone(value) : value;
}
