/**
 * A projection: documents by key, each folded from the events that concern it.
 *
 * @example
 * const stock: Projection<number> = {
 *   name: 'stock',
 *   types: ['product.added'],
 *   key: ({ data }) => (data as { productId: string }).productId,
 *   initial: () => 0,
 *   evolve: (count) => count + 1,
 * };
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { erasedSubject, SUBJECT_ERASED } from '../storage/event-store/erasure.ts';
import { isErased } from '../storage/event-store/personal-data.ts';
import type { Position } from '../storage/position.ts';
import type { JsonValue, MaybePromise, Storage, StoredValue } from '../storage/storage.ts';

export interface Projection<State extends JsonValue = JsonValue> {
  /** Names it in its log: lower-case words joined by dashes, at most 64 characters. */
  readonly name: string;
  /** Of its definition: where it differs from what is kept, all is folded anew, and the old is read meanwhile. Default: 1. */
  readonly version?: number | undefined;
  /** Only events of these types. Default: all. */
  readonly types?: readonly string[] | undefined;
  /** Which document the event concerns, 400 characters at most; `undefined`: none. */
  readonly key: (event: Event) => string | undefined;
  readonly initial: () => State;
  /** The document after the event; `undefined` removes it. Pure, and the given state stays as it is. */
  readonly evolve: (state: State, event: Event) => State | undefined;
  /**
   * What an erasure of personal data takes away (`EventStore.erase`), where one document holds all that there is of a
   * subject. Left out, and personal types among `types`: all is folded anew from the log as it is then, by the next
   * `Projector` that catches up, and the old documents go.
   */
  readonly onErased?: ErasedDocument<State> | undefined;
}

export interface ErasedDocument<State> {
  /** Which document holds the subject's data; `undefined`: none. */
  readonly key: (subject: string) => string | undefined;
  /** What stays of it; `undefined`: nothing. Default: nothing. */
  readonly evolve?: ((state: State, subject: string) => State | undefined) | undefined;
}

/** What is kept about a projection: which of its generations of documents is read, and which is being built. */
export interface Generations {
  /** 0: none yet. */
  readonly serving: number;
  /** 0: none. */
  readonly building: number;
  /** Of the definition whose documents are read. */
  readonly version: number;
  /** The log's head when what serves was begun: of what was erased up to there, it has nothing. Default: 0. */
  readonly servingFrom?: Position;
  /** The same of what is built. */
  readonly buildingFrom?: Position;
}

export const NO_GENERATIONS: Generations = { serving: 0, building: 0, version: 0 };

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** @throws MillraceError `query.invalid` */
export function checkProjection({ name }: Projection<never>): void {
  if (NAME.test(name) && name.length <= 64) return;
  const reason = 'must be lower-case words joined by dashes, 64 characters at most';
  const details = { path: '/name', value: name, reason };
  throw new MillraceError('query.invalid', `projection: name ${reason}: got ${name}`, details);
}

/** The types that a fold of it reads. */
export function typesOf({ types, onErased }: Projection<never>): readonly string[] | undefined {
  return types === undefined || onErased === undefined ? types : [...types, SUBJECT_ERASED];
}

export const generationsKey = (name: string): string => `projection/${name}`;

export function documentKey(name: string, generation: number, key: string): string {
  return `${documentsPrefix(name, generation)}${key}`;
}

export function documentsPrefix(name: string, generation: number): string {
  return `projection/${name}/${generation}/`;
}

export async function readGenerations(storage: Storage, name: string): Promise<Generations> {
  const kept = await storage.get(generationsKey(name));
  return (kept as unknown as Generations | undefined) ?? NO_GENERATIONS;
}

type Put = readonly [key: string, value: StoredValue | undefined];

/**
 * What to put for a generation's documents after the events. An event whose data was erased changes nothing.
 *
 * @throws What `onFailure` makes of what `key` and `evolve` throw; as `read` does
 */
export async function foldDocuments<State extends JsonValue>(
  projection: Projection<State>,
  generation: number,
  events: readonly Event[],
  read: (key: string) => MaybePromise<StoredValue | undefined>,
  onFailure: (event: Event, cause: unknown) => unknown = (_, cause) => cause,
): Promise<readonly Put[]> {
  const documents = new Map<string, State | undefined>();
  for (const event of events) {
    if (isErased(event)) continue;
    const attempt = <T>(step: () => T): T => {
      try {
        return step();
      } catch (cause) {
        throw onFailure(event, cause);
      }
    };
    const { key, next } = attempt(() => stepOf(projection, event));
    if (key === undefined) continue;
    const place = documentKey(projection.name, generation, key);
    const known = documents.has(place) ? documents.get(place) : await read(place);
    documents.set(
      place,
      attempt(() => next(known as State | undefined)),
    );
  }
  return [...documents];
}

/** Which document the event changes, and how. */
function stepOf<State extends JsonValue>(
  { key, initial, evolve, onErased }: Projection<State>,
  event: Event,
): {
  readonly key: string | undefined;
  readonly next: (state: State | undefined) => State | undefined;
} {
  const subject = erasedSubject(event);
  if (subject === undefined) {
    return {
      key: key(event),
      next: (state) => evolve(state === undefined ? initial() : state, event),
    };
  }
  return {
    key: onErased?.key(subject),
    next: (state) => (state === undefined ? undefined : onErased?.evolve?.(state, subject)),
  };
}
