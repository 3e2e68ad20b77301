/**
 * Reactions, or process managers: from events to new events and commands, exactly once.
 *
 * What a reaction makes of an event is committed with its checkpoint: events go into the log, commands into an outbox
 * beside it. The outbox is emptied in order. A delivery that takes `delivery.commit` into its own commit happens once
 * with it, wherever a crash falls; any other may be repeated, and says by `delivery.id` that it is the same.
 *
 * @example
 * const shipping = new Reactor(store, {
 *   name: 'shipping',
 *   types: ['order.placed'],
 *   react: (event) => ({ commands: [{ ship: event.subject }] }),
 *   deliver: (command, { commit }) => parcels.execute(command.ship, { do: 'ship' }, commit),
 * });
 */
import { hasCode, isWireError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import {
  Consumer,
  type ConsumeOptions,
  type ConsumerStatus,
  type Produced,
} from '../storage/event-store/consumer.ts';
import type { AppendOptions, EventStore } from '../storage/event-store/event-store.ts';
import { isErased } from '../storage/event-store/personal-data.ts';
import type { JsonValue } from '../storage/storage.ts';
import type { StoredEvent } from '../storage/stored-event.ts';

export interface Reactions<Command extends JsonValue> {
  readonly events?: readonly Event[] | undefined;
  readonly commands?: readonly Command[] | undefined;
}

export interface Delivery {
  /** The same for every try of one command. */
  readonly id: string;
  /** To be part of the commit that carries the command out, so that both happen, or neither. */
  readonly commit: Pick<AppendOptions, 'put' | 'advance'>;
}

export interface Reaction<Command extends JsonValue = JsonValue> {
  /** Names its checkpoint and its outbox: lower-case words joined by dashes. */
  readonly name: string;
  /** Only events of these types. Default: all, its own among them. */
  readonly types?: readonly string[] | undefined;
  /** Pure: it may be asked again with the same event, and what it said before then counts for nothing. */
  readonly react: (event: Event) => Reactions<Command> | undefined;
  /** Carries a command out. Left out where there are none. */
  readonly deliver?: ((command: Command, delivery: Delivery) => unknown) | undefined;
  /** How often a command that is refused is tried before it becomes a dead letter. Default: 3. */
  readonly attempts?: number | undefined;
}

/** A command that could not be carried out. */
export interface DeadCommand<Command> {
  readonly id: string;
  readonly command: Command;
  readonly reason: string;
  readonly code?: string;
  readonly attempts: number;
}

const ATTEMPTS = 3;
const CHUNK = 100;

export class Reactor<Command extends JsonValue = JsonValue> {
  readonly #store: EventStore;
  readonly #reaction: Reaction<Command>;
  readonly #consumer: Consumer;
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: EventStore, reaction: Reaction<Command>) {
    this.#store = store;
    this.#reaction = reaction;
    const { name, types } = reaction;
    const handle = (events: readonly StoredEvent[]): Produced => this.#react(events);
    this.#consumer = new Consumer(store, { name: `reaction/${name}`, types, handle });
  }

  /**
   * Reacts to what was committed since the checkpoint, and empties the outbox. An event that cannot be reacted to pauses
   * it: see `Consumer`. A command that is refused becomes a dead letter, and the next has its turn.
   *
   * @throws MillraceError as `Storage` does; the signal's reason
   */
  catchUp(options: ConsumeOptions = {}): Promise<ConsumerStatus> {
    const run = this.#running.then(async () => {
      const status = await this.#consumer.catchUp(options);
      await this.#empty(options.signal);
      return status;
    });
    this.#running = run.catch(() => undefined);
    return run;
  }

  status(): Promise<ConsumerStatus> {
    return this.#consumer.status();
  }

  resume(options: { readonly skip?: boolean } = {}): Promise<void> {
    return this.#consumer.resume(options);
  }

  /** Commands that wait to be carried out, the first ones. */
  async waiting(limit = CHUNK): Promise<readonly Command[]> {
    const entries = await this.#store.storage.list(this.#outbox, { limit });
    return entries.map(([, command]) => command as Command);
  }

  async dead(): Promise<readonly DeadCommand<Command>[]> {
    const entries = await this.#store.storage.list(this.#deadPrefix);
    return entries.map(([, dead]) => dead as unknown as DeadCommand<Command>);
  }

  /** Puts a dead command back into the outbox. Whether there was one of that id. */
  async redrive(id: string): Promise<boolean> {
    const key = this.#deadPrefix + id;
    for (;;) {
      const advance = [{ id: this.#outbox, epoch: 1, seq: await this.#nextTurn() }];
      const dead = (await this.#store.storage.get(key)) as DeadCommand<Command> | undefined;
      if (dead === undefined) return false;
      const put = [
        [key, undefined],
        [this.#outbox + id, dead.command],
      ] as const;
      try {
        await this.#store.append([], { put, advance });
        return true;
      } catch (error) {
        if (!hasCode(error, 'producer.gap')) throw error;
      }
    }
  }

  #react(stored: readonly StoredEvent[]): Produced {
    const events: Event[] = [];
    const put: [string, JsonValue][] = [];
    for (const { event, position } of stored) {
      if (isErased(event)) continue;
      const made = this.#reaction.react(event);
      events.push(...(made?.events ?? []));
      for (const [i, command] of (made?.commands ?? []).entries()) {
        put.push([this.#outbox + placeOf(position, i), command]);
      }
    }
    return { events, put };
  }

  async #empty(signal: AbortSignal | undefined): Promise<void> {
    if (this.#reaction.deliver === undefined) return;
    for (;;) {
      const [entry] = await this.#store.storage.list(this.#outbox, { limit: 1 });
      if (entry === undefined) return;
      signal?.throwIfAborted();
      await this.#deliver(entry[0], entry[1] as Command);
    }
  }

  /** One command: carried out, dead, or taken by another reactor of the name. */
  async #deliver(key: string, command: Command): Promise<void> {
    const { attempts = ATTEMPTS, deliver } = this.#reaction;
    const id = key.slice(this.#outbox.length);
    for (let attempt = 1; ; attempt++) {
      const seq = await this.#nextTurn();
      // Read after the sequence: once it is gone, whoever has taken it has moved the sequence, too.
      if ((await this.#store.storage.get(key)) === undefined) return;
      const commit = {
        put: [[key, undefined]],
        advance: [{ id: this.#outbox, epoch: 1, seq }],
      } as const;
      try {
        await deliver!(command, { id, commit });
        await this.#settle(key, commit);
        return;
      } catch (error) {
        if (hasCode(error, 'producer.gap') && error.details.producer === this.#outbox) return;
        if (isWireError(error) && error.code.startsWith('storage.')) throw error;
        if (attempt < attempts) continue;
        const dead = { id, command, attempts: attempt, ...reasonOf(error) };
        const put = [...commit.put, [this.#deadPrefix + id, dead] as const];
        await this.#settle(key, { ...commit, put });
        return;
      }
    }
  }

  /** Takes the command out of the outbox, where its delivery has not. */
  async #settle(key: string, commit: Delivery['commit']): Promise<void> {
    if ((await this.#store.storage.get(key)) === undefined) return;
    try {
      await this.#store.append([], commit);
    } catch (error) {
      // Another reactor of the name has settled it.
      if (!hasCode(error, 'producer.gap')) throw error;
    }
  }

  async #nextTurn(): Promise<number> {
    return ((await this.#store.storage.producer(this.#outbox))?.seq ?? 0) + 1;
  }

  get #outbox(): string {
    return `outbox/${this.#reaction.name}/`;
  }

  get #deadPrefix(): string {
    return `outbox-dead/${this.#reaction.name}/`;
  }
}

function reasonOf(error: unknown): { readonly reason: string; readonly code?: string } {
  const reason = error instanceof Error ? error.message : String(error);
  return isWireError(error) ? { reason, code: error.code } : { reason };
}

/** Sorts as the events do, and within one event as its commands. */
function placeOf(position: number, index: number): string {
  return `${String(position).padStart(16, '0')}.${String(index).padStart(5, '0')}`;
}
