/**
 * Decides what a batch of commits does to a log, as a pure function of what the log knows: every driver looks the
 * facts up in its own way, asks here, and writes the plan down in the same transaction.
 */
import { MillraceError } from '../errors.ts';
import { asMadeEvent, type Event } from '../event/event.ts';
import { isUuidV7 } from '../event/ids.ts';
import { encodeLine } from '../event/wire.ts';
import { AddedEvents, type PlacedEvent } from './added-events.ts';
import { diverged, fenced, gap, idConflict, versionConflict } from './refusals.ts';
import { sameContent } from './same-content.ts';
import type { Position } from './position.ts';
import type { Commit, CommitResult, ProducerHead, ProducerRange, StoredValue } from './storage.ts';

/** What a log keeps about itself. */
export interface LogHead {
  /** The last position given. */
  readonly position: Position;
  /** The greatest UUIDv7 stored so far: what is greater is provably new. */
  readonly maxId: string;
  readonly trimmed: Position;
  /** Readable events, and the characters of their lines. */
  readonly events: number;
  readonly bytes: number;
}

export const emptyHead: LogHead = { position: 0, maxId: '', trimmed: 0, events: 0, bytes: 0 };

/** What the log knew before the batch. Asked only for what `wantedFacts` names. */
export interface Facts {
  readonly head: LogHead;
  /** Whether the id needs no look-up: as `isProvablyNew` says of it and `head`. */
  isNew(id: string): boolean;
  /** Without its event where that is damaged at rest. */
  stored(id: string): { readonly position: Position; readonly event?: Event | undefined } | undefined;
  version(subject: string): number;
  producer(id: string): ProducerHead | undefined;
}

/** What the batch does. */
export interface CommitPlan {
  readonly results: readonly CommitResult[];
  /** To be stored at `head.position + 1` and on, in this order. */
  readonly events: readonly Event[];
  /** Of each event, whether its id is a UUIDv7 greater than all before it in the log: such ids rise through the whole log. */
  readonly ordered: readonly boolean[];
  readonly versions: ReadonlyMap<string, number>;
  readonly producers: ReadonlyMap<string, ProducerHead>;
  readonly values: ReadonlyMap<string, StoredValue | undefined>;
  /** The head after it. */
  readonly head: LogHead;
}

export interface WantedFacts {
  /** Ids that may be stored already. */
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  readonly producers: readonly string[];
}

/** What a driver must be able to tell before it asks for a plan. */
export function wantedFacts(batch: readonly Commit[], head: LogHead): WantedFacts {
  const ids = new Set<string>();
  const subjects = new Set<string>();
  const producers = new Set<string>();
  for (const commit of batch) {
    for (const event of commit.events) {
      if (!isProvablyNew(event.id, head)) ids.add(event.id);
      if (event.subject !== undefined) subjects.add(event.subject);
    }
    for (const { subject } of commit.expect ?? []) subjects.add(subject);
    if (commit.producer !== undefined) producers.add(commit.producer.id);
    for (const { id } of commit.advance ?? []) producers.add(id);
  }
  return { ids: [...ids], subjects: [...subjects], producers: [...producers] };
}

/** Whether no look-up is needed to know that the id is not stored. */
export function isProvablyNew(id: string, head: Pick<LogHead, 'maxId'>): boolean {
  return id > head.maxId && isUuidV7(id);
}

/**
 * `measure` gives the length of an event's line, and so has it written. A log that writes lines later gives 0, and makes
 * sure that it can.
 *
 * @throws MillraceError what `measure` throws, `event.invalid` or `limit.exceeded`: nothing is planned then.
 */
export function planCommits(
  batch: readonly Commit[],
  facts: Facts,
  measure: (event: Event) => number = lengthOfLine,
): CommitPlan {
  const planner = new Planner(facts, measure);
  return planner.plan(batch.map((commit) => planner.apply(commit)));
}

