/** Millrace: an event kernel for the browser and the edge. The only barrel. */
export * from './errors.ts';
export { hostFetch, hostPorts, type Fetch, type Ports, type Undo } from './ports.ts';
export type { Event } from './event/event.ts';
export { eventLimits, makeEvent } from './event/event.ts';
export { isPriority, Priority } from './event/priority.ts';
export { createIds, isUuidV7, timeOfUuidV7, type IdSource } from './event/ids.ts';
export * from './event/catalogue.ts';
export * from './event/factory.ts';
export type * from './event/standard-schema.ts';
export { formatTimestamp, parseTimestamp } from './event/timestamp.ts';
export { decodeLine, encodeLine, fromWire, toWire, type WireEvent } from './event/wire.ts';
export * from './storage/storage.ts';
export { StoredEvent } from './storage/stored-event.ts';
export { formatCursor, parseCursor } from './storage/cursor.ts';
export { openMemory, type MemoryOptions } from './storage/memory.ts';
export {
  openSqlite,
  type SqlDatabase,
  type SqliteOptions,
  type SqlRow,
  type SqlValue,
} from './storage/sqlite.ts';
export {
  WindowedView,
  type CatchUpOptions,
  type WindowDefinition,
  type WindowPage,
  type WindowPageOptions,
  type WindowRange,
  type WindowResult,
} from './windows/windowed-view.ts';
export { count, type Count } from './windows/count.ts';
export type { Aggregation } from './windows/aggregation.ts';
export { eventsPerMinute } from './windows/events-per-minute.ts';
export { Pusher, type PusherOptions, type PushState, type PushStatus } from './sync/pusher.ts';
export { pullInto } from './sync/puller.ts';
export { httpTransport } from './sync/http-transport.ts';
export type { SyncTransport } from './sync/transport.ts';
export { listDeadLetters, type DeadLetter, type DeadLetterOptions } from './sync/dead-letter.ts';
export { readProgress, type SyncProgress } from './sync/progress.ts';
export { groupCommits } from './storage/group-commit.ts';
export { remoteStorage, serveStorage, type RemoteStorage } from './storage/remote.ts';
export {
  EventStore,
  type AppendOptions,
  type DataCheck,
  type EventsQuery,
  type EventStoreOptions,
  type LatestOptions,
  type SinceOptions,
} from './storage/event-store/event-store.ts';
export type { Appended } from './storage/event-store/appended.ts';
export { follow, type FollowOptions } from './storage/event-store/follow.ts';
export {
  checkpointOf,
  Consumer,
  type ConsumeOptions,
  type ConsumerDefinition,
  type ConsumerOptions,
  type ConsumerStatus,
  type Pause,
  type Produced,
} from './storage/event-store/consumer.ts';
export { runConsumers, type CatchesUp, type RunOptions } from './storage/event-store/run-consumers.ts';
export {
  retain,
  type Retained,
  type RetentionOptions,
  type RetentionPolicy,
} from './storage/event-store/retention.ts';
export { typeOfVersion, Upcasters, type Upcaster } from './storage/event-store/upcasters.ts';
export {
  isErased,
  PersonalData,
  type PersonalDataOptions,
} from './storage/event-store/personal-data.ts';
export { webCryptoCipher, type Cipher, type Subtle } from './storage/event-store/cipher.ts';
export type { InlineFold } from './storage/event-store/inline.ts';
export { type Decider, type Draft, type DraftOf } from './sourcing/decider.ts';
export {
  Aggregate,
  type AggregateDefinition,
  type Folded,
  type SnapshotOptions,
} from './sourcing/aggregate.ts';
export {
  Repository,
  type ExecuteOptions,
  type RepositoryOptions,
  type SaveOptions,
} from './sourcing/repository.ts';
export { EventSourcing } from './sourcing/event-sourcing.ts';
export type { Projection } from './sourcing/projection.ts';
export { inlineProjection } from './sourcing/inline-projection.ts';
export { Projector, type ProjectorOptions, type ProjectorStatus } from './sourcing/projector.ts';
export {
  Reactor,
  type DeadCommand,
  type Delivery,
  type Reaction,
  type Reactions,
} from './sourcing/reactor.ts';
export { EventBus, type EventBusOptions, type WaitOptions } from './bus/event-bus.ts';
export type {
  Attempt,
  EventHandler,
  Handler,
  HandlerFunction,
  HandlerOutcome,
} from './bus/event-handler.ts';
export type { SubscribeOptions } from './bus/subscriber.ts';
export type { Subscription } from './bus/subscriptions.ts';
export type { DeliveryOptions } from './bus/delivery.ts';
export type { RetryOptions } from './bus/retry.ts';
export type { PublishReport } from './bus/dispatch.ts';
export type { Middleware, Next } from './bus/middleware.ts';
export type { ErrorSink, HandlerFailure } from './bus/failures.ts';
export {
  DeadLetterList,
  type DeadLetterListOptions,
  type DeadLetterSink,
  type HandlerDeadLetter,
} from './bus/dead-letters.ts';
export type { EventStream, EventStreamOptions } from './bus/event-stream.ts';
export type { OverflowPolicy } from './bus/bounded-queue.ts';
export type {
  BusEvent,
  CatalogueEntry,
  SelectedEvent,
  TypePattern,
  TypeSelector,
} from './bus/selector.ts';
export {
  PubSub,
  type PubSubOptions,
  type StopOptions,
  type StopReport,
  type TopicReport,
  type TopicSubscription,
} from './bus/pub-sub.ts';
export type { SubscriberCounts, TopicSubscribeOptions } from './bus/topic-subscriber.ts';
export { topicMatches } from './bus/topic-pattern.ts';
export {
  EventRouter,
  type DispatchOptions,
  type DispatchReport,
  type EventRouterOptions,
  type RoutingWarning,
  type SavedRules,
} from './routing/event-router.ts';
export type { RoutingRule } from './routing/routing-rule.ts';
export type {
  DispatchContext,
  Target,
  TargetFunction,
  TargetHandler,
  TargetSink,
  TopicPublisher,
} from './routing/target.ts';
export type { RouteDelivery } from './routing/delivery.ts';
export type { RoutingDeadLetter, RoutingDeadLetters } from './routing/dead-letters.ts';
export type { Explanation, FailedCondition } from './routing/explain.ts';
export { EventFilter } from './routing/event-filter.ts';
export { compileCondition, type Condition, type EventPredicate } from './routing/condition.ts';
export * as filters from './routing/ready-filters.ts';
export * from './routing/pattern.ts';
