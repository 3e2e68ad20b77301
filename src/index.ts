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