/** @throws MillraceError as `encodeLine` does */
export function lengthOfLine(event: Event): number {
  return encodeLine(event).length;
}

const none: ReadonlyMap<string, never> = new Map<string, never>();

/** Where a commit's events stand, those that are not stored yet, and which of these are provably new. */
interface Placed {
  readonly positions: readonly Position[];
  readonly fresh: readonly Event[];
  readonly isNew: readonly boolean[];
}

/** The plan as it grows. Mostly it is one commit of one event: what that does not need is made when it is asked for. */
class Planner implements CommitPlan {
  readonly events: Event[] = [];
  readonly ordered: boolean[] = [];
  results: readonly CommitResult[] = [];
  head: LogHead;
  readonly #facts: Facts;
  readonly #measure: (event: Event) => number;
  #added: AddedEvents | undefined;
  #producers: Map<string, ProducerHead> | undefined;
  #values: Map<string, StoredValue | undefined> | undefined;
  #maxId: string;
  #bytes = 0;
  /** Whether the id that was looked for last is provably new: it need not be looked at twice. */
  #isNew = false;

  constructor(facts: Facts, measure: (event: Event) => number) {
    this.#facts = facts;
    this.#measure = measure;
    this.head = facts.head;
    this.#maxId = facts.head.maxId;
  }

  plan(results: readonly CommitResult[]): CommitPlan {
    const { position, trimmed, events, bytes } = this.head;
    const { length } = this.events;
    this.results = results;
    this.head = {
      position: position + length,
      maxId: this.#maxId,
      trimmed,
      events: events + length,
      bytes: bytes + this.#bytes,
    };
    return this;
  }

  get versions(): ReadonlyMap<string, number> {
    const counts = [...this.#index.counts];
    return new Map(counts.map(([subject, added]) => [subject, this.#facts.version(subject) + added]));
  }

  get producers(): ReadonlyMap<string, ProducerHead> {
    return this.#producers ?? none;
  }

  get values(): ReadonlyMap<string, StoredValue | undefined> {
    return this.#values ?? none;
  }

  apply(given: Commit): CommitResult {
    const commit = given.events.every(isMade)
      ? given
      : { ...given, events: given.events.map(asMadeEvent) };
    const sequence = this.#sequence(commit);
    if (sequence !== 'next') return sequence;
    const placed = this.#place(commit.events);
    if (placed instanceof MillraceError) return { ok: false, error: placed };
    const conflict = this.#conflict(commit) ?? this.#blocked(commit);
    if (conflict !== undefined) {
      // A retry of a commit whose answer was lost: its own events are why the versions have moved on.
      const all = commit.events.length > 0 && placed.fresh.length === 0;
      return all ? repeated(placed.positions) : { ok: false, error: conflict };
    }
    this.#accept(commit, placed);
    return {
      ok: true,
      positions: placed.positions,
      duplicates: commit.events.length - placed.fresh.length,
      repeated: false,
    };
  }

  /** Where the commit stands in its producer's sequence: next, or the outcome that ends it here. */
  #sequence(commit: Commit): 'next' | CommitResult {
    const range = commit.producer;
    if (range === undefined) return 'next';
    const head = this.#head(range.id);
    if (range.epoch < head.epoch) return { ok: false, error: fenced(range, head) };
    if (range.seq === head.seq + 1) return 'next';
    const last = range.seq + (range.count ?? commit.events.length) - 1;
    if (last > head.seq) return { ok: false, error: gap(range, head) };
    return this.#repeat(commit, range);
  }

  #head(producer: string): ProducerHead {
    return this.#producers?.get(producer) ?? this.#facts.producer(producer) ?? { epoch: 0, seq: 0 };
  }

  /** The first of the sequences to advance that does not stand where it should. */
  #blocked(commit: Commit): MillraceError<'producer.gap' | 'producer.fenced'> | undefined {
    for (const range of commit.advance ?? []) {
      const head = this.#head(range.id);
      if (range.epoch < head.epoch) return fenced(range, head);
      if (range.seq !== head.seq + 1) return gap(range, head);
    }
    return undefined;
  }

  #repeat(commit: Commit, range: ProducerRange): CommitResult {
    const positions: Position[] = [];
    for (const event of commit.events) {
      const stored = this.#stored(event.id);
      if (stored !== undefined) positions.push(stored.position);
      // After a trim, an id that is not found may have been trimmed; one greater than all that were stored was not.
      else if (this.#facts.head.trimmed === 0 || isProvablyNew(event.id, { maxId: this.#maxId })) {
        return { ok: false, error: diverged(range, event.id) };
      } else positions.push(0);
    }
    return repeated(positions);
  }

