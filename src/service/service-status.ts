/** What a service has done since it was made, and how it stands. */
import type { PushStatus } from '../sync/push-status.ts';
import type { RefusalReason } from './delivery-request.ts';

/**
 * `starting`: it asks the edge for its subscriptions, and for what it has missed. `listening`: it takes deliveries; in
 * every other state it answers them with 503, and the edge sends them again.
 */
export type ServiceState = 'idle' | 'starting' | 'listening' | 'stopping' | 'stopped';

/** Since the service was made. What it has handled before stands in its storage. */
export interface ServiceCounts {
  /** Deliveries that have run whole. */
  deliveries: number;
  /** Deliveries that had run before: acknowledged, and nothing done. */
  repeated: number;
  /** Requests that were not taken, by why. */
  readonly refused: Record<RefusalReason, number>;
  /** Calls of handlers whose work is committed. */
  handled: number;
  /** Calls of handlers that threw, or took too long. */
  failures: number;
  deadLetters: number;
  /** Events that came and no handler is for: it is registered no more, or another subscription brings them too. */
  ignored: number;
  /** Handshakes that were consented to. */
  handshakes: number;
  /** Sequences that the edge has delivered and this service does not know, by what became of them: see `Gap`. */
  readonly gaps: Record<GapOutcome, number>;
}

/**
 * `healed`: its events were fetched from the edge, and handled. `redriven`: it is a dead letter at the edge, which was
 * asked to deliver it again. `dropped`: its owner has dropped it at the edge. `lost`: the edge has forgotten what was in
 * it; it is a dead letter here.
 */
export type GapOutcome = 'healed' | 'redriven' | 'dropped' | 'lost';

/** A sequence that was missing, though the edge was done with it. */
export interface Gap {
  readonly subscription: string;
  readonly sequence: number;
  readonly outcome: GapOutcome;
}

export interface ServiceStatus {
  readonly state: ServiceState;
  readonly counts: Readonly<ServiceCounts>;
  /** Deliveries that run now. */
  readonly underWay: number;
  /** How the outbox is. */
  readonly push: PushStatus;
  /** Events that are published here and not at the edge yet. */
  readonly waiting: number;
  /** What the last look after the subscriptions failed with. */
  readonly trouble?: unknown;
}

export function noCounts(): ServiceCounts {
  return {
    deliveries: 0,
    repeated: 0,
    refused: { malformed: 0, unknown: 0, old: 0, forged: 0, 'too-large': 0, busy: 0 },
    handled: 0,
    failures: 0,
    deadLetters: 0,
    ignored: 0,
    handshakes: 0,
    gaps: { healed: 0, redriven: 0, dropped: 0, lost: 0 },
  };
}
