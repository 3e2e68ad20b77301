/**
 * A queue of bounded length that says what happens when it is full, and that keeps the order of each key while values of
 * other keys pass by.
 */
import { MillraceError } from '../errors.ts';
import type { MaybePromise } from '../storage/storage.ts';
import { Chain, type Link } from './chain.ts';
import { checkNumber, invalidOption } from './event-handler.ts';

/**
 * When the queue is full: `wait` lets the publisher wait for room; `drop-oldest` and `drop-newest` shed, and count it;
 * `fail` refuses the new one with `limit.exceeded`.
 */
export type OverflowPolicy = 'wait' | 'drop-oldest' | 'drop-newest' | 'fail';

const POLICIES: readonly string[] = ['wait', 'drop-oldest', 'drop-newest', 'fail'];

export interface BoundedQueueOptions {
  /** The most that are queued. Default: 1,000. */
  readonly capacity?: number | undefined;
  readonly policy: OverflowPolicy;
}

/** Told of each value that is shed after it was queued. */
export type OnDropped<T> = (value: T) => void;

/** The most that wait for room in one queue; what comes then is refused, as under `fail`. */
export const MAX_WAITING_FOR_ROOM = 10_000;

export type Offer = 'queued' | 'dropped' | 'refused';

/** A value that was taken out. Until it is released, nothing else of its key can be taken. */
export interface Taken<T> {
  readonly value: T;
  release(): void;
}

export class BoundedQueue<T> {
  readonly #capacity: number;
  readonly #policy: OverflowPolicy;
  /** All values, in the order of their coming. */
  readonly #all = new Chain<Entry<T>>();
  /** By its key, while it has values or one of its values is taken. */
  readonly #lanes = new Map<string, Lane<T>>();
  /** The lanes of which a value can be taken, in turn. */
  readonly #ready = new Chain<Lane<T>>();
  /** Beyond the capacity, in the order of their coming: their publishers wait. */
  readonly #waiting = new Set<Entry<T>>();
  readonly #onDropped: OnDropped<T> | undefined;
  #dropped = 0;
  #refused = 0;

  /** @throws MillraceError `query.invalid` */
  constructor(options: BoundedQueueOptions, onDropped?: OnDropped<T>) {
    checkNumber('capacity', options.capacity, 1, 'whole');
    if (!POLICIES.includes(options.policy))
      throw invalidOption('policy', options.policy, `must be one of ${POLICIES.join(', ')}`);
    this.#capacity = options.capacity ?? 1000;
    this.#policy = options.policy;
    this.#onDropped = onDropped;
  }

  /** Those whose publishers wait included. */
  get length(): number {
    return this.#all.length;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get refused(): number {
    return this.#refused;
  }

  /** A promise where the publisher is to wait. Without a key, the value waits for no other. */
  offer(value: T, key?: string): MaybePromise<Offer> {
    if (this.#all.length < this.#capacity) {
      this.#add(value, key);
      return 'queued';
    }
    switch (this.#policy) {
      case 'drop-newest':
        this.#dropped++;
        return 'dropped';
      case 'drop-oldest':
        this.#drop(this.#all.first!);
        this.#add(value, key);
        return 'queued';
      case 'wait':
        if (this.#waiting.size < MAX_WAITING_FOR_ROOM) return this.#wait(this.#add(value, key));
    }
    this.#refused++;
    return 'refused';
  }

  /** The next value whose key is free. */
  take(): Taken<T> | undefined {
    const lane = this.#ready.first;
    const entry = lane?.first;
    if (lane === undefined || entry === undefined) return undefined;
    this.#ready.remove(lane);
    lane.busy = true;
    this.#remove(entry);
    return { value: entry.value, release: () => this.#release(lane) };
  }

  /** Lets nobody wait any more: what they wait for is queued, beyond the capacity. */
  acceptAll(): void {
    this.#settleWaiting('queued');
  }

  /** Drops all, counted; whoever waits is told. */
  clear(): void {
    this.#settleWaiting('dropped');
    while (this.#all.first !== undefined) this.#drop(this.#all.first);
  }

  #add(value: T, key: string | undefined): Entry<T> {
    const lane = this.#lane(key);
    const entry: Entry<T> = {
      value,
      lane,
      before: undefined,
      after: undefined,
      following: undefined,
      accept: undefined,
    };
    this.#all.push(entry);
    if (lane.last === undefined) lane.first = entry;
    else lane.last.following = entry;
    lane.last = entry;
    if (lane.first === entry && !lane.busy) this.#ready.push(lane);
    return entry;
  }

  #lane(key: string | undefined): Lane<T> {
    const known = key === undefined ? undefined : this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane: Lane<T> = {
      key,
      busy: false,
      first: undefined,
      last: undefined,
      before: undefined,
      after: undefined,
    };
    if (key !== undefined) this.#lanes.set(key, lane);
    return lane;
  }

  #wait(entry: Entry<T>): Promise<Offer> {
    this.#waiting.add(entry);
    return new Promise((resolve) => {
      entry.accept = resolve;
    });
  }

  #settleWaiting(offer: Offer): void {
    for (const entry of this.#waiting) entry.accept?.(offer);
    this.#waiting.clear();
  }

  /** The oldest of all is the first of its lane, so that only firsts are ever dropped. */
  #drop(entry: Entry<T>): void {
    const { lane } = entry;
    this.#dropped++;
    this.#remove(entry);
    this.#onDropped?.(entry.value);
    if (lane.first !== undefined || lane.busy) return;
    this.#ready.remove(lane);
    this.#forget(lane);
  }

  #remove(entry: Entry<T>): void {
    const { lane } = entry;
    this.#all.remove(entry);
    lane.first = entry.following;
    if (lane.first === undefined) lane.last = undefined;
    // Either it has waited itself, or it has made room for the one that has waited longest.
    if (this.#waiting.delete(entry)) return entry.accept?.('queued');
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    next.accept?.('queued');
    next.accept = undefined;
  }

  #release(lane: Lane<T>): void {
    if (!lane.busy) return;
    lane.busy = false;
    if (lane.first === undefined) this.#forget(lane);
    else this.#ready.push(lane);
  }

  #forget(lane: Lane<T>): void {
    if (lane.key !== undefined) this.#lanes.delete(lane.key);
  }
}

interface Entry<T> extends Link<Entry<T>> {
  readonly value: T;
  readonly lane: Lane<T>;
  /** The next of the same lane. */
  following: Entry<T> | undefined;
  accept: ((offer: Offer) => void) | undefined;
}

/** The values of one key, in their order. */
interface Lane<T> extends Link<Lane<T>> {
  readonly key: string | undefined;
  /** One of its values is taken. */
  busy: boolean;
  first: Entry<T> | undefined;
  last: Entry<T> | undefined;
}

/** What was refused, as an error. */
export function queueFull(what: string, maximum: number): MillraceError<'limit.exceeded'> {
  const text = `the queue of ${what} is full (${maximum}): make room, or choose a policy that waits or drops`;
  return new MillraceError('limit.exceeded', text, { limit: 'queue', maximum, actual: maximum + 1 });
}
