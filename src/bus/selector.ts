/** What a handler is subscribed to: a type, a catalogue's entry, or a topic pattern over types. */
import type { Catalogue, DataOf, EventOf, EventSchemas, TypeOf } from '../event/catalogue.ts';
import type { Event } from '../event/event.ts';
import { invalidOption } from './event-handler.ts';
import { parseTopicPattern } from './topic-pattern.ts';

/** A type together with the catalogue that knows its data: a typed subscription on a bus without a catalogue. */
export interface CatalogueEntry<Schemas extends EventSchemas, Type extends TypeOf<Schemas>> {
  readonly catalogue: Catalogue<Schemas>;
  readonly type: Type;
}

/** Text with a wildcard. */
export type TypePattern = `${string}*${string}` | `${string}#${string}`;

/** With a catalogue: its types, and patterns. Without one: any type. */
export type TypeSelector<Schemas extends EventSchemas> = [TypeOf<Schemas>] extends [never]
  ? string
  : TypeOf<Schemas> | TypePattern;

/** Every event that a bus of these schemas carries. */
export type BusEvent<Schemas extends EventSchemas> = [TypeOf<Schemas>] extends [never]
  ? Event
  : EventOf<Catalogue<Schemas>>;

/** The events that a selector selects: those of the type, or for a pattern every event of the bus. */
export type SelectedEvent<Schemas extends EventSchemas, Selector> =
  Selector extends TypeOf<Schemas> ? Event<Selector, DataOf<Schemas, Selector>> : BusEvent<Schemas>;

/**
 * The text that is subscribed to, checked.
 *
 * @throws MillraceError `query.invalid`, `topic.invalid`
 */
export function selectorText(selector: string | { readonly type: string }): string {
  const text = typeof selector === 'object' && selector !== null ? selector.type : selector;
  if (typeof text !== 'string' || text === '')
    throw invalidOption('selector', selector, 'must be a type, a pattern, or { catalogue, type }');
  if (/[*#]/.test(text)) parseTopicPattern(text);
  return text;
}
