/** How a producer reaches the edge. HTTP is one way; a test brings its own. */
import type { ProducerHead } from '../storage/storage.ts';
import type { Pull, Push, PushAnswer } from './protocol.ts';

/**
 * Each call rejects with a MillraceError: `sync.unreachable` where trying again may help, `sync.refused` where it
 * cannot, and the producer's errors of the storage (`producer.gap`, `producer.fenced`, `producer.diverged`).
 * Only a refusal that names its events, or that carries the edge's own `code`, gives an event up.
 * Any other rejection counts as unreachable. An aborted call may still have been applied.
 */
export interface PushTransport {
  push(push: Push, signal?: AbortSignal): Promise<PushAnswer>;
  /** Zeros for a producer that the edge has never heard of. */
  head(producer: string, signal?: AbortSignal): Promise<ProducerHead>;
}

export interface PullTransport {
  /** The edge's events after a cursor, from the beginning without one. */
  pull(after: string | undefined, limit: number, signal?: AbortSignal): Promise<Pull>;
}

export type SyncTransport = PushTransport & PullTransport;
