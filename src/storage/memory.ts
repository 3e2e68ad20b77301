/**
 * A log in memory: the simplest driver, and the one that the others are compared with. Everything is gone with it.
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { encodeLine } from '../event/wire.ts';
import { checkCommits, checkList, checkQuery, checkTrim, type BoundedQuery } from './check-input.ts';
import { CommitListeners } from './commit-listeners.ts';
import { emptyHead, planCommits, type CommitPlan, type Facts, type LogHead } from './commit-plan.ts';
import { selects } from './selects.ts';
import type { Position } from './position.ts';
import type { Page, ProducerHead, Storage, StoredValue } from './storage.ts';
import { StoredEvent } from './stored-event.ts';
import { termsOfEvent, termsOfQuery } from './terms.ts';

export interface MemoryOptions {
  /** The log's name, for its errors. Each call opens a new log all the same. */
  readonly log?: string;
}

export function openMemory(options: MemoryOptions = {}): Storage {
  return new MemoryStorage(options.log ?? 'memory');
}

class MemoryStorage implements Storage {
  readonly #log: string;
  readonly #facts: Facts;
  readonly #listeners = new CommitListeners();
  /** The event of position p stands at p - 1 - `#head.trimmed`. */
  #events: Event[] = [];
  #head: LogHead = emptyHead;
  readonly #positions = new Map<string, Position>();
  /** The positions of each term, rising. */
  readonly #postings = new Map<string, Position[]>();
  readonly #versions = new Map<string, number>();
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
      stored: (id) => storage.#stored(id),
      version: (subject) => storage.#versions.get(subject) ?? 0,
      producer: (id) => storage.#producers.get(id),
    };
  }

  commit(batch: Parameters<Storage['commit']>[0]): CommitPlan['results'] {
    this.#checkOpen();
    checkCommits(batch);
    const plan = planCommits(batch, this.#facts);
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
      events.push(new StoredEvent(position, encodeLine(event), event));
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
    return this.#versions.get(subject) ?? 0;
  }

  trim(until: Position): void {
    this.#checkOpen();
    checkTrim(until);
    const { trimmed, position } = this.#head;
    const count = Math.min(until, position) - trimmed;
    if (count <= 0) return;
    const gone = this.#events.splice(0, count);
    let bytes = this.#head.bytes;
    for (const event of gone) {
      this.#positions.delete(event.id);
      bytes -= encodeLine(event).length;
    }
    this.#head = { ...this.#head, trimmed: trimmed + count, events: this.#head.events - count, bytes };
    for (const [term, positions] of this.#postings) {
      const kept = positions.slice(firstAbove(positions, this.#head.trimmed));
      if (kept.length > 0) this.#postings.set(term, kept);
      else this.#postings.delete(term);
    }
  }

  compact(): boolean {
    this.#checkOpen();
    return false;
  }

  stats(): { events: number; bytes: number; segments: number; head: Position; trimmed: Position } {
    this.#checkOpen();
    const { events, bytes, position, trimmed } = this.#head;
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
    const position = this.#positions.get(id);
    return position === undefined ? undefined : { position, event: this.#at(position) };
  }

  #write(plan: CommitPlan): void {
    let { position } = this.#head;
    for (const event of plan.events) {
      this.#events.push(event);
      this.#positions.set(event.id, ++position);
      for (const term of termsOfEvent(event)) {
        const positions = this.#postings.get(term);
        if (positions === undefined) this.#postings.set(term, [position]);
        else positions.push(position);
      }
    }
    for (const [subject, version] of plan.versions) this.#versions.set(subject, version);
    for (const [id, head] of plan.producers) this.#producers.set(id, head);
    for (const [key, value] of plan.values) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, copy(value));
    }
    this.#head = plan.head;
  }

  /** The positions that may be selected, in the order of the query. */
  *#candidates(query: BoundedQuery): Generator<Position> {
    const first = Math.max(query.after, this.#head.trimmed) + 1;
    const last = Math.min(query.before - 1, this.#head.position);
    if (query.id !== undefined) {
      const position = this.#positions.get(query.id);
      if (position !== undefined && position >= first && position <= last) yield position;
      return;
    }
    const terms = termsOfQuery(query);
    if (terms.length === 1) yield* this.#posted(terms[0]!, first, last, query.direction);
    else if (query.direction === 'forward') for (let p = first; p <= last; p++) yield p;
    else for (let p = last; p >= first; p--) yield p;
  }

  *#posted(
    term: string,
    first: Position,
    last: Position,
    direction: 'forward' | 'backward',
  ): Generator<Position> {
    const positions = this.#postings.get(term) ?? [];
    const from = firstAbove(positions, first - 1);
    const to = firstAbove(positions, last);
    if (direction === 'forward') for (let i = from; i < to; i++) yield positions[i]!;
    else for (let i = to - 1; i >= from; i--) yield positions[i]!;
  }

  #page(events: readonly StoredEvent[], next: Position, more: boolean): Page {
    return { events, next, more, head: this.#head.position };
  }
}

/** The index of the first position greater than `bound`: binary search. */
function firstAbove(positions: readonly Position[], bound: Position): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (positions[middle]! > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}

function copy<T extends StoredValue | undefined>(value: T): T {
  return typeof value === 'object' && value !== null ? structuredClone(value) : value;
}
