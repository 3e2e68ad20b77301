/** Where a replay hands events on to. */
import { invalidOption } from '../bus/event-handler.ts';
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { ReplayMark } from '../event/replay-mark.ts';
import { formatCursor } from '../storage/cursor.ts';
import type { ConsumeOptions, ConsumerStatus, Pause } from '../storage/event-store/consumer.ts';
import type { ReplayOptions, ReplayOutcome } from './replay-options.ts';
import type { ReplayQuery } from './replay-source.ts';

/** As `EventBus` has it. */
export interface ReplayBus {
  publish(event: Event): unknown;
}

/** As `PubSub` publishes to topics. */
export interface ReplayTopics {
  readonly topics: { publish(topic: string, event: Event): unknown };
  /** Default: the event's type. */
  readonly topic?: string | ((event: Event) => string) | undefined;
}

/** A service's handler: what it throws, or rejects with, is the event's failure. */
export interface ReplayHandler {
  handle(event: Event, mark: ReplayMark): unknown;
}

/** As `Projector` has it. The query is the projection's own, and the old documents are read until the new ones are there. */
export interface ReplayProjection {
  rebuild(options?: ConsumeOptions): Promise<ProjectionStatus>;
  catchUp(options?: ConsumeOptions): Promise<ProjectionStatus>;
}

interface ProjectionStatus {
  readonly serving?: ConsumerStatus | undefined;
  readonly building: ConsumerStatus | undefined;
}

export type ReplayTarget =
  | ReplayBus
  | ReplayTopics
  | ReplayHandler
  | ReplayProjection
  | ((event: Event, mark: ReplayMark) => unknown);

type Taker = (event: Event, mark: ReplayMark) => Promise<unknown>;

/** @throws MillraceError `query.invalid` for what is no target */
export function takerOf(target: ReplayTarget): Taker {
  if (typeof target === 'function') return async (event, mark) => target(event, mark);
  if (typeof target === 'object' && target !== null) {
    if ('topics' in target) return async (event) => checkTopic(await publishTo(target, event));
    if ('publish' in target) return async (event) => checkReport(await target.publish(event));
    if ('handle' in target) return async (event, mark) => target.handle(event, mark);
  }
  const reason = 'must be a bus, { topics }, a handler, a function or a projector';
  throw invalidOption('target', target, reason);
}

function publishTo({ topics, topic }: ReplayTopics, event: Event): unknown {
  return topics.publish(typeof topic === 'function' ? topic(event) : (topic ?? event.type), event);
}

/** A bus says in its report what failed. */
function checkReport(report: unknown): void {
  const {
    failed = 0,
    status,
    error,
    outcomes = [],
  } = (report ?? {}) as {
    readonly failed?: number;
    readonly status?: string;
    readonly error?: unknown;
    readonly outcomes?: readonly { readonly status: string; readonly error?: unknown }[];
  };
  if (status === 'failed') throw error;
  if (failed > 0) throw outcomes.find((one) => one.status === 'failed')?.error;
}

function checkTopic(report: unknown): void {
  const { refused = 0, dropped = 0 } = (report ?? {}) as { refused?: number; dropped?: number };
  if (refused + dropped === 0) return;
  const details = { limit: 'queue', maximum: 0, actual: refused + dropped };
  throw new MillraceError(
    'limit.exceeded',
    `${refused + dropped} subscribers have no room for the event`,
    details,
  );
}

export function isRebuilt(target: ReplayTarget): target is ReplayProjection {
  return typeof target === 'object' && target !== null && 'rebuild' in target && 'catchUp' in target;
}

const STEP_EVENTS = 5_000;

/** Builds the projection anew, in steps, each of which is committed: one that is stopped goes on where it is. */
export async function rebuild(
  target: ReplayProjection,
  { source: _, ...selection }: ReplayQuery,
  { signal, onProgress, speed = 'max', after, until }: ReplayOptions,
): Promise<ReplayOutcome> {
  for (const [name, value] of Object.entries({ ...selection, after, until })) {
    if (value !== undefined)
      throw invalidOption(name, value, 'is not for a projection: it is folded anew of all its events');
  }
  if (speed !== 'max') throw invalidOption('speed', speed, 'must be max for a projection');
  let count = 0;
  let ended: ReplayOutcome['ended'] = 'stopped';
  let cursor: string | undefined;
  const failures: ReplayOutcome['failures'][number][] = [];
  const outcome = (): ReplayOutcome => ({
    ...{ count, failed: failures.length, unreadable: 0, ended, types: {}, failures, samples: [] },
    ...(cursor !== undefined && { cursor }),
  });
  let step = (given: ConsumeOptions): Promise<ProjectionStatus> => target.rebuild(given);
  while (!isAborted(signal)) {
    const status = await step({ limit: STEP_EVENTS, signal }).catch(unlessAborted(signal));
    if (status === undefined) break;
    step = (given) => target.catchUp(given);
    const { building = status.serving } = status;
    count = building?.position ?? count;
    if (building !== undefined) cursor = formatCursor(building.position);
    if (status.building === undefined) ended = 'all';
    const paused = status.building?.paused;
    if (paused !== undefined) failures.push(failureOf(paused));
    if (status.building === undefined || paused !== undefined) break;
    onProgress?.(outcome());
  }
  onProgress?.(outcome());
  return outcome();
}

function failureOf({ id, reason: message }: Pause): ReplayOutcome['failures'][number] {
  const details = { projection: '', id: id ?? '', reason: message };
  const reason = new MillraceError('projection.failed', message, details).toWire();
  return { ...(id !== undefined && { event: id }), reason };
}

function unlessAborted(signal: AbortSignal | undefined): (error: unknown) => undefined {
  return (error) => {
    if (!isAborted(signal)) throw error;
  };
}

/** Asked anew each time: it changes while others run. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
