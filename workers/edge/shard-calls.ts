/**
 * What the Worker asks of a shard. Everything crosses as plain data, errors too, since a Durable Object's RPC loses
 * an error's class and its fields: each answer is a `Reply`.
 */
import { MillraceError, type WireError } from '../../src/errors.ts';
import type { Position } from '../../src/storage/position.ts';
import type { ProducerHead, Query } from '../../src/storage/storage.ts';
import type { PushAnswer } from '../../src/sync/protocol.ts';
import type { Count } from '../../src/windows/count.ts';
import type { WindowPage, WindowPageOptions } from '../../src/windows/windowed-view.ts';

export type Reply<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: WireError };

export interface ShardCalls {
  /** Stores all of the events or none, whose lines these are. */
  publish(lines: readonly string[], untimed: readonly number[]): Promise<Reply<PublishOutcome>>;
  push(push: ShardPush): Promise<Reply<PushOutcome>>;
  /** Zeros for a producer that never wrote. */
  producerHead(producer: string): Promise<Reply<ProducerHead>>;
  /** The event's line. */
  event(id: string): Promise<Reply<string | undefined>>;
  page(query: Query): Promise<Reply<LinePage>>;
  /** As of all that was committed before the call. */
  windows(options: WindowPageOptions): Promise<Reply<WindowPage<Count>>>;
  /** The live stream of server-sent events: `?after=` a position, or from now on. */
  fetch(request: Request): Promise<Response>;
}

export interface Published {
  readonly id: string;
  /** In ms since the Unix epoch. */
  readonly timestamp: number;
  readonly duplicate: boolean;
}

/** Events whose ids are stored with other content, by their index. Nothing of the request was stored. */
export interface Conflicts {
  readonly conflicts: readonly number[];
}

export type PublishOutcome = { readonly published: readonly Published[] } | Conflicts;

/** A push whose holes are counted: only the events themselves go on to the shard. */
export interface ShardPush {
  readonly producer: string;
  readonly epoch: number;
  readonly seq: number;
  readonly count: number;
  readonly lines: readonly string[];
}

export type PushOutcome = Omit<PushAnswer, 'time'> | Conflicts;

export interface LinePage {
  readonly lines: readonly string[];
  readonly next: Position;
  readonly more: boolean;
  readonly head: Position;
}

/** The reply's value. @throws MillraceError the error that it carries. */
export function unwrap<T>(reply: Reply<T>): T {
  if (reply.ok) return reply.value;
  throw MillraceError.fromWire(reply.error);
}
