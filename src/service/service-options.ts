/** What a service is told when it is made. */
import { checkNumber, invalidOption } from '../bus/event-handler.ts';
import type { Catalogue, EventSchemas } from '../event/catalogue.ts';
import type { Tracer } from '../monitor/tracing.ts';
import type { Digest, Fetch, Ports } from '../ports.ts';
import type { Storage } from '../storage/storage.ts';
import type { Gap } from './service-status.ts';

export interface EventServiceOptions<Schemas extends EventSchemas = {}> {
  /** Names its subscriptions, its events' source, and its place in the storage: 1 to 64 letters, digits, `-` and `_`. */
  readonly name: string;
  /** Where the edge is. */
  readonly endpoint: string;
  /** A key of the edge with the scope `admin`: it subscribes, reads what was missed, and publishes. */
  readonly key?: string;
  /** Where the edge reaches `handleIncomingEvent`. */
  readonly callbackUrl: string;
  /** The service's own. Its log is the outbox: whatever is committed there goes to the edge. */
  readonly storage: Storage;
  /** Default: none, any type and data pass. */
  readonly catalogue?: Catalogue<Schemas>;
  /** Where its first subscription begins. Default: `now`. */
  readonly from?: 'now' | 'start' | (string & {});
  /** The most events in a delivery, of one order, 1 to 100. Default: each comes alone. */
  readonly batch?: number;
  /** Deliveries that the edge has under way together, 1 to 6. Default: 6. */
  readonly concurrency?: number;
  /** How often a handler is called with an event before that is a dead letter. Default: 5. */
  readonly attempts?: number;
  /** How long a handler may take; keep it below `deliveryTimeoutMs`. Default: 10,000. */
  readonly handlerTimeoutMs?: number;
  /** How long the edge waits for an answer, 100 to 30,000. Default: 15,000. */
  readonly deliveryTimeoutMs?: number;
  /** How long the edge tries a delivery before it is a dead letter there, which the next look drives again. Default: three days. */
  readonly retryForMs?: number;
  /** How far the time of a signature may be from this clock. Default: 300,000. */
  readonly toleranceMs?: number;
  /** Origins that may deliver, as the edge names itself; `*` for any. Default: the endpoint's host. */
  readonly origins?: readonly string[];
  /** How often it is looked for what was missed. Default: 60,000. */
  readonly auditMs?: number;
  /** Events at the edge that stay in the log. Default: all: trim it where nothing else is made of it. */
  readonly keepEvents?: number;
  readonly onGap?: (gap: Gap) => void;
  /** Records a span `handle {type}` for each attempt of a handler at an event whose trace is recorded. Default: nobody. */
  readonly tracer?: Tracer;
  /** Default: the host's. */
  readonly fetch?: Fetch;
  /** Default: the host's. */
  readonly ports?: Ports;
  /** SHA-256. Default: the host's. */
  readonly digest?: Digest;
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws MillraceError `query.invalid` */
export function checkOptions<Schemas extends EventSchemas>(options: EventServiceOptions<Schemas>): void {
  const { name, attempts, handlerTimeoutMs, toleranceMs, auditMs } = options;
  if (!NAME.test(name))
    throw invalidOption('name', name, 'must be 1 to 64 letters, digits, dashes or underscores');
  checkNumber('attempts', attempts, 1, 'whole');
  checkNumber('handlerTimeoutMs', handlerTimeoutMs, 1);
  checkNumber('toleranceMs', toleranceMs, 0);
  checkNumber('auditMs', auditMs, 1);
}
