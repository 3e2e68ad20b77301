/**
 * Hands a stream's results on. What is stored in the stream's own log goes into the commit itself; all else waits in an
 * outbox that is written in that commit, in chunks, each output's in their order, and is removed once it is handed on: a
 * crash in between has a chunk handed on again, and never lost.
 */
import { hasCode, isWireError } from '../../errors.ts';
import type { CallProbe } from '../../bus/call-probe.ts';
import type { Event } from '../../event/event.ts';
import type { Ports } from '../../ports.ts';
import { formatCursor } from '../../storage/cursor.ts';
import type { EventStore } from '../../storage/event-store/event-store.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { LetterEntry, StoredDeadLetters } from '../../storage/dead-letters/stored-dead-letters.ts';
import { streamLetter, type Failure } from './dead-letters.ts';
import { completed, completer, ownIds, type Completed } from './make-events.ts';
import { callOutput } from './call-output.ts';
import type { Item } from './stream-result.ts';
import type { CalledOutput, Made, StoredOutput, StreamOutput } from './outputs.ts';

/** An output with its name, and how its items are stored. */
export interface BoundOutput<I extends Item = Item> {
  readonly name: string;
  readonly output: StreamOutput<I>;
  encode(item: I): JsonValue;
  decode(stored: JsonValue): I;
  /** The item as its dead letter names it; `place` where a later item may be in its stead. */
  describe(item: I): Pick<Failure, 'origin' | 'result'> & { readonly place?: string };
}

export interface OutboxOptions {
  readonly stream: string;
  readonly store: EventStore;
  readonly ports: Ports;
  readonly letters: StoredDeadLetters;
}

interface Chunk<I> {
  readonly items: readonly I[];
  /** When they were handed to the outbox, in ms. */
  readonly at: number;
}

interface StoredChunk {
  readonly items: readonly JsonValue[];
  readonly at: number;
}

const CHUNK_ITEMS = 200;
const PAGE_CHUNKS = 16;

type Put = Completed['put'][number][];

