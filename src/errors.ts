/**
 * The one error of Millrace.
 *
 * An error is known by its `code`, never by `instanceof`: Comlink, structured clone and a Durable
 * Object's RPC lose the class on the way. `toWire` and `fromWire` carry code, details and message across.
 */

/** The closed set of codes, each with the details that its cause is named by. */
export interface ErrorDetails {
  /** An event, or a part of it, is not what the model asks for. `path` is a JSON pointer into the event. */
  'event.invalid': { readonly path: string; readonly value: unknown; readonly reason: string };
  /** An id that is already stored came again with other content. */
  'event.conflict': { readonly id: string };
  /** A catalogue was defined with a type that breaks the naming, or with a schema that cannot be used. */
  'catalogue.invalid': { readonly type: string; readonly reason: string };
  /** A strict catalogue does not know the type. */
  'catalogue.unknown-type': { readonly type: string };
  /** The expected version of a subject is not its actual one. */
  'version.conflict': {
    readonly subject: string;
    readonly expected: ExpectedVersion;
    readonly actual: number;
  };
  /** A subject never had that version, or was not there yet at that time. */
  'version.missing': { readonly subject: string; readonly asked: number; readonly actual: number };
  /** The start of a subject's history was trimmed, and no snapshot stands in for it: its state cannot be known. */
  'history.trimmed': { readonly subject: string; readonly version: number; readonly readable: number };
  /** An aggregate's last event has deleted it: it takes no more commands. */
  'aggregate.deleted': { readonly subject: string };
  /** An old event could not be read as today's. */
  'upcast.failed': {
    readonly type: string;
    readonly version: number;
    readonly id: string;
    readonly position: number;
    readonly reason: string;
  };
  /** An inline projection could not fold an event: nothing of the commit was stored. */
  'projection.failed': { readonly projection: string; readonly id: string; readonly reason: string };
  /** Sealed data that its key does not open: it was damaged, or sealed by somebody else. */
  'seal.broken': { readonly subject: string; readonly id: string; readonly position: number };
  /** A producer's sequence does not follow on its head: `expected` is the one to go on with. */
  'producer.gap': { readonly producer: string; readonly expected: number; readonly received: number };
  /** A newer epoch of the producer has written: the older one may no longer. */
  'producer.fenced': { readonly producer: string; readonly epoch: number; readonly current: number };
  /** A producer repeats a sequence with events that were never stored: its log has lost its tail since. */
  'producer.diverged': { readonly producer: string; readonly seq: number; readonly id: string };
  /**
   * Of a producer's events `seq` to `last`: the lines are not those that were sent (`lines`), or what was sent before
   * them is not what the edge has (`before`). `expected` is the hash that should be, `received` the one that is.
   */
  'chain.broken': {
    readonly producer: string;
    readonly seq: number;
    readonly last: number;
    readonly part: 'lines' | 'before';
    readonly expected: string;
    readonly received: string;
  };
  'cursor.invalid': { readonly cursor: string };
  /** A query, or an option, has a value that means nothing. */
  'query.invalid': { readonly path: string; readonly value: unknown; readonly reason: string };
  /** An event has, where an aggregation takes a value, one that it cannot take. `event` is the event's id. */
  'value.invalid': {
    readonly event: string;
    readonly field: string;
    readonly value: unknown;
    readonly reason: string;
  };
  /** A topic or its pattern is malformed. `word` counts from 0. */
  'topic.invalid': { readonly topic: string; readonly reason: string; readonly word?: number };
  /** What is no error of Millrace's own, in a dead letter: `error` is what it was called, as in `TypeError`. */
  failed: { readonly error: string };
  /** A middleware called `next` twice, or after it had ended. */
  'middleware.misused': { readonly middleware: string; readonly reason: string };
  /** What was waited for did not come in time. */
  timeout: { readonly what: string; readonly timeoutMs: number };
  /** A pattern is malformed. `path` is the JSON pointer into the pattern; `rule` is the rule's id, where it is a rule's. */
  'pattern.invalid': {
    readonly path: string;
    readonly value: unknown;
    readonly reason: string;
    readonly rule?: string;
  };
  /** A filter, a routing rule or a target is not what it must be. `path` is a JSON pointer into it. */
  'routing.invalid': { readonly path: string; readonly value: unknown; readonly reason: string };
  /** A filter, a rule or a target of that name is there already. */
  'routing.conflict': { readonly name: string };
  /** There is no filter, no rule or no target of that name. */
  'routing.unknown': { readonly name: string };
  /** A documented bound was passed. Nothing was stored. */
  'limit.exceeded': { readonly limit: string; readonly maximum: number; readonly actual: number };
  'storage.closed': { readonly log: string };
  /**
   * `blocked`: another tab holds an older version of the log, and may let go. `newer`: another tab has upgraded it, and
   * this one's code is too old. On Node, `blocked`: another process holds the file; `damaged`: it is no sound database.
   */
  'storage.open-failed': {
    readonly log: string;
    readonly reason?: 'blocked' | 'newer' | 'failed' | 'damaged';
  };
  'storage.failed': { readonly log: string; readonly operation: string };
  /** What is stored does not decode. What else is committed stays readable. */
  'storage.corrupt': { readonly log: string; readonly position: number };
  /**
   * Events from `position` on are in the archive, as a part of `object`, and cannot be read now. `missing`, `changed`: the
   * archive has lost the object, or has other bytes; `unbound`: the log was opened without its archive.
   */
  'storage.archive-failed': {
    readonly log: string;
    readonly position: number;
    readonly object: string;
    readonly reason: 'missing' | 'changed' | 'unreachable' | 'unbound';
  };
  /** The edge did not answer, or answered that it cannot now. To be tried again. */
  'sync.unreachable': {
    readonly endpoint: string;
    readonly status?: number;
    readonly retryAfterMs?: number;
  };
  /** The edge refused the request as it stands: trying it again changes nothing. */
  'sync.refused': {
    readonly endpoint: string;
    readonly status: number;
    readonly reason: string;
    /** The edge's own code. Without one it may have been a gateway that refused, and no event is given up for it. */
    readonly code?: string;
    readonly rejected?: readonly { readonly index: number; readonly reason: string }[];
  };
  /** There is no subscription of that id. */
  'subscription.unknown': { readonly subscription: string };
  /** A subscription is not what it must be. `path` is a JSON pointer into what was asked for. */
  'subscription.invalid': { readonly path: string; readonly value: unknown; readonly reason: string };
  /** A subscription has no delivery, or no dead letter, of that sequence. */
  'delivery.unknown': { readonly sequence: number; readonly reason: string };
  /** An endpoint has not taken a delivery: with a status, or for what the reason says. */
  'delivery.failed': {
    readonly subscription: string;
    readonly status?: number;
    readonly reason: string;
  };
  /** The name of a callback's host could not be resolved. */
  'callback.unresolved': { readonly hostname: string; readonly reason: string };
  /** A shard that an epoch of more shards has followed on: it takes nothing more. */
  'shard.sealed': { readonly shard: string };
  /** More waits at a shard to be committed than it may hold. Nothing was stored: to be tried again. */
  'shard.busy': {
    readonly requests: number;
    readonly characters: number;
    readonly retryAfterMs: number;
  };
  /** The visitor has not agreed to be recorded, or has withdrawn that: nothing was kept. */
  'consent.missing': { readonly withdrawn: boolean };
  /** The client, the worker or the loop was disposed before it could answer. */
  disposed: { readonly what: string };
}

