/**
 * Snapshots: a subject's state as of a version, kept as a value of the log and put in the commit of the events that it
 * holds. Nothing rests on them: one that is stale, erased or of another shape is ignored, and the events are folded.
 *
 * The positions of a commit's events are not known before it. So a snapshot names the id of the last event in it, and
 * the position before the commit, for a log whose start is trimmed.
 */
import type { Position } from '../storage/position.ts';
import type { JsonValue, StoredValue } from '../storage/storage.ts';
import type { EventStore } from '../storage/event-store/event-store.ts';
import type { AggregateDefinition, Folded } from './aggregate.ts';

interface Kept {
  readonly shape: number;
  readonly version: number;
  readonly position: Position;
  /** The last event in it that stands behind `position`; '' where none does. */
  readonly last: string;
  /** `null` before the first event. */
  readonly time: number | null;
  readonly deleted: boolean;
  readonly state: JsonValue;
}

/** A subject that is longer has no snapshots: a value's key is bounded. */
const MAX_SUBJECT = 380;

export class Snapshots<State> {
  readonly #store: EventStore;
  readonly #definition: Pick<AggregateDefinition<State>, 'name' | 'snapshots'>;

  constructor(store: EventStore, definition: Pick<AggregateDefinition<State>, 'name' | 'snapshots'>) {
    this.#store = store;
    this.#definition = definition;
  }

  async load(subject: string, generation: number): Promise<Folded<State> | undefined> {
    const options = this.#definition.snapshots;
    if (options === undefined || subject.length > MAX_SUBJECT) return undefined;
    const stored = (await this.#store.storage.get(this.#key(subject))) as JsonValue | undefined;
    if (stored === undefined) return undefined;
    const { personal } = this.#store;
    const opened =
      personal === undefined ? stored : await personal.openValue(subject, this.#key(subject), stored);
    const kept = opened as Kept | undefined;
    if (kept?.shape !== (options.version ?? 1)) return undefined;
    const { version, deleted } = kept;
    const state = options.decode === undefined ? (kept.state as State) : options.decode(kept.state);
    const position = await this.#positionOf(kept);
    return { state, version, position, time: kept.time ?? -Infinity, deleted, generation };
  }

  /** Where to go on reading. A last event that is not found was trimmed, with all before it. */
  async #positionOf({ last, position }: Kept): Promise<Position> {
    if (last === '') return position;
    return (await this.#store.storage.read({ id: last, limit: 1 })).events[0]?.position ?? position;
  }

  /** Whether a snapshot is due when a subject goes from a version to the next. */
  isDue(from: number, to: number): boolean {
    const { every } = this.#definition.snapshots ?? { every: Infinity };
    return Math.floor(to / every) > Math.floor(from / every);
  }

  /** What to put for a snapshot of the state; nothing where there is none to take. `last`: see `Kept`. */
  async put(subject: string, folded: Folded<State>, last = ''): Promise<readonly Put[]> {
    const options = this.#definition.snapshots;
    if (options === undefined || subject.length > MAX_SUBJECT) return [];
    const { state, version, position, time, deleted, generation } = folded;
    const kept: Kept = {
      shape: options.version ?? 1,
      ...{ version, position, last, deleted },
      time: Number.isFinite(time) ? time : null,
      state: options.encode === undefined ? (state as JsonValue) : options.encode(state),
    };
    const key = this.#key(subject);
    const { personal } = this.#store;
    const value = { ...kept };
    const sealed =
      personal === undefined ? value : await personal.sealValue(subject, generation, key, value);
    return sealed === undefined ? [] : [[key, sealed]];
  }

  #key(subject: string): string {
    return `snapshot/${this.#definition.name}/${subject}`;
  }
}

type Put = readonly [key: string, value: StoredValue];
