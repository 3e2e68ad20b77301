/** How a shard takes events in: published by anybody, or pushed by a producer in its sequence. One commit each. */
import { hasCode, MillraceError, type WireError } from '../../src/errors.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { sameContent } from '../../src/storage/same-content.ts';
import type { Commit, CommitResult, ProducerHead, Storage } from '../../src/storage/storage.ts';
import { extendChain } from '../../src/sync/chain.ts';
import { readCheckedLine } from './checked-line.ts';
import type { CommitLog } from './commit-log.ts';
import {
  chainEntry,
  chainOf,
  forgetProducer,
  positionNotes,
  PRODUCER_PREFIX,
  skewEntry,
  stateProducer,
  type ProducerStatement,
} from './producers.ts';
import type { Conflicts, KnownLine, Published, PushOutcome, ShardPush } from './shard-calls.ts';

/**
 * Stores all of the events, or none. `untimed` are the indexes of those whose time the edge has set for want of one:
 * where their id is known, they are that event again, with its time. `putFor` is asked what to put in the same commit,
 * and told the outcome as it is if nothing was known before.
 */
export async function publish(
  storage: Storage,
  lines: readonly string[],
  untimed: readonly number[],
  putFor: (expected: readonly Published[]) => Promise<Commit['put']> = async () => [],
): Promise<{ readonly published: readonly Published[] } | Conflicts> {
  const decoded = lines.map(readCheckedLine);
  const events = untimed.length === 0 ? decoded : await settleTimes(storage, decoded, new Set(untimed));
  const expected = events.map(({ id, timestamp }) => ({ id, timestamp, duplicate: false }));
  const [result] = await storage.commit([{ events, put: await putFor(expected) }]);
  if (result?.ok) return { published: outcomes(events, result) };
  if (hasCode(result?.error, 'event.conflict'))
    return { conflicts: await findConflicts(storage, events) };
  throw result!.error;
}

/** @throws MillraceError `producer.gap`, `producer.fenced`, `producer.diverged`, `chain.broken` */
export async function push(storage: CommitLog, given: ShardPush): Promise<PushOutcome> {
  const { producer, epoch, seq, count } = given;
  const events = given.lines.map(readCheckedLine);
  const range = { id: PRODUCER_PREFIX + producer, epoch, seq, count };
  const head = await storage.producer(range.id);
  if (given.adopts !== undefined && head === undefined) {
    if (given.adopts === 'ask') return { adopt: true };
    await adopt(storage, producer, given.adopts);
    const { adopts: _, ...known } = given;
    return push(storage, known);
  }
  const { seqs } = given;
  if (seqs !== undefined && head !== undefined && seq <= head.seq && head.seq < seq + count - 1)
    return pushRest(storage, { ...given, seqs }, head);
  const fenced = epoch < (head?.epoch ?? 0);
  // Changed only with the sequence: a push that overtakes this one here leaves it no next, and nothing is put.
  const chain = fenced ? undefined : extendChain(await chainOf(storage, producer), given);
  const put = [
    ...(chain === undefined ? [] : [chainEntry(producer, chain)]),
    ...(given.skewMs === undefined ? [] : [skewEntry(producer, given.skewMs)]),
  ];
  const result = await storage.commitNoted({ events, producer: range, put }, (positions) =>
    positionNotes(producer, positions),
  );
  if (result.ok) {
    const { duplicates, repeated } = result;
    const now = await stateProducer(storage, producer);
    if (now.forgotten) await forgetProducer(storage, producer);
    const head = { epoch: now.epoch, seq: now.seq };
    return { ...head, duplicates, repeated, ...(now.chain && { chain: now.chain.value }) };
  }
  if (hasCode(result.error, 'event.conflict'))
    return { conflicts: await findConflicts(storage, events) };
  throw named(result.error, producer);
}

/** Goes on where the epoch before has ended, for this producer. */
async function adopt(storage: CommitLog, producer: string, stated: ProducerStatement): Promise<void> {
  const { epoch, seq, chain } = stated;
  const range = {
    id: PRODUCER_PREFIX + producer,
    epoch: Math.max(1, epoch),
    seq: 1,
    count: Math.max(1, seq),
  };
  const put = chain === undefined ? [] : [chainEntry(producer, chain)];
  // Of two that adopt together the second changes nothing.
  if (seq > 0) await storage.commit([{ events: [], producer: range, put }]);
}

/** The first part was stored before, from another push: it is known again, and what follows is stored. */
async function pushRest(
  storage: CommitLog,
  given: ShardPush & { readonly seqs: readonly number[] },
  head: ProducerHead,
): Promise<PushOutcome> {
  const { seqs, lines, seq, count } = given;
  const end = head.seq + 1;
  const part = (holds: (at: number) => boolean) => ({
    lines: lines.filter((_, i) => holds(seqs[i]!)),
    seqs: seqs.filter(holds),
  });
  const covered = { ...given, ...part((at) => at < end), epoch: head.epoch, count: end - seq };
  const first = await push(storage, covered);
  if (!('seq' in first)) return first;
  const rest = { ...given, ...part((at) => at >= end), seq: end, count: seq + count - end };
  const second = await push(storage, rest);
  if (!('conflicts' in second)) return second;
  return { conflicts: second.conflicts.map((at) => at + covered.lines.length) };
}

export interface ComparedLines {
  readonly lines: readonly string[];
  readonly untimed: readonly number[];
  readonly open: boolean;
}

/** Of each line what is known of its id, or null. */
export async function compareLines(
  storage: Storage,
  { lines, untimed, open }: ComparedLines,
): Promise<readonly (KnownLine | null)[]> {
  const late = new Set(untimed);
  const known: (KnownLine | null)[] = [];
  for (const [i, line] of lines.entries()) {
    const event = readCheckedLine(line);
    const stored = await findEvent(storage, event.id);
    const timestamp = stored?.timestamp ?? 0;
    const asked = late.has(i) ? makeEvent({ ...event, timestamp }) : event;
    known.push(stored === undefined ? null : { same: sameContent(stored, asked), timestamp, open });
  }
  return known;
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