export type ErrorCode = keyof ErrorDetails;

/** What a commit may expect of a subject's version. A version is the count of the subject's events. */
export type ExpectedVersion = number | 'none' | 'exists' | 'any';

/** An error as plain data, for structured clone, RPC and JSON. */
export interface WireError<C extends ErrorCode = ErrorCode> {
  readonly name: 'MillraceError';
  readonly code: C;
  readonly message: string;
  readonly details: ErrorDetails[C];
}

/** The message says what happened, the value that caused it, and what to do. */
export class MillraceError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C;
  readonly details: ErrorDetails[C];

  constructor(code: C, message: string, details: ErrorDetails[C], options?: ErrorOptions) {
    super(message, options);
    this.name = 'MillraceError';
    this.code = code;
    this.details = details;
  }

  /** The error as plain data. The cause stays behind: it may not be cloneable, and is logged where it arose. */
  toWire(): WireError<C> {
    return { name: 'MillraceError', code: this.code, message: this.message, details: this.details };
  }

  static fromWire<C extends ErrorCode>(wire: WireError<C>): MillraceError<C> {
    return new MillraceError(wire.code, wire.message, wire.details);
  }
}

/** Whether `error` is a Millrace error of that code, wherever it was thrown and however it travelled. */
export function hasCode<C extends ErrorCode>(error: unknown, code: C): error is MillraceError<C> {
  return isWireError(error) && error.code === code;
}

/** Whether `value` carries a Millrace error's code and details: as an instance, or as plain data. */
export function isWireError(value: unknown): value is WireError {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    'details' in value &&
    typeof value.code === 'string'
  );
}
