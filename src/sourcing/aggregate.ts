/**
 * An aggregate: one subject's events folded into a state, and the events that were decided since it was loaded.
 *
 * Its version counts all its events, those that wait to be saved included. A subject is `{name}-{id}`.
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { EventOptions } from '../event/factory.ts';
import type { Position } from '../storage/position.ts';
import type { JsonValue } from '../storage/storage.ts';
import { decideAll, type Decider, type Draft } from './decider.ts';

export interface AggregateDefinition<State, Command = unknown, E extends Draft = Draft> extends Decider<
  State,
  Command,
  E
> {
  /** Names the aggregate and its snapshots: lower-case words joined by dashes. */
  readonly name: string;
  /** Types of event after which the aggregate is deleted. Default: none. */
  readonly deletedBy?: readonly E['type'][] | undefined;
  readonly snapshots?: SnapshotOptions<State> | undefined;
}

export interface SnapshotOptions<State> {
  /** Takes one whenever so many events have come since the last. */
  readonly every: number;
  /** Of the state's shape. A snapshot of another version is ignored, and one of this version takes its place. Default: 1. */
  readonly version?: number | undefined;
  /** The state as JSON, and back. Default: the state is JSON. */
  readonly encode?: ((state: State) => JsonValue) | undefined;
  readonly decode?: ((json: JsonValue) => State) | undefined;
}

/** A subject's state as of one of its versions, and up to where in the log it was folded. */
export interface Folded<State> {
  readonly state: State;
  readonly version: number;
  /** The position of the last event that was folded; 0 before the first. */
  readonly position: Position;
  /** The latest time of the events, in ms; -Infinity before the first. */
  readonly time: number;
  readonly deleted: boolean;
  /** Of the subject's key, where it has personal data: see `PersonalData.generation`. */
  readonly generation: number;
}

/** Makes an event of a draft; `options` say what the draft does not. */
export type DraftToEvent = (draft: Draft, options: EventOptions) => Event;

export class Aggregate<State, Command = unknown, E extends Draft = Draft> {
  readonly id: string;
  readonly subject: string;
  readonly #definition: AggregateDefinition<State, Command, E>;
  readonly #toEvent: DraftToEvent;
  #saved: Folded<State>;
  #state: State;
  #deleted: boolean;
  #pending: Event[] = [];
  #commands: Decision<Command>[] | undefined = [];

  /** Repositories make them. */
  constructor(
    id: string,
    definition: AggregateDefinition<State, Command, E>,
    folded: Folded<State>,
    toEvent: DraftToEvent,
  ) {
    this.id = id;
    this.subject = subjectOf(definition.name, id);
    this.#definition = definition;
    this.#toEvent = toEvent;
    this.#saved = folded;
    this.#state = folded.state;
    this.#deleted = folded.deleted;
  }

  get state(): State {
    return this.#state;
  }

  /** How many events the aggregate has had, those that wait included. 0: it never was. */
  get version(): number {
    return this.#saved.version + this.#pending.length;
  }

  /** Whether its last event has deleted it. */
  get deleted(): boolean {
    return this.#deleted;
  }

  /** As it is in the log. */
  get saved(): Folded<State> {
    return this.#saved;
  }

  /** The events that wait to be saved. */
  get pending(): readonly Event[] {
    return this.#pending;
  }

  /** The commands that made what waits, to be decided anew on another state; `undefined` where events were applied. */
  get decisions(): readonly Decision<Command>[] | undefined {
    return this.#commands;
  }

  /** Decides a command, and applies what it decides. @throws MillraceError `aggregate.deleted`; what `decide` throws. */
  execute(command: Command, options: EventOptions = {}): readonly Event[] {
    const drafts = decideAll(this.#definition, command, this.#live());
    const events = drafts.map((draft) => this.#toEvent(draft, options));
    for (const event of events) this.#apply(event);
    this.#commands?.push({ command, options });
    return events;
  }

  /**
   * Applies an event, given whole or as a draft: it waits to be saved. What was applied cannot be decided anew, so that a
   * conflict at its saving is the caller's to solve.
   *
   * @throws MillraceError `aggregate.deleted`, `event.invalid`
   */
  apply(event: E | Event): Event {
    this.#live();
    const made = this.#toEvent(event, {});
    this.#apply(made);
    this.#commands = undefined;
    return made;
  }

  /** Its waiting events behind that version of it. The earlier ones are in the store: `Repository.getEventsSince`. */
  getEventsSince(version: number): readonly Event[] {
    return this.#pending.slice(Math.max(0, version - this.#saved.version));
  }

  /** Repositories call it: what waited is in the log. */
  markSaved(folded: Folded<State>): void {
    this.#saved = folded;
    this.#pending = [];
    this.#commands = [];
  }

  /** Repositories call it: what waited is to be decided anew on another state. */
  restart(folded: Folded<State>): void {
    this.markSaved(folded);
    this.#state = folded.state;
    this.#deleted = folded.deleted;
  }

  #live(): State {
    if (!this.#deleted) return this.#state;
    const { subject } = this;
    throw new MillraceError('aggregate.deleted', `${subject} is deleted: it takes no more commands`, {
      subject,
    });
  }

  #apply(event: Event): void {
    this.#state = this.#definition.evolve(this.#state, event as Event & E);
    this.#deleted ||= this.#definition.deletedBy?.includes(event.type) ?? false;
    this.#pending.push(event);
  }
}

export interface Decision<Command> {
  readonly command: Command;
  readonly options: EventOptions;
}

export function subjectOf(name: string, id: string): string {
  return `${name}-${id}`;
}