export class Outbox {
  readonly #options: OutboxOptions;
  /** Looks at every call of an output. */
  probe: CallProbe | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /**
   * What is to be committed of the items: for a `committed` output the events themselves, up to `room`; the rest waits
   * in the outbox.
   */
  handOn<I extends Item>(
    bound: BoundOutput<I>,
    { items, at }: Chunk<I>,
    room: number,
  ): Completed & { readonly failures: readonly Failure[] } {
    const { output } = bound;
    if (output.kind !== 'committed')
      return { events: [], put: this.#waiting(bound, { items, at }), failures: [] };
    const events: Event[] = [];
    const put: Put = [];
    const failures: Failure[] = [];
    const rest: I[] = [];
    for (const item of items) {
      const made = this.#make(bound, (item: I) => output.make(item), item, at);
      put.push(...made.put);
      // None may pass by one that waits.
      if (made.refused !== undefined) failures.push(failureOf(bound, item, made.refused.error, 1));
      else if (rest.length > 0 || events.length + made.events.length > room) rest.push(item);
      else events.push(...made.events);
    }
    return { events, put: [...put, ...this.#waiting(bound, { items: rest, at })], failures };
  }

  /**
   * Hands on what waits for the output.
   *
   * @throws MillraceError as the storages do, and what the signal was aborted with: what was not handed on waits on.
   */
  async drain<I extends Item>(bound: BoundOutput<I>, signal?: AbortSignal): Promise<void> {
    const { stream, store, letters, ports } = this.#options;
    for (;;) {
      const page = await store.storage.list(this.#prefix(bound), { limit: PAGE_CHUNKS });
      for (const [key, value] of page) {
        const { items, at } = value as unknown as StoredChunk;
        const chunk = { items: items.map((item) => bound.decode(item)), at };
        const failures = await this.#deliver(bound, chunk, signal);
        const kept = failures.map((failure) => streamLetter(stream, failure, ports.now()));
        const entries = kept.map((letter) => letters.entry(letter.id, letter));
        await store.storage.commit([{ events: [], put: [[key, undefined], ...entries] }]);
        letters.tell(kept);
      }
      if (page.length < PAGE_CHUNKS) return;
    }
  }

  /**
   * Hands on once more what the output has refused, at `at`, with the end of its letter where that is one commit.
   *
   * @throws what it is refused for
   */
  async again<I extends Item>(
    bound: BoundOutput<I>,
    { items: [item], at }: Chunk<I>,
    end: LetterEntry,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { output } = bound;
    const complete = this.#completer(bound, item!, at);
    if (output.kind === 'called') {
      const call = (): unknown => output.call(item!, complete);
      const failure = await callOutput(output, call, this.#options.ports, signal);
      if (failure !== undefined) throw failure.error;
      return;
    }
    const { events, put } = completed(output.make(item!), complete);
    if (output.kind === 'committed') {
      await this.#options.store.append(events, { put: [...put, end] });
      return;
    }
    const [result] = await output.storage.commit([{ events, put }]);
    if (!result!.ok) throw result!.error;
  }

  #waiting<I extends Item>(bound: BoundOutput<I>, { items, at }: Chunk<I>): Put {
    const put: Put = [];
    for (let from = 0; from < items.length; from += CHUNK_ITEMS) {
      const part = items.slice(from, from + CHUNK_ITEMS);
      const key = this.#prefix(bound) + formatCursor(part[0]!.sequence);
      put.push([key, { items: part.map((item) => bound.encode(item)), at }]);
    }
    return put;
  }

  #deliver<I extends Item>(
    bound: BoundOutput<I>,
    chunk: Chunk<I>,
    signal: AbortSignal | undefined,
  ): Promise<readonly Failure[]> {
    const { output } = bound;
    if (output.kind === 'called') return this.#call(bound, output, chunk, signal);
    if (output.kind === 'stored') return this.#store(bound, output, chunk);
    return this.#append(bound, output.make.bind(output), chunk);
  }

  async #call<I extends Item>(
    bound: BoundOutput<I>,
    output: CalledOutput<I>,
    { items, at }: Chunk<I>,
    signal: AbortSignal | undefined,
  ): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (const item of items) {
      const complete = this.#completer(bound, item, at);
      const call = (): unknown => output.call(item, complete);
      const probed = this.probe?.(`output ${bound.name}`, call) ?? call;
      const failure = await callOutput(output, probed, this.#options.ports, signal);
      if (failure !== undefined) failures.push(failureOf(bound, item, failure.error, failure.attempts));
    }
    return failures;
  }

  /** Appends events that had no room in their own commit, or were refused there. An id that is there is not added again. */
  async #append<I extends Item>(
    bound: BoundOutput<I>,
    make: (item: I) => Made,
    { items, at }: Chunk<I>,
  ): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (const item of items) {
      const made = this.#make(bound, make, item, at);
      const refused =
        made.refused ??
        (made.events.length === 0
          ? undefined
          : await refusal(() => this.#options.store.append(made.events)));
      if (refused !== undefined) failures.push(failureOf(bound, item, refused.error, 1));
    }
    return failures;
  }

  /** One commit an item, which takes the stream's own sequence there one step further: so none is stored twice. */
  async #store<I extends Item>(
    bound: BoundOutput<I>,
    output: StoredOutput<I>,
    { items, at }: Chunk<I>,
    last = -1,
  ): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    const { storage } = output;
    const id = `stream/${this.#options.stream}/${bound.name}`;
    const head = (await storage.producer(id))?.seq ?? 0;
    const commit = async (made: Partial<Completed>, seq: number): Promise<void> => {
      const { events = [], put } = made;
      const [result] = await storage.commit([{ events, put, advance: [{ id, epoch: 1, seq }] }]);
      if (!result!.ok) throw result!.error;
    };
    try {
      for (const item of items.filter(({ sequence }) => sequence > head)) {
        const made = this.#make(bound, (item: I) => output.make(item), item, at);
        const refused = made.refused ?? (await refusal(() => commit(made, item.sequence)));
        if (refused === undefined) continue;
        failures.push(failureOf(bound, item, refused.error, 1));
        await commit({}, item.sequence);
      }
      return failures;
    } catch (error) {
      // Another of the name has handed some of them on: from there, if it is any farther.
      if (!hasCode(error, 'producer.gap') || head === last) throw error;
      return [...failures, ...(await this.#store(bound, output, { items, at }, head))];
    }
  }

  #make<I extends Item>(
    bound: BoundOutput<I>,
    make: (item: I) => Made,
    item: I,
    at: number,
  ): Completed & { readonly refused?: Refused } {
    try {
      return completed(make(item), this.#completer(bound, item, at));
    } catch (error) {
      return { events: [], put: [], refused: { error } };
    }
  }

  #completer<I extends Item>({ name }: BoundOutput<I>, { sequence }: I, at: number) {
    const { stream } = this.#options;
    return completer({ stream, id: `${ownIds(stream)}${name}/${sequence}`, at });
  }

  #prefix<I extends Item>({ name }: BoundOutput<I>): string {
    return `stream/${this.#options.stream}/outbox/${name}/`;
  }
}

interface Refused {
  readonly error: unknown;
}

/** What was refused for its own sake; any other failure is thrown, for it is to be tried again. */
async function refusal(store: () => unknown): Promise<Refused | undefined> {
  try {
    await store();
    return undefined;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { error };
  }
}

/** Whether it says that what was to be stored cannot be, and not that the storage could not. */
export function isRefusal(error: unknown): boolean {
  return (
    isWireError(error) && !/^(storage|producer|sync)\./.test(error.code) && !hasCode(error, 'disposed')
  );
}

export function failureOf<I extends Item>(
  bound: BoundOutput<I>,
  item: I,
  error: unknown,
  attempts: number,
): Failure {
  const { name } = bound;
  const { origin, result } = bound.describe(item);
  return {
    id: settledBy(bound, item) ?? `output/${name}-${formatCursor(item.sequence)}`,
    step: `output ${name}`,
    error,
    attempts,
    ...(origin !== undefined && { origin }),
    ...(result !== undefined && { result }),
    again: { kind: 'item', output: name, item: bound.encode(item) },
  };
}

/** The letter of an older item that this one comes in the stead of, if there is one. */
export function settledBy<I extends Item>(bound: BoundOutput<I>, item: I): string | undefined {
  const { name, output } = bound;
  if (output.kind !== 'committed' || output.latest !== true) return undefined;
  return `output/${name}-${bound.describe(item).place}`;
}
