/**
 * A catalogue names the types of an application's events and says, by any Standard Schema validator, what their data is.
 *
 * @example
 * const shop = defineEvents({ 'order.placed': z.object({ orderId: z.string(), total: z.number() }) });
 * shop.check('order.placed', { orderId: 'o-1', total: 30 });
 */
import { MillraceError } from '../errors.ts';
import { invalidEvent, type Event } from './event.ts';
import type { SchemaIssue, SchemaOutput, StandardSchema } from './standard-schema.ts';

/** `{domain}.{action}`: two words or more, in lower case, joined by dots. */
export type EventTypeName = `${string}.${string}`;

const TYPE_NAME = /^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$/;

export type EventSchemas = Readonly<Record<EventTypeName, StandardSchema>>;

export interface CatalogueOptions<Type extends string = string> {
  /** Refuse types that the catalogue does not name. Default: false, they pass unchecked. */
  readonly strict?: boolean;
  /** Types whose data is about a person: an event store with keys keeps it sealed under its subject's own. Default: none. */
  readonly personal?: readonly Type[];
}

export interface Catalogue<Schemas extends EventSchemas = EventSchemas> {
  readonly types: readonly TypeOf<Schemas>[];
  readonly strict: boolean;
  readonly personal: readonly TypeOf<Schemas>[];
  /**
   * The data as its schema returns it.
   *
   * @throws MillraceError `event.invalid` with the pointer into the data; `catalogue.unknown-type` where strict;
   *   `catalogue.invalid` where the schema only answers asynchronously, which capture cannot wait for.
   */
  check<Type extends string>(
    type: Type,
    data: unknown,
  ): Type extends keyof Schemas ? SchemaOutput<Schemas[Type]> : unknown;
}

/** The types that a catalogue names. */
export type TypeOf<Schemas> = Extract<keyof Schemas, string>;

/** The data of one of a catalogue's types; `unknown` data for a type it does not name. */
export type DataOf<Schemas, Type extends string> = Type extends keyof Schemas
  ? SchemaOutput<Schemas[Type]>
  : unknown;

/** All the events of a catalogue, as a union told apart by `type`. */
export type EventOf<C> =
  C extends Catalogue<infer Schemas>
    ? { [T in TypeOf<Schemas>]: Event<T, SchemaOutput<Schemas[T]>> }[TypeOf<Schemas>]
    : never;

/** A key without a domain takes no schema, so that it does not compile. */
type WellNamed<Schemas> = {
  readonly [Type in keyof Schemas]: Type extends EventTypeName ? unknown : never;
};

/** @throws MillraceError `catalogue.invalid` for a type that is not `{domain}.{action}`, or a schema that is none. */
export function defineEvents<const Schemas extends EventSchemas>(
  schemas: Schemas & WellNamed<Schemas>,
  options: CatalogueOptions<TypeOf<Schemas>> = {},
): Catalogue<Schemas> {
  for (const [type, schema] of Object.entries(schemas)) checkDefinition(type, schema);
  const { strict = false, personal = [] } = options;
  for (const type of personal) if (!Object.hasOwn(schemas, type)) throw unknownType(type);
  const byType = new Map<string, StandardSchema>(Object.entries(schemas));
  return {
    types: [...byType.keys()] as TypeOf<Schemas>[],
    strict,
    personal,
    check(type, data) {
      const schema = byType.get(type);
      if (schema !== undefined) return validate(type, schema, data) as never;
      if (!strict) return data as never;
      throw unknownType(type);
    },
  };
}

function unknownType(type: string): MillraceError<'catalogue.unknown-type'> {
  return new MillraceError(
    'catalogue.unknown-type',
    `the catalogue has no type ${JSON.stringify(type)}: define it, or make the catalogue not strict`,
    { type },
  );
}

function checkDefinition(type: string, schema: StandardSchema | undefined): void {
  const reason = !TYPE_NAME.test(type)
    ? 'a type is {domain}.{action} in lower case, as in order.placed'
    : typeof schema?.['~standard']?.validate !== 'function'
      ? 'its schema implements no Standard Schema (standardschema.dev)'
      : undefined;
  if (reason === undefined) return;
  throw new MillraceError('catalogue.invalid', `${JSON.stringify(type)}: ${reason}`, { type, reason });
}

function validate(type: string, schema: StandardSchema, data: unknown): unknown {
  const result = schema['~standard'].validate(data);
  if (result instanceof Promise) {
    const reason =
      'its schema answers asynchronously; an event is checked at once, so use a synchronous one';
    throw new MillraceError('catalogue.invalid', `${type}: ${reason}`, { type, reason });
  }
  if (result.issues === undefined) return result.value;
  const [issue] = result.issues;
  throw invalidEvent(pointer(issue), data, issue?.message ?? 'is refused by its schema');
}

function pointer(issue: SchemaIssue | undefined): string {
  const keys = (issue?.path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
  return ['/data', ...keys.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'))].join(
    '/',
  );
}
