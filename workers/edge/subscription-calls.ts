/** What the Worker asks of a subscription's object, and of the list of them. Errors cross as data: see `shard-calls.ts`. */
import type { Position } from '../../src/storage/position.ts';
import type { Change } from './delivery/control.ts';
import type { ReplayRange } from './delivery/feed.ts';
import type { HistoryOptions } from './delivery/history.ts';
import type { Settings } from './delivery/settings.ts';
import type { DeliveryView, SubscriptionView } from './delivery/view.ts';
import type { SubscriptionMetrics } from './metrics/subscription-metrics.ts';
import type { Reply } from './shard-calls.ts';

/** With the secret where there is a new one: it is shown this once. */
export interface Shown {
  readonly subscription: SubscriptionView;
  readonly secret?: string;
}

/** Why an event is, or is not, for a subscription, and what came of it there. */
export interface DeliveryExplanation {
  readonly subscription: string;
  readonly service_name: string;
  readonly matched: boolean;
  /** Where it did not match: what the event lacks. */
  readonly failed?: {
    readonly reason: string;
    readonly path?: string;
    readonly actual?: readonly unknown[];
  };
  /** Every delivery that carries it, with its attempts. None yet, where it matches and was not read so far. */
  readonly deliveries: readonly DeliveryView[];
}

/** The deliveries of one subscription that carry one of some events. */
export interface CarriedBy {
  readonly subscription: string;
  readonly service_name: string;
  readonly deliveries: readonly DeliveryView[];
}

export interface SubscriptionCalls {
  /** Reads each log after its position. Answers when the endpoint was asked for its consent once. */
  create(settings: Settings, starts: Readonly<Record<string, Position>>): Promise<Reply<Shown>>;
  describe(): Promise<Reply<SubscriptionView>>;
  change(change: Change): Promise<Reply<Shown>>;
  /** Ends it, with all that waits. Ending what is not there does nothing. */
  end(): Promise<Reply<null>>;
  deliveries(options: HistoryOptions): Promise<Reply<readonly DeliveryView[]>>;
  delivery(sequence: number): Promise<Reply<DeliveryView>>;
  redrive(
    sequences?: readonly number[],
  ): Promise<Reply<{ readonly redriven: number; readonly more: boolean }>>;
  drop(sequence: number): Promise<Reply<null>>;
  replay(ranges: readonly ReplayRange[]): Promise<Reply<readonly string[]>>;
  /** Of the event with this line. */
  explain(line: string): Promise<Reply<DeliveryExplanation>>;
  /** Of the events with these ids. */
  deliveriesOf(ids: readonly string[]): Promise<Reply<CarriedBy>>;
  metrics(): Promise<Reply<SubscriptionMetrics>>;
  /** There may be something new. May be lost. */
  hint(): Promise<void>;
}

export interface SubscriptionListCalls {
  /** To be called before the subscription is made: one that is not listed is never hinted at. */
  add(id: string): Promise<Reply<null>>;
  remove(id: string): Promise<void>;
  /** Ids, in the order of their making. */
  ids(): Promise<readonly string[]>;
  /** Passes the hint on to every subscription. */
  hint(): Promise<void>;
}
