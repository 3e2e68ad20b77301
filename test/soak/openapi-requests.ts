/**
 * Requests made from the OpenAPI document, and what is asked of every answer: no 5xx, a status and a content type that
 * the document declares, and a body that its schema allows. Half of what is sent is as the document has it, half is
 * wrong in some way.
 */
import fc from 'fast-check';
import { z } from 'zod';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
}

interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'header';
  readonly required?: boolean;
  readonly schema?: Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface GeneratedRequest {
  readonly route: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Answered by a stream without an end, or by its own protocol. */
const STREAMS = 'GET /events/live';

/** Any request of the document, each route as often. */
export function requestsOf(document: Document): fc.Arbitrary<GeneratedRequest> {
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) =>
      [true, true, false].map((sound) => requestTo({ document, sound }, { method, path, operation })),
    ),
  );
  return fc.oneof(...routes);
}

interface Making {
  readonly document: Document;
  /** As the document has it; else wrong in whatever way. */
  readonly sound: boolean;
}

interface Route {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

function requestTo(making: Making, { method, path, operation }: Route): fc.Arbitrary<GeneratedRequest> {
  const { parameters = [], requestBody } = operation;
  const route = `${method.toUpperCase()} ${path}`;
  const of = (place: Parameter['in']): fc.Arbitrary<Partial<Record<string, string>>> => {
    const chosen = parameters.filter((parameter) => parameter.in === place);
    const texts = chosen.map(({ name, schema = {} }) => {
      const text = parameterText(making, name, schema);
      return [name, place === 'path' ? text.filter(isSegment) : text] as const;
    });
    const required = chosen.filter((parameter) => parameter.required || place === 'path');
    return fc.record(Object.fromEntries(texts), { requiredKeys: required.map(({ name }) => name) });
  };
  const odd = fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }));
  return fc
    .record({
      params: of('path'),
      query: of('query'),
      headers: of('header'),
      odd: making.sound ? fc.constant(null) : fc.option(odd, { freq: 2 }),
      body: bodyOf(making, requestBody?.content),
    })
    .map(({ params, query, headers, odd, body }) => {
      const address = path.replaceAll(/\{(.+?)\}/g, (_, name: string) =>
        encodeURIComponent(params[name] ?? 'x'),
      );
      const search = new URLSearchParams([...given(query), ...(odd === null ? [] : [odd])]);
      // The stream has no end: its page is asked for.
      if (route === STREAMS && !search.has('wait')) search.set('wait', '0');
      return {
        route,
        method: method.toUpperCase(),
        path: `${address}?${search}`,
        headers: {
          ...visible(headers),
          ...(body !== undefined && { 'content-type': body.type }),
        },
        body: body?.text,
      };
    });
}

/** What would be another address is no test of this one. */
function isSegment(text: string): boolean {
  return !['', '.', '..', 'live'].includes(text) && text.isWellFormed();
}

function given(values: Partial<Record<string, string>>): [string, string][] {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

/** What no client could send in a header is no test of the edge. */
function visible(headers: Partial<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    given(headers).map(([name, value]) => [name, value.replaceAll(/[^\x20-\x7e]/g, '').trim()]),
  );
}

/** Ids and names that meet again, so that requests find what others have stored. */
const known = fc.constantFrom('a', 'b', 'order.placed', 'visit-1', 'e-1', 'e-2', 'e-3');

/** By parameter, what means something that its schema does not say. */
const meanings: Readonly<Record<string, readonly string[]>> = {
  after: ['10', '11', '210'],
  before: ['1z', '210', '2zz'],
  limit: ['1', '7', '20'],
  wait: ['0'],
  pattern: ['{"type":["order.placed"]}', '{"data":{"total":[{"numeric":[">",1]}]}}'],
  from: ['2026-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  to: ['2027-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'],
  key: ['a'],
  sequence: ['1', '2'],
  direction: ['forward'],
  'last-event-id': ['10'],
  'idempotency-key': ['a', 'b'],
};

function parameterText({ document, sound }: Making, name: string, schema: Schema): fc.Arbitrary<string> {
  const meant = fc.constantFrom(
    ...(meanings[name] ?? ['a', 'order.placed', 'visit-1', 'e-1', 'e-2', 'e-3']),
  );
  if (sound) return schema.enum === undefined ? meant : fc.constantFrom(...schema.enum.map(String));
  const made = valueOf(document, schema).map((value) =>
    typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
  );
  const text = fc.oneof(meant, made, fc.string({ unit: 'binary', maxLength: 20 }));
  // A wait is a wait here too.
  return name === 'wait' ? text.filter((seconds) => !(Number(seconds) > 0)) : text;
}

interface Body {
  readonly type: string;
  readonly text: string;
}

function bodyOf(
  { document, sound }: Making,
  content: Content | undefined,
): fc.Arbitrary<Body | undefined> {
  if (content === undefined) return fc.constant(undefined);
  const types = Object.keys(content);
  const described = Object.entries(content).map(([type, { schema = {} }]) =>
    textOf(document, type, schema).map((text) => ({ type, text })),
  );
  if (sound) return fc.oneof(...described);
  return fc.record({
    type: fc.constantFrom(...types, 'text/plain', 'image/png', 'application/json; charset=utf-8'),
    text: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.json({ maxDepth: 3 }),
      brokenEvents(),
    ),
  });
}

