/**
 * What the Worker asks of a shard. Everything crosses as plain data, errors too, since a Durable Object's RPC loses
 * an error's class and its fields: each answer is a `Reply`.
 */
import { MillraceError, type WireError } from '../../src/errors.ts';
import type { MetricFamily } from '../../src/monitor/metric.ts';
import type { Position } from '../../src/storage/position.ts';
import type { Query, StorageStats } from '../../src/storage/storage.ts';
import type { Push, PushAnswer } from '../../src/sync/protocol.ts';
import type { Count } from '../../src/windows/count.ts';
import type { WindowPage, WindowPageOptions } from '../../src/windows/windowed-view.ts';
import type { EventFilter } from './event-filter.ts';
import type { IdempotentRequest, Recalled } from './idempotency.ts';
import type { KeptOutcome, Published } from './kept-outcome.ts';
import type { Forgotten, ProducerStatement } from './producers.ts';
import type { SealedShard } from './sharding/shard-map.ts';

export type { Published };

export type Reply<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: WireError };

export interface ShardCalls {
  publish(request: PublishRequest): Promise<Reply<PublishOutcome>>;
  push(push: ShardPush): Promise<Reply<PushOutcome>>;
  /** Zeros for a producer that never wrote. */
  producer(producer: string, options?: OpenOptions): Promise<Reply<ProducerStatement>>;
  /** Erases the data of all that it has pushed, and takes nothing more from it. */
  forgetProducer(producer: string): Promise<Reply<Forgotten>>;
  /** The event's line. */
  event(id: string, options?: OpenOptions): Promise<Reply<string | undefined>>;
  /** A page may look at a bounded part of the log, hold nothing and have more. */
  page(query: Query, options?: PageOptions): Promise<Reply<LinePage>>;
  stats(options?: StatsOptions): Promise<Reply<ShardStats>>;
  /** As of all that was committed before the call. */
  windows(options: WindowPageOptions, open?: OpenOptions): Promise<Reply<WindowPage<Count>>>;
  /** Of each line what is known of its id. `untimed` are the indexes of those whose time the edge has set. */
  compare(
    lines: readonly string[],
    untimed: readonly number[],
  ): Promise<Reply<readonly (KnownLine | null)[]>>;
  /** Of a request whose events several shards store, what is known of it here: see `idempotency.ts`. */
  recallRequest(
    request: IdempotentRequest,
    options?: OpenOptions,
  ): Promise<Reply<Recalled<KeptOutcome>>>;
  /** As `BegunRequests.begin`. */
  beginRequest(request: IdempotentRequest, expected: KeptOutcome): Promise<Reply<Recalled<KeptOutcome>>>;
  /** As `BegunRequests.end`. */
  endRequest(request: IdempotentRequest, outcome: KeptOutcome): Promise<Reply<null>>;
  /** Takes nothing more from then on. Again, it says the same. */
  seal(): Promise<Reply<SealedShard>>;
  /** The live stream, of server-sent events or by WebSocket: see `live-request.ts`. */
  fetch(request: Request): Promise<Response>;
}

export interface OpenOptions {
  /** Refused with `shard.sealed` where the shard is not open any more: whoever asks does not know of its successors. */
  readonly open?: boolean | undefined;
}

export interface KnownLine {
  /** With the same content. */
  readonly same: boolean;
  /** Of the event that is stored, in ms. */
  readonly timestamp: number;
  /** Whether the shard that knows it is open. */
  readonly open: boolean;
}

/** Events whose ids are stored with other content, by their index. Nothing of the request was stored. */
export interface Conflicts {
  readonly conflicts: readonly number[];
}

export interface PublishRequest {
  /** All of these events are stored, or none. */
  readonly lines: readonly string[];
  /** The indexes of those whose time the edge has set for want of one. */
  readonly untimed: readonly number[];
  /** Leaves those out whose ids are known with other content, and stores the others. */
  readonly partial?: boolean;
  /** The request may come again. */
  readonly idempotent?: IdempotentRequest | undefined;
}

/** Of each line in turn, null where it was left out; or that the idempotency key is of another request. */
export type PublishOutcome =
  | { readonly published: readonly (Published | null)[]; readonly replayed?: true }
  | Conflicts
  | { readonly reused: true };

export interface PageOptions extends OpenOptions {
  readonly filter?: EventFilter | undefined;
  /** How long to wait for a page with an event. Default: not at all. */
  readonly waitMs?: number | undefined;
  /** With what merging needs: see `sharding/merged-page.ts`. */
  readonly placed?: boolean | undefined;
}

export interface StatsOptions extends OpenOptions {
  /** With the shard's metrics. */
  readonly metrics?: boolean | undefined;
}

export interface ShardStats extends StorageStats {
  /** Where they were asked for. */
  readonly metrics?: readonly MetricFamily[];
  /** Open WebSockets of live readers. */
  readonly sockets: number;
  /** Rows of the database, since the shard's object was last woken: what the platform bills. */
  readonly rowsWritten: number;
}

/** A push whose holes are counted, and whose lines are those of its chain: only the events themselves go on to the shard. */
export interface ShardPush extends Omit<Push, 'holes'> {
  /** Of each line, where the push is split over several shards and this one is not the producer's home. */
  readonly seqs?: readonly number[];
  /** Where there were epochs before: what they state of a producer that this shard has not heard of, or to ask for it. */
  readonly adopts?: 'ask' | ProducerStatement;
}

export type PushOutcome =
  | Omit<PushAnswer, 'time'>
  | Conflicts
  /** The shard has not heard of the producer: nothing was stored. */
  | { readonly adopt: true };

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
