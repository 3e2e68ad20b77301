/** What one step of a stream over a store adds to its commit. */
import type { Event } from '../../event/event.ts';
import type { Storage, StoredValue } from '../../storage/storage.ts';
import type { Failure } from './dead-letters.ts';
import { settledBy, type BoundOutput, type Outbox } from './outbox.ts';
import { totalsOf, type KeptTotal, type Totals } from './results.ts';
import type { Item } from './stream-result.ts';

/** What the outputs put there. */
export class Handing {
  readonly events: Event[] = [];
  readonly put: (readonly [key: string, value: StoredValue | undefined])[] = [];
  readonly failures: Failure[] = [];
  readonly #outbox: Outbox;
  readonly #at: number;
  readonly #room: number;
  readonly #open: ReadonlySet<string>;
  /** Letters of older items, which these come in the stead of. */
  readonly settled = new Set<string>();

  constructor(
    outbox: Outbox,
    {
      at,
      room,
      open,
    }: { readonly at: number; readonly room: number; readonly open: ReadonlySet<string> },
  ) {
    this.#outbox = outbox;
    this.#at = at;
    this.#room = room;
    this.#open = open;
  }

  add<I extends Item>(bound: BoundOutput<I>, items: readonly I[]): void {
    if (items.length === 0) return;
    const room = this.#room - this.events.length;
    const { events, put, failures } = this.#outbox.handOn(bound, { items, at: this.#at }, room);
    this.events.push(...events);
    this.put.push(...put);
    this.failures.push(...failures);
    if (this.#open.size === 0) return;
    for (const item of items) {
      const id = settledBy(bound, item);
      if (id !== undefined && this.#open.has(id)) this.settled.add(id);
    }
  }
}

const FORGOTTEN_AT_A_TIME = 100;

/** Totals in the log's storage, as the step has changed them. They are kept like the windows themselves. */
export class StoredTotals implements Totals {
  readonly put: (readonly [key: string, value: KeptTotal | undefined])[] = [];
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, stream: string) {
    this.#storage = storage;
    this.#prefix = `stream/${stream}/total/`;
  }

  async get(place: string): Promise<KeptTotal | undefined> {
    return (await this.#storage.get(this.#prefix + place)) as KeptTotal | undefined;
  }

  set(place: string, total: KeptTotal): void {
    this.put.push([this.#prefix + place, total]);
  }

  /** Of windows that have ended by then: no event changes them any more. A few in each step. */
  async forget(name: string, until: number): Promise<void> {
    if (until === -Infinity) return;
    const prefix = this.#prefix + totalsOf(name);
    for (const [key, total] of await this.#storage.list(prefix, { limit: FORGOTTEN_AT_A_TIME }))
      if ((total as KeptTotal).end <= until) this.put.push([key, undefined]);
  }
}
