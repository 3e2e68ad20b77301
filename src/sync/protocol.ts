/**
 * What a producer and the edge say to each other. A push carries a range of the producer's gap-free sequence; the edge
 * keeps the head of that sequence in the transaction that stores the events, so that a push may be repeated for ever.
 *
 * On the wire a push is NDJSON: a header line, then the events' lines exactly as they were captured. A pull answers in
 * the same form.
 */
import { MillraceError } from '../errors.ts';

export interface Push {
  readonly producer: string;
  readonly epoch: number;
  /** The first sequence of the range, from 1. */
  readonly seq: number;
  /** How many sequences the range covers: the lines, and the holes. */
  readonly count: number;
  /** Sequences in the range that carry no event any more, because it was dead-lettered or shed at its producer. */
  readonly holes: readonly number[];
  /** The hash of all before the push, and with it: see `chain.ts`. Missing where the producer cannot hash. */
  readonly chain?: ChainLink;
  /**
   * How far the edge's clock is ahead of the producer's, in ms: said where it has changed. It stands beside the events,
   * whose own time is never touched for it.
   */
  readonly skewMs?: number | undefined;
  /** The events in their wire form, in the order of their sequences. */
  readonly lines: readonly string[];
}

/** Hashes are 64 lower-case hexadecimal digits; '' stands before the first link, and for one that is not known. */
export interface ChainLink {
  readonly previous: string;
  readonly value: string;
}

/** The edge's answer to a push that it has applied, now or before. */
export interface PushAnswer {
  /** The producer's head at the edge: all up to `seq` is stored. */
  readonly epoch: number;
  readonly seq: number;
  /** Events of this push whose id was stored before. */
  readonly duplicates: number;
  /** The whole push had been applied before. */
  readonly repeated: boolean;
  /** The hash of all up to `seq`, where the producer chains its pushes. */
  readonly chain?: string;
  /** The edge's clock, ISO 8601. */
  readonly time: string;
}

export interface Pull {
  readonly lines: readonly string[];
  /** The cursor to go on from. */
  readonly next: string;
  /** The cursor of the edge's last event. */
  readonly head: string;
  readonly more: boolean;
}

/** Below `producers`, by its id: `GET` states how far a producer is complete, `DELETE` erases the data of its events. */
export const syncPaths = {
  push: '/sync/push',
  head: '/sync/head',
  pull: '/sync/pull',
  producers: '/sync/producers',
} as const;

/** The most that one push may carry. The edge refuses more with 413; a producer stays below. */
export const pushLimits = { events: 10_000, bytes: 4_194_304 } as const;

export function encodePush(push: Push): string {
  const { lines, ...header } = push;
  return [JSON.stringify(header), ...lines].join('\n');
}

/** @throws MillraceError `query.invalid` where the header is none, or does not fit the lines that follow. */
export function decodePush(body: string): Push {
  const [first = '', ...lines] = body.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const header = parseHeader(first);
  const push: Push = {
    producer: text(header, 'producer'),
    epoch: whole(header, 'epoch', 1),
    seq: whole(header, 'seq', 1),
    count: whole(header, 'count', 1),
    holes: holes(header),
    ...chain(header),
    skewMs: skew(header),
    lines,
  };
  const last = push.seq + push.count - 1;
  if (
    push.holes.some(
      (hole, index) => hole < push.seq || hole > last || hole <= (push.holes[index - 1] ?? 0),
    )
  ) {
    throw invalidHeader('/holes', push.holes, `must rise, within ${push.seq} to ${last}`);
  }
  if (push.count !== lines.length + push.holes.length) {
    throw invalidHeader(
      '/count',
      push.count,
      `must be the ${lines.length} lines and the ${push.holes.length} holes together`,
    );
  }
  return push;
}

function parseHeader(line: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(line);
  } catch {
    header = undefined;
  }
  if (typeof header === 'object' && header !== null && !Array.isArray(header))
    return header as Record<string, unknown>;
  throw invalidHeader('/', line.slice(0, 200), 'the first line must be the JSON header of the push');
}

function text(header: Record<string, unknown>, name: string): string {
  const value = header[name];
  if (typeof value === 'string' && value.length > 0 && value.length <= 128) return value;
  throw invalidHeader(`/${name}`, value, 'must be a text of 1 to 128 characters');
}

function whole(header: Record<string, unknown>, name: string, minimum: number): number {
  const value = header[name];
  if (Number.isSafeInteger(value) && (value as number) >= minimum) return value as number;
  throw invalidHeader(`/${name}`, value, `must be a whole number from ${minimum}`);
}

function holes(header: Record<string, unknown>): readonly number[] {
  const value = header['holes'] ?? [];
  if (Array.isArray(value) && value.every((hole) => Number.isSafeInteger(hole)))
    return value as number[];
  throw invalidHeader('/holes', value, 'must be an array of sequences');
}

function chain(header: Record<string, unknown>): Pick<Push, 'chain'> {
  const value = header['chain'];
  if (value === undefined) return {};
  const { previous, value: own } = (value ?? {}) as Partial<Record<keyof ChainLink, unknown>>;
  if (isHash(own) && (previous === '' || isHash(previous))) return { chain: { previous, value: own } };
  throw invalidHeader(
    '/chain',
    value,
    'must have the two hashes `previous` and `value`, in hexadecimal',
  );
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function skew({ skewMs: value }: Record<string, unknown>): number | undefined {
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
  throw invalidHeader('/skewMs', value, 'must be a whole number');
}

function invalidHeader(path: string, value: unknown, reason: string): MillraceError<'query.invalid'> {
  return new MillraceError('query.invalid', `push header ${path}: ${reason}`, { path, value, reason });
}