function textOf(document: Document, type: string, schema: Schema): fc.Arbitrary<string> {
  if (!type.includes('json') || type.includes('ndjson'))
    return fc
      .array(fc.oneof(brokenEvents(), fc.json({ maxDepth: 1 })), { maxLength: 4 })
      .map((lines) => lines.join('\n'));
  return valueOf(document, schema).map((value) => JSON.stringify(value));
}

/** Near what is right: an event, with one field that may be anything. */
function brokenEvents(): fc.Arbitrary<string> {
  const field = fc.constantFrom(
    'id',
    'type',
    'data',
    'timestamp',
    'source',
    'priority',
    'subject',
    'specversion',
    'producer',
    'seq',
    'count',
    'epoch',
  );
  return fc
    .tuple(field, fc.jsonValue({ maxDepth: 1 }))
    .map(([name, value]) =>
      JSON.stringify({ type: 'order.placed', data: 1, source: 's', [name]: value }),
    );
}

/** A value that the schema allows. */
function valueOf(document: Document, schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const { $ref, anyOf, type, items, properties } = schema;
  if ($ref !== undefined) return valueOf(document, resolve(document, $ref), depth);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((one) => valueOf(document, one, depth)));
  if (schema.allOf !== undefined)
    return fc
      .tuple(...schema.allOf.map((one) => valueOf(document, one, depth)))
      .map((parts) => Object.assign({}, ...parts) as unknown);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const types = [type ?? 'any'].flat();
  if (types.length > 1)
    return fc.oneof(...types.map((one) => valueOf(document, { ...schema, type: one }, depth)));
  if (properties !== undefined) return objectOf(document, schema, depth);
  switch (types[0]) {
    case 'string':
      return stringOf(schema);
    case 'integer':
    case 'number':
      return fc.integer({ min: schema.minimum ?? -5, max: Math.min(schema.maximum ?? 1000, 1000) });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(valueOf(document, items ?? {}, depth + 1), { maxLength: 4 });
    case 'object':
      return fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 });
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function objectOf(document: Document, { properties = {}, required = [] }: Schema, depth: number) {
  const fields = Object.entries(properties).map(([name, one]) => [
    name,
    valueOf(document, one, depth + 1),
  ]);
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: [...required],
  });
}

function stringOf({ format, minLength = 0, maxLength = 20 }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time')
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('2030-01-01') })
      .map((date) => date.toISOString());
  const free = fc.string({ minLength: Math.min(minLength, 20), maxLength: Math.min(maxLength, 20) });
  return fc.oneof(known, free);
}

function resolve(document: Document, ref: string): Schema {
  return document.components.schemas[ref.split('/').at(-1)!] ?? {};
}

/** What is wrong with an answer by the document; nothing, where it is as declared. */
export class AnswerCheck {
  readonly #document: Document;
  readonly #schemas = new Map<string, z.ZodType>();

  constructor(document: Document) {
    this.#document = document;
  }

  async problemOf({ route }: GeneratedRequest, answer: Response): Promise<string | undefined> {
    const [method, path] = route.split(' ') as [string, string];
    const text = await answer.text();
    const { status } = answer;
    if (status >= 500) return `${status}: ${text.slice(0, 500)}`;
    const declared = this.#document.paths[path]![method.toLowerCase()]!.responses[status];
    if (declared === undefined) return `status ${status} is not declared: ${text.slice(0, 500)}`;
    if (declared.content === undefined) return text === '' ? undefined : `${status} has a body`;
    const type = (answer.headers.get('content-type') ?? '').split(';')[0]!;
    const content = declared.content[type];
    if (content === undefined) return `content type ${type} is not declared for ${status}`;
    if (!type.endsWith('json') || type.endsWith('ndjson')) return undefined;
    const key = `${route} ${status} ${type}`;
    let schema = this.#schemas.get(key);
    if (schema === undefined) this.#schemas.set(key, (schema = this.#compile(content.schema ?? {})));
    const result = schema.safeParse(JSON.parse(text));
    return result.success
      ? undefined
      : `${status} is not as declared: ${result.error.message} in ${text.slice(0, 500)}`;
  }

  #compile(schema: Schema): z.ZodType {
    return z.fromJSONSchema(this.#inline(schema) as never);
  }

  #inline(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#inline(one));
    if (typeof value !== 'object' || value === null) return value;
    const { $ref } = value as Schema;
    if ($ref !== undefined) return this.#inline(resolve(this.#document, $ref));
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#inline(one)]));
  }
}
