/** Where routed events go. Targets are known by their shape, so that handlers, buses and sinks of any make will do. */
import type { Event } from '../event/event.ts';
import type { RoutingRule } from './routing-rule.ts';

export interface DispatchContext {
  /** The rule by which the event comes. */
  readonly rule: RoutingRule;
  /** Aborted when the rule's time is over. */
  readonly signal: AbortSignal;
  /** How many dispatches led to this one: see `EventRouter.dispatch`. */
  readonly hops: number;
}

/** A promise that it returns is waited for; what it throws, or rejects with, makes a dead letter. */
export type Target = TargetFunction | TargetHandler | TargetSink;

export type TargetFunction = (event: Event, context: DispatchContext) => unknown;

/** As a bus's handler. */
export interface TargetHandler {
  handle(event: Event, context: DispatchContext): unknown;
}

/** As a stream's writer. */
export interface TargetSink {
  write(event: Event): unknown;
}

/** As a publish-subscribe has them: `topic:orders` as a rule's target publishes to `orders`. */
export interface TopicPublisher {
  publish(topic: string, event: Event): unknown;
}

export const TOPIC_PREFIX = 'topic:';

/** The target as a function; none where it is no target. */
export function targetFunction(target: Target): TargetFunction | undefined {
  if (typeof target === 'function') return target;
  if (typeof target !== 'object' || target === null) return undefined;
  if ('handle' in target && typeof target.handle === 'function')
    return (event, context) => target.handle(event, context);
  if ('write' in target && typeof target.write === 'function') return (event) => target.write(event);
  return undefined;
}