  #stored(id: string): ReturnType<Facts['stored']> {
    const added = this.events.length > 0 ? this.#index.find(id) : undefined;
    if (added !== undefined) return added;
    this.#isNew = this.#facts.isNew(id);
    return this.#isNew ? undefined : this.#facts.stored(id);
  }

  /** Gives each event its position, the one it has or the next free one, without taking it yet. */
  #place(events: readonly Event[]): Placed | MillraceError<'event.conflict'> {
    const within = events.length > 1 ? new Map<string, PlacedEvent>() : undefined;
    const before = this.#facts.head.position + this.events.length;
    const fresh: Event[] = [];
    const isNew: boolean[] = [];
    const positions: Position[] = [];
    for (const event of events) {
      const known = within?.get(event.id) ?? this.#stored(event.id);
      if (known === undefined) {
        fresh.push(event);
        isNew.push(this.#isNew);
        const position = before + fresh.length;
        within?.set(event.id, { position, event });
        positions.push(position);
      } else if (isSame(known.event, event)) positions.push(known.position);
      else return idConflict(event.id);
    }
    return { positions, fresh, isNew };
  }

  #version(subject: string): number {
    const version = this.#facts.version(subject);
    return this.events.length > 0 ? version + (this.#index.counts.get(subject) ?? 0) : version;
  }

  get #index(): AddedEvents {
    return (this.#added ??= new AddedEvents(this.events, this.#facts.head.position));
  }

  #conflict(commit: Commit): MillraceError<'version.conflict'> | undefined {
    for (const { subject, version: expected } of commit.expect ?? []) {
      const actual = this.#version(subject);
      const holds =
        expected === 'any' ||
        (expected === 'none' ? actual === 0 : expected === 'exists' ? actual > 0 : actual === expected);
      if (!holds) {
        return versionConflict(subject, expected, actual);
      }
    }
    return undefined;
  }

  #accept(commit: Commit, { fresh, isNew }: Placed): void {
    for (const [i, event] of fresh.entries()) {
      const { id } = event;
      const ordered = id > this.#maxId && (isNew[i] === true || isUuidV7(id));
      if (ordered) this.#maxId = id;
      this.events.push(event);
      this.ordered.push(ordered);
      this.#bytes += this.#measure(event);
    }
    const range = commit.producer;
    if (range !== undefined) {
      const seq = range.seq + (range.count ?? commit.events.length) - 1;
      (this.#producers ??= new Map()).set(range.id, { epoch: range.epoch, seq });
    }
    for (const { id, epoch, seq, count = 1 } of commit.advance ?? [])
      (this.#producers ??= new Map()).set(id, { epoch, seq: seq + count - 1 });
    for (const [key, value] of commit.put ?? []) (this.#values ??= new Map()).set(key, value);
  }
}

const isMade = (event: Event): boolean => asMadeEvent(event) === event;

/** What is damaged cannot be compared: its id alone says that it is the same. */
function isSame(known: Event | undefined, event: Event): boolean {
  return known === undefined || known === event || sameContent(known, event);
}

function repeated(positions: readonly Position[]): CommitResult {
  return { ok: true, positions, duplicates: positions.length, repeated: true };
}
