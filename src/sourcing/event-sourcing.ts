/** Event sourcing for several kinds of aggregate over one store: an event finds the aggregate that it is of by its subject. */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { Appended } from '../storage/event-store/appended.ts';
import type { EventStore } from '../storage/event-store/event-store.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { Aggregate, AggregateDefinition } from './aggregate.ts';
import { Repository, type RepositoryOptions } from './repository.ts';

/** An `AggregateDefinition` of whatever state, commands and events. */
interface AnyDefinition {
  readonly name: string;
  readonly initialState: () => unknown;
  readonly decide: (command: never, state: never) => unknown;
  readonly evolve: (state: never, event: never) => unknown;
}
type StateOf<D> = D extends { readonly initialState: () => infer State } ? State : never;

export class EventSourcing<Definitions extends Readonly<Record<string, AnyDefinition>>> {
  readonly #store: EventStore;
  readonly #repositories = new Map<string, Repository<unknown>>();

  /** `definitions` by the name to ask for them. */
  constructor(store: EventStore, definitions: Definitions, options: RepositoryOptions) {
    this.#store = store;
    for (const [kind, definition] of Object.entries(definitions)) {
      const some = definition as AggregateDefinition<unknown>;
      this.#repositories.set(kind, new Repository(store, some, options));
    }
  }

  /**
   * Appends an event that has happened, whatever the state of its subject: nothing is decided.
   *
   * @throws MillraceError as `EventStore.append`
   */
  apply(event: Event): MaybePromise<Appended> {
    return this.#store.append(event);
  }

  /** The aggregate as it is now. @throws MillraceError `query.invalid` for a kind that is not defined */
  get<Kind extends keyof Definitions & string>(
    kind: Kind,
    id: string,
  ): Promise<Aggregate<StateOf<Definitions[Kind]>>> {
    return this.#of(kind).get(id) as Promise<Aggregate<StateOf<Definitions[Kind]>>>;
  }

  /** The aggregate from its events alone: no cache, no snapshot. */
  rebuild<Kind extends keyof Definitions & string>(
    kind: Kind,
    id: string,
  ): Promise<Aggregate<StateOf<Definitions[Kind]>>> {
    return this.#of(kind).rebuild(id) as Promise<Aggregate<StateOf<Definitions[Kind]>>>;
  }

  #of(kind: string): Repository<unknown> {
    const repository = this.#repositories.get(kind);
    if (repository !== undefined) return repository;
    const reason = `must be one of ${[...this.#repositories.keys()].join(', ')}`;
    const details = { path: '/kind', value: kind, reason };
    throw new MillraceError('query.invalid', `kind ${reason}: got ${kind}`, details);
  }
}
