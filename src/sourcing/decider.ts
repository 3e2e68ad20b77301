/**
 * A decider (Jérémie Chassaing, "Functional Event Sourcing Decider"): what a command does to a state, as pure functions.
 *
 * @example
 * const counter: Decider<number, 'up', { type: 'counter.raised'; data: null }> = {
 *   initialState: () => 0,
 *   decide: () => ({ type: 'counter.raised', data: null }),
 *   evolve: (count) => count + 1,
 * };
 */
import type { EventOf } from '../event/catalogue.ts';
import type { Event } from '../event/event.ts';
import type { EventOptions } from '../event/factory.ts';

/** An event as it is decided: id, time, source and subject are filled in where it is saved. */
export interface Draft<Type extends string = string, Data = unknown> extends EventOptions {
  readonly type: Type;
  readonly data: Data;
}

/** All drafts of a catalogue, as a union told apart by `type`: `DraftOf<typeof shop>`. */
export type DraftOf<C> = Drafted<EventOf<C>>;

type Drafted<E> = E extends Event<infer Type, infer Data> ? Draft<Type, Data> : never;

export interface Decider<State, Command, E extends Draft = Draft> {
  readonly initialState: () => State;
  /** What happens; nothing, or an empty list, where nothing does. Throws where the command is refused. */
  readonly decide: (command: Command, state: State) => E | readonly E[] | undefined;
  /** The state after the event. A new one: the given state stays as it is. */
  readonly evolve: (state: State, event: E) => State;
}

/** What the command does, as a list. @throws What `decide` throws. */
export function decideAll<State, Command, E extends Draft>(
  decider: Decider<State, Command, E>,
  command: Command,
  state: State,
): readonly E[] {
  const decided = decider.decide(command, state);
  if (decided === undefined) return [];
  return Array.isArray(decided) ? (decided as readonly E[]) : [decided as E];
}
