/**
 * Which deliveries have run: for ever, in little room. Of each subscription's sequences the runs without a gap are kept,
 * each as one entry under its last sequence; what is missing between them is still to come. Where the edge delivers in
 * order there is one run, and never more than deliveries are outstanding.
 *
 * A mark is put into the commit of what the delivery did. A delivery of several steps (events times handlers) of which
 * some have run is *begun*; how far each handler came stands in an entry of its own until it is done.
 */
import type { Commit, JsonValue, Storage } from '../storage/storage.ts';
import { listPages } from '../storage/list-pages.ts';

export type Put = NonNullable<Commit['put']>[number];

/** How far a delivery has come, by the handlers' names. */
export interface Begun {
  /** How many of its events a handler is done with, from the first on. */
  readonly done: Readonly<Record<string, number>>;
  /** How often a handler has failed on its next event. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Sequences from one to another, both included. */
export interface SequenceRange {
  readonly from: number;
  readonly to: number;
}

/** Every number has as many digits as the greatest, so that keys sort as they do. */
const DIGITS = 16;

export class Inbox {
  readonly #storage: Storage;
  readonly #prefix: string;

  /** `prefix` ends with a slash. */
  constructor(storage: Storage, prefix: string) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  async hasRun(subscription: string, sequence: number): Promise<boolean> {
    const run = await this.#runFrom(subscription, sequence);
    return run !== undefined && run.from <= sequence;
  }

  /** What marks it as run, to be committed before anything else is marked; `undefined` where it has. */
  async mark(subscription: string, sequence: number): Promise<readonly Put[] | undefined> {
    const next = await this.#runFrom(subscription, sequence);
    if (next !== undefined && next.from <= sequence) return undefined;
    const beforeKey = this.#runKey(subscription, sequence - 1);
    const before = (await this.#storage.get(beforeKey)) as number | undefined;
    const from = before ?? sequence;
    const put: Put[] = before === undefined ? [] : [[beforeKey, undefined]];
    const to = next?.from === sequence + 1 ? next.to : sequence;
    put.push([this.#runKey(subscription, to), from]);
    const begunKey = this.#begunKey(subscription, sequence);
    if ((await this.#storage.get(begunKey)) !== undefined) put.push([begunKey, undefined]);
    return put;
  }

  async begun(subscription: string, sequence: number): Promise<Begun> {
    const begun = await this.#storage.get(this.#begunKey(subscription, sequence));
    return (begun as unknown as Begun | undefined) ?? { done: {}, failures: {} };
  }

  putBegun(subscription: string, sequence: number, begun: Begun): Put {
    return [this.#begunKey(subscription, sequence), begun as unknown as JsonValue];
  }

  /** The gaps up to a sequence, the first ones: as many as hold `most` sequences. */
  async missing(subscription: string, upTo: number, most = 1_000): Promise<readonly SequenceRange[]> {
    const gaps: SequenceRange[] = [];
    let next = 1;
    let room = most;
    const add = (before: number): void => {
      const to = Math.min(before, upTo, next + room - 1);
      if (to >= next) {
        gaps.push({ from: next, to });
        room -= to - next + 1;
      }
    };
    for await (const page of listPages(this.#storage, `${this.#prefix}ran/${subscription}/`)) {
      for (const [key, from] of page) {
        add((from as number) - 1);
        if (room <= 0 || next > upTo) return gaps;
        next = Number(key.slice(-DIGITS)) + 1;
      }
    }
    add(upTo);
    return gaps;
  }

  /** The run that the sequence is in, or else the first behind it. */
  async #runFrom(subscription: string, sequence: number): Promise<SequenceRange | undefined> {
    const after = this.#runKey(subscription, sequence - 1);
    const prefix = `${this.#prefix}ran/${subscription}/`;
    const [entry] = await this.#storage.list(prefix, { after, limit: 1 });
    return entry && { from: entry[1] as number, to: Number(entry[0].slice(-DIGITS)) };
  }

  #runKey(subscription: string, last: number): string {
    return `${this.#prefix}ran/${subscription}/${sortable(last)}`;
  }

  #begunKey(subscription: string, sequence: number): string {
    return `${this.#prefix}begun/${subscription}/${sortable(sequence)}`;
  }
}

function sortable(sequence: number): string {
  return String(sequence).padStart(DIGITS, '0');
}
