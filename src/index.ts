/** Millrace: an event kernel for the browser and the edge. The only barrel. */
export * from './errors.ts';
export {
  hostClock,
  hostDigest,
  hostFetch,
  hostPorts,
  type Digest,
  type Fetch,
  type Ports,
  type Undo,
} from './ports.ts';
export type { Event } from './event/event.ts';
export { eventLimits, makeEvent } from './event/event.ts';
export { isPriority, Priority } from './event/priority.ts';
export { createIds, isUuidV7, timeOfUuidV7, type IdSource } from './event/ids.ts';
export * from './event/catalogue.ts';
export * from './event/factory.ts';
export type * from './event/standard-schema.ts';
export { formatTimestamp, parseTimestamp } from './event/timestamp.ts';
export {
  cloudEventTypes,
  fromCloudEvent,
  fromCloudEventHeaders,
  toCloudEvent,
  toCloudEventHeaders,
  type CloudEvent,
} from './event/cloud-events.ts';
export { decodeLine, encodeLine, fromWire, toWire, type WireEvent } from './event/wire.ts';
export {
  causedBy,
  continueTrace,
  formatTraceparent,
  parseTraceparent,
  startTrace,
  type CauseOptions,
  type StartTraceOptions,
  type TraceContext,
} from './event/trace-context.ts';
export {
  eventAttributes,
  inSpan,
  isTraced,
  traceMiddleware,
  type Attributes,
  type Span,
  type SpanKind,
  type SpanOptions,
  type Tracer,
} from './monitor/tracing.ts';
export { OtlpTracer, type OtlpStatus, type OtlpTracerOptions } from './monitor/otlp.ts';
export {
  openTelemetryTracer,
  type OpenTelemetryApi,
  type OpenTelemetryOptions,
} from './monitor/tracing-open-telemetry.ts';
export {
  trace,
  traceLimits,
  type Trace,
  type TraceClient,
  type TracedEvent,
  type TraceLog,
  type TraceNode,
  type TraceOf,
  type TraceOptions,
  type TraceSource,
} from './monitor/trace.ts';
export { Monitor, type MonitorOptions } from './monitor/monitor.ts';
export {
  MetricRegistry,
  type Counter,
  type Gauge,
  type Labelled,
  type MetricSource,
} from './monitor/registry.ts';
export type {
  HistogramValue,
  MetricFamily,
  MetricLabels,
  MetricSample,
  MetricType,
} from './monitor/metric.ts';
export {
  callBuckets,
  Histogram,
  quantileOf,
  requestBuckets,
  sizeBuckets,
  type BucketOptions,
} from './monitor/histogram.ts';
export { mergeFamilies, MetricBuilder, metricLimits, withLabels } from './monitor/metric-builder.ts';
export {
  chooseFormat,
  formatOpenMetrics,
  formatPrometheus,
  OPEN_METRICS_TYPE,
  PROMETHEUS_TYPE,
  type MetricFormat,
} from './monitor/exposition.ts';
export {
  metricEvents,
  METRICS_REPORTED,
  reportMetrics,
  type MetricsReported,
  type ReportMetricsOptions,
} from './monitor/metric-events.ts';
export { samplingLimits } from './monitor/call-times.ts';
export type {
  WatchedBus,
  WatchedDeadLetters,
  WatchedRouter,
  WatchedTopics,
} from './monitor/bus-metrics.ts';
export type { WatchedConsumer, WatchedSync, WatchedWindows } from './monitor/log-metrics.ts';
export {
  createLogger,
  describeError,
  logLevels,
  type Log,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
} from './monitor/logger.ts';
export { replayOf, type ReplayMark } from './event/replay-mark.ts';
export { replay } from './monitor/replay.ts';
export type { ReplayOptions, ReplayOutcome, ReplayProgress } from './monitor/replay-options.ts';
export type { ReplaySpeed } from './monitor/replay-pace.ts';
export type { ReplayClient, ReplayQuery, ReplaySource } from './monitor/replay-source.ts';
export type {
  ReplayBus,
  ReplayHandler,
  ReplayProjection,
  ReplayTarget,
  ReplayTopics,
} from './monitor/replay-target.ts';
export {
  profile,
  startProfile,
  type Profile,
  type Profiled,
  type ProfileEntry,
  type ProfileOptions,
  type RunningProfile,
  type StretchOptions,
} from './monitor/profile.ts';
export type { CallAbout, CallProbe } from './bus/call-probe.ts';
export type { CallObserver } from './bus/sampling.ts';
export type { HandlerCounts } from './bus/dispatch.ts';
export type { RouterStats, RuleCounts } from './routing/route-counts.ts';
export * from './storage/storage.ts';
export { StoredEvent } from './storage/stored-event.ts';
export { formatCursor, parseCursor } from './storage/cursor.ts';
export { openMemory, type MemoryOptions } from './storage/memory.ts';
export {
  openSqlite,
  type ArchivedStats,
  type ArchiveOptions,
  type ArchiveStep,
  type SegmentArchive,
  type SqlDatabase,
  type SqliteArchive,
  type SqliteOptions,
  type SqliteStorage,
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
export type { Count } from './windows/count.ts';
export type {
  Accumulator,
  Aggregation,
  EventBatch,
  NumberInput,
  StateTable,
} from './windows/aggregation.ts';
export { aggregate, mapResult, type Aggregated, type Parts } from './windows/aggregations/aggregate.ts';
export { avg } from './windows/aggregations/average.ts';
export {
  collect,
  type Collected,
  type CollectOptions,
  type CollectState,
} from './windows/aggregations/collect.ts';
export { count } from './windows/aggregations/count.ts';
export { distinct, type DistinctOptions, type DistinctState } from './windows/aggregations/distinct.ts';
export type { ExactState } from './windows/aggregations/exact.ts';
export { max, min } from './windows/aggregations/extremes.ts';
export type { Field } from './windows/aggregations/field.ts';
export { first, last, type Placed } from './windows/aggregations/first-last.ts';
export type { States } from './windows/aggregations/list.ts';
export { operationOn, type Operation, type OperationResult } from './windows/aggregations/operation.ts';
export {
  quantiles,
  type Quantiles,
  type QuantilesOptions,
  type QuantilesState,
} from './windows/aggregations/quantiles.ts';
export { sum } from './windows/aggregations/sum.ts';
export { topK, type TopK, type TopKOptions, type TopKState } from './windows/aggregations/top-k.ts';
export { stream } from './windows/streams/stream.ts';
export type {
  EventFlow,
  JoinedFlow,
  KeyedFlow,
  KeyField,
  KeyOf,
  ResultFlow,
  StreamWindowOptions,
  WindowedFlow,
} from './windows/streams/stream.ts';
export type { StreamOptions } from './windows/streams/stream-plan.ts';
export type { CatchUpStreamOptions, StreamRun } from './windows/streams/stream-run.ts';
export type { StreamLate, StreamResult } from './windows/streams/stream-result.ts';
export {
  fromBus,
  fromStore,
  fromTopic,
  type LiveSource,
  type StoreSource,
  type StoreSourceOptions,
  type StreamSource,
} from './windows/streams/sources.ts';
export {
  documentKey,
  toBus,
  toDocuments,
  toHandler,
  toLog,
  toStorage,
  toTopic,
  type DocumentsOptions,
  type HandlerOutputOptions,
  type Made,
  type OutputOptions,
  type ResultEvent,
  type StreamOutput,
} from './windows/streams/outputs.ts';
export type { Total } from './windows/streams/total.ts';
export type { Joined, JoinedPair, JoinOptions } from './windows/streams/join.ts';
export {
  funnelProgress,
  funnelTotal,
  type FunnelCounts,
  type FunnelOptions,
  type FunnelProgress,
  type FunnelStep,
} from './windows/streams/funnel.ts';
export { visits, type Visit, type VisitOptions } from './windows/streams/visits.ts';
export {
  createAggregationProcessor,
  StreamProcessor,
  type Processor,
  type StreamProcessorOptions,
} from './windows/streams/stream-processor.ts';
export { eventsPerMinute } from './windows/events-per-minute.ts';
export {
  countWindow,
  days,
  globalWindow,
  hopping,
  session,
  tumbling,
  type CountWindowKind,
  type DayWindowKind,
  type GlobalWindowKind,
  type HoppingWindowKind,
  type SessionWindowKind,
  type TumblingWindowKind,
  type WindowKind,
  type WindowOffset,
} from './windows/windows.ts';
export type { Window } from './windows/tumbling.ts';
export type { Trigger } from './windows/trigger.ts';
export type { WatermarkOptions } from './windows/watermark.ts';
export type { StreamWindow, WindowOperatorOptions } from './windows/operator-options.ts';
export { WindowOperator, type Finished, type WindowCheckpoint } from './windows/window-operator.ts';
export {
  WindowedLog,
  type HandedOn,
  type WindowedCatchUpOptions,
  type WindowedLogOptions,
} from './windows/windowed-log.ts';
export type * from './windows/window-update.ts';
export { Pusher, type PusherOptions, type PushState, type PushStatus } from './sync/pusher.ts';
export { pullInto } from './sync/puller.ts';
export { checkLink, extendChain, linkOf, type ChainHead } from './sync/chain.ts';
export { httpPushTransport, httpTransport } from './sync/http-transport.ts';
export type { PullTransport, PushTransport, SyncTransport } from './sync/transport.ts';
export { syncDeadLetters, type SyncDeadLettersOptions } from './sync/dead-letters.ts';
export { readProgress, type SyncProgress } from './sync/progress.ts';
export {
  deadLetter,
  deadLetterToWire,
  eventOf,
  type DeadLetter,
  type DeadLetterPart,
  type DeadLetterPlace,
  type Failed,
  type WireDeadLetter,
} from './storage/dead-letters/dead-letter.ts';
export {
  HostDeadLetters,
  type DeadLetterListOptions,
  type DeadLetters,
  type DeadLetterStore,
  type Redriven,
  type RedriveOptions,
  type Redriver,
  type Retried,
} from './storage/dead-letters/dead-letters.ts';
export { letterId } from './storage/dead-letters/letter-id.ts';
export {
  MemoryDeadLetters,
  type MemoryDeadLettersOptions,
} from './storage/dead-letters/memory-dead-letters.ts';
export { StoredDeadLetters } from './storage/dead-letters/stored-dead-letters.ts';
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
export { SUBJECT_ERASED } from './storage/event-store/erasure.ts';
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
export type { ErasedDocument, Projection } from './sourcing/projection.ts';
export { inlineProjection } from './sourcing/inline-projection.ts';
export { Projector, type ProjectorOptions, type ProjectorStatus } from './sourcing/projector.ts';
export {
  Reactor,
  type DeadCommand,
  type Delivery,
  type Reaction,
  type Reactions,
} from './sourcing/reactor.ts';
export { EventBus, type BusStats, type EventBusOptions, type WaitOptions } from './bus/event-bus.ts';
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
  type PubSubStats,
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
export type { Explanation, FailedCondition } from './routing/explain.ts';
export { EventFilter } from './routing/event-filter.ts';
export { compileCondition, type Condition, type EventPredicate } from './routing/condition.ts';
export * as filters from './routing/ready-filters.ts';
export * from './routing/pattern.ts';
