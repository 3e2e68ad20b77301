/** How a shard takes events in: published by anybody, or pushed by a producer in its sequence. One commit each. */
import { hasCode, MillraceError, type WireError } from '../../src/errors.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { sameContent } from '../../src/storage/same-content.ts';
import type { CommitResult, ProducerHead, Storage } from '../../src/storage/storage.ts';
import type { Published, PublishOutcome, PushOutcome, ShardPush } from './shard-calls.ts';

/** The storage's own consumers are producers too: those from outside have a name space of their own. */
const PRODUCER_PREFIX = 'client/';

/**
 * Stores all of the events, or none. `untimed` are the indexes of those whose time the edge has set for want of one:
 * where their id is known, they are that event again, with its time.
 */
export async function publish(
  storage: Storage,
  lines: readonly string[],
  untimed: readonly number[],
): Promise<PublishOutcome> {
  const decoded = lines.map((line) => decodeLine(line));
  const events = untimed.length === 0 ? decoded : await settleTimes(storage, decoded, new Set(untimed));
  const [result] = await storage.commit([{ events }]);
  if (result?.ok) return { published: outcomes(events, result) };
  if (hasCode(result?.error, 'event.conflict'))
    return { conflicts: await findConflicts(storage, events) };
  throw result!.error;
}

/** @throws MillraceError `producer.gap`, `producer.fenced`, `producer.diverged` */
export async function push(storage: Storage, given: ShardPush): Promise<PushOutcome> {
  const { producer, epoch, seq, count } = given;
  const events = given.lines.map((line) => decodeLine(line));
  const id = PRODUCER_PREFIX + producer;
  const [result] = await storage.commit([{ events, producer: { id, epoch, seq, count } }]);
  if (result?.ok) {
    const { duplicates, repeated } = result;
    return { ...(await producerHead(storage, producer)), duplicates, repeated };
  }
  if (hasCode(result?.error, 'event.conflict'))
    return { conflicts: await findConflicts(storage, events) };
  throw named(result!.error, producer);
}

/** Zeros for a producer that never wrote. */
export async function producerHead(storage: Storage, producer: string): Promise<ProducerHead> {
  return (await storage.producer(PRODUCER_PREFIX + producer)) ?? { epoch: 0, seq: 0 };
}

async function settleTimes(
  storage: Storage,
  events: readonly Event[],
  untimed: ReadonlySet<number>,
): Promise<Event[]> {
  const stated = new Map<string, number>();
  for (const [i, { id, timestamp }] of events.entries()) if (!untimed.has(i)) stated.set(id, timestamp);
  const settled: Event[] = [];
  for (const [i, event] of events.entries()) {
    const known = untimed.has(i)
      ? ((await timeOf(storage, event.id)) ?? stated.get(event.id))
      : undefined;
    settled.push(known === undefined ? event : makeEvent({ ...event, timestamp: known }));
  }
  return settled;
}

async function timeOf(storage: Storage, id: string): Promise<number | undefined> {
  return (await findEvent(storage, id))?.timestamp;
}

async function findEvent(storage: Storage, id: string): Promise<Event | undefined> {
  return (await storage.read({ id, limit: 1 })).events[0]?.event;
}

/** New events stand at the log's end, each once: whatever stands before them, or there again, was known. */
function outcomes(events: readonly Event[], result: CommitResult & { ok: true }): Published[] {
  const { positions, duplicates } = result;
  const last = positions.reduce((most, position) => Math.max(most, position), 0);
  let next = last - (events.length - duplicates) + 1;
  return events.map(({ id, timestamp }, i) => {
    const duplicate = positions[i] !== next;
    if (!duplicate) next++;
    return { id, timestamp, duplicate };
  });
}

async function findConflicts(storage: Storage, events: readonly Event[]): Promise<number[]> {
  const known = new Map<string, Event>();
  const conflicts: number[] = [];
  for (const [i, event] of events.entries()) {
    const first = known.get(event.id) ?? (await findEvent(storage, event.id)) ?? event;
    known.set(event.id, first);
    if (first !== event && !sameContent(first, event)) conflicts.push(i);
  }
  return conflicts;
}

/** The error as the producer knows itself. */
function named(error: MillraceError, producer: string): MillraceError {
  const { code, message, details } = error.toWire();
  const wire = {
    name: 'MillraceError',
    code,
    message: message.replace(PRODUCER_PREFIX + producer, producer),
    details: { ...details, producer },
  };
  return MillraceError.fromWire(wire as WireError);
}
