/** What a bus, its topics and a router say of themselves, as metrics. */
import type { EventBus } from '../bus/event-bus.ts';
import type { PubSub } from '../bus/pub-sub.ts';
import type { EventRouter } from '../routing/event-router.ts';
import type { DeadLetters } from '../storage/dead-letters/dead-letters.ts';
import { MetricBuilder, OTHER } from './metric-builder.ts';
import type { MetricFamily } from './metric.ts';

/** Any host's dead letters. */
export type WatchedDeadLetters = Pick<DeadLetters, 'count' | 'shed'>;
export type WatchedBus = Pick<EventBus, 'stats' | 'observe' | 'deadLetters'>;
export type WatchedTopics = Pick<PubSub, 'stats' | 'observe' | 'deadLetters'>;
export type WatchedRouter = Pick<EventRouter, 'stats' | 'observe' | 'deadLetters'>;

const RECEIVED = 'Events that were brought to the handler.';
const FAILED = 'Events that the handler was given up on.';

/** A handler that is subscribed no more has no series any more. */
export function busMetrics(bus: string, watched: WatchedBus): readonly MetricFamily[] {
  const { types, handlers, dropped, failed, waiting } = watched.stats();
  const builder = new MetricBuilder();
  for (const { type = OTHER, events } of types)
    builder.counter(
      'millrace_bus_events_total',
      'Events that came to the handlers of their type.',
      events,
      {
        bus,
        type,
      },
    );
  const ends = 'Events that a middleware did not pass on, or failed on.';
  builder
    .counter('millrace_bus_withheld_events_total', ends, dropped, { bus, reason: 'dropped' })
    .counter('millrace_bus_withheld_events_total', ends, failed, { bus, reason: 'failed' })
    .gauge('millrace_bus_waiting_events', 'Events that wait for their turn.', waiting, { bus });
  for (const { name: handler, received, skipped, failed, retried } of handlers) {
    const labels = { bus, handler };
    builder
      .counter('millrace_handler_received_total', RECEIVED, received, labels)
      .counter('millrace_handler_skipped_total', 'Events that it was not to handle.', skipped, labels)
      .counter('millrace_handler_failed_total', FAILED, failed, labels)
      .counter('millrace_handler_retries_total', 'Attempts beyond the first.', retried, labels);
  }
  return builder.families();
}

export function topicMetrics(bus: string, watched: WatchedTopics): readonly MetricFamily[] {
  const { events, subscribers } = watched.stats();
  const builder = new MetricBuilder();
  builder.counter('millrace_topic_events_total', 'Events that were published to topics.', events, {
    bus,
  });
  for (const { name: handler, queueLength, busy, counts } of subscribers) {
    const labels = { bus, handler };
    const shed = 'Events that a queue has shed.';
    builder
      .counter('millrace_handler_received_total', RECEIVED, counts.received, labels)
      .counter('millrace_handler_failed_total', FAILED, counts.failed, labels)
      .counter('millrace_queue_dropped_total', shed, counts.dropped, labels)
      .gauge('millrace_queue_length', 'Events that wait for the handler.', queueLength, labels)
      .gauge('millrace_handler_busy', 'Events that it is busy with.', busy, labels);
  }
  return builder.families();
}

export function routerMetrics(router: string, watched: WatchedRouter): readonly MetricFamily[] {
  const { events, unmatched, rules } = watched.stats();
  const builder = new MetricBuilder();
  builder
    .counter('millrace_router_events_total', 'Events that were dispatched.', events, { router })
    .counter('millrace_router_unmatched_total', 'Events that no rule matched.', unmatched, { router });
  for (const { rule, target, delivered, failed } of rules) {
    const labels = { router, rule, target };
    builder
      .counter('millrace_rule_delivered_total', 'Events that the target took.', delivered, labels)
      .counter('millrace_rule_failed_total', 'Events that the target did not take.', failed, labels);
  }
  return builder.families();
}

export async function deadLetterMetrics(
  of: string,
  letters: WatchedDeadLetters,
): Promise<readonly MetricFamily[]> {
  return new MetricBuilder()
    .gauge('millrace_dead_letters', 'Dead letters that are kept.', await letters.count(), { of })
    .counter('millrace_dead_letters_shed_total', 'Dead letters that were lost.', letters.shed, { of })
    .families();
}
