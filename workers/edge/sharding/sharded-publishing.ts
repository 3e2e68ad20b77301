/**
 * Publishing over several shards: as many commits as the events have shards. All is checked on all of them before it is
 * stored on any, and what is cut off between is complete when it comes again. Only where two requests bring the same id
 * at the same moment may one be refused that has stored a part.
 *
 * A request that says it may come again has a home, by the hash of its key. What it is to come to is put down there
 * before anything is stored, and looked for in the homes of epochs that have ended since the key was good: so a repeat
 * gives its events the ids and times that they had, wherever it was cut off, also where shards were raised in between.
 */
import { makeEvent } from '../../../src/event/event.ts';
import { decodeLine, encodeLine } from '../../../src/event/wire.ts';
import { IDEMPOTENCY_MS, type IdempotentRequest, type Recalled } from '../idempotency.ts';
import { packed, unpacked, type KeptOutcome } from '../kept-outcome.ts';
import {
  unwrap,
  type KnownLine,
  type Published,
  type PublishOutcome,
  type PublishRequest,
} from '../shard-calls.ts';
import { broughtLines, conflictsIn, knownLines, type Brought } from './known-lines.ts';
import { indexOf, partitionOf } from './partition.ts';
import { openEpoch, type ShardMap } from './shard-map.ts';
import { allSettled, type ShardSet } from './shard-set.ts';

export interface ShardedPublishing {
  readonly shards: ShardSet;
  readonly map: ShardMap;
  readonly request: PublishRequest;
  /** What earlier attempts of this very call have stored, by the lines' indexes. It grows. */
  readonly stored: Map<number, Published>;
  readonly now: number;
}

/** Clocks of two machines differ. */
const CLOCKS_MS = 3_600_000;

/** @throws MillraceError as a shard does; `shard.sealed` where the map is old: then again with the new one */
export async function publishOver(given: ShardedPublishing): Promise<PublishOutcome> {
  const { request, shards, map } = given;
  if (request.idempotent !== undefined) return publishOnce(given, request.idempotent);
  const brought = broughtLines(request.lines, request.untimed);
  return store(given, brought, await knownLines(shards, map, brought));
}

async function publishOnce(
  given: ShardedPublishing,
  idempotent: IdempotentRequest,
): Promise<PublishOutcome> {
  const { request, shards, map } = given;
  const recalled = await recall(given, idempotent);
  const told = toldBefore(recalled);
  if (told !== undefined) return told;
  const asked = 'outcome' in recalled ? asBegun(request, recalled.outcome) : request;
  const brought = broughtLines(asked.lines, asked.untimed);
  // What is refused has not begun: another request may have its key.
  const known = await knownLines(shards, map, brought, { open: 'always' });
  const conflicts = conflictsIn(known);
  if (conflicts.length > 0 && !request.partial) return { conflicts };
  const expected = 'outcome' in recalled ? recalled.outcome : expectedOf(brought, known);
  const home = homeOf(given, idempotent);
  const begun = unwrap(await home.beginRequest(idempotent, expected));
  const toldNow = toldBefore(begun);
  if (toldNow !== undefined) return toldNow;
  const outcome =
    'outcome' in begun && begun.outcome !== expected
      ? await storeBegun(given, begun.outcome)
      : await store(given, brought, known);
  if (!('published' in outcome)) return outcome;
  // What was stored by an attempt that was cut off is known again, and was published by this request all the same.
  const settled = 'outcome' in recalled ? recalled : begun;
  const published =
    'outcome' in settled ? asExpected(outcome.published, settled.outcome) : outcome.published;
  unwrap(await home.endRequest(idempotent, published.map(packed)));
  return { published };
}

async function storeBegun(given: ShardedPublishing, begun: KeptOutcome): Promise<PublishOutcome> {
  const { lines, untimed } = asBegun(given.request, begun);
  const brought = broughtLines(lines, untimed);
  return store(given, brought, await knownLines(given.shards, given.map, brought));
}

/** At its home, in the open epoch and in those that a key could be of: there is one that knows, at most. */
async function recall(
  { shards, map, now }: ShardedPublishing,
  idempotent: IdempotentRequest,
): Promise<Recalled<KeptOutcome>> {
  const since = now - IDEMPOTENCY_MS - CLOCKS_MS;
  const asked = map.epochs
    .filter(({ sealedAt = Infinity }) => sealedAt > since)
    .map(async (epoch) => {
      const home = shards.at(epoch, indexOf(idempotent.key, epoch.shards));
      return unwrap(await home.recallRequest(idempotent, { open: !epoch.sealed }));
    });
  const answers = (await allSettled(asked)).toReversed();
  // What was cut off in one epoch may have been done in the next.
  return answers.find(({ state }) => state !== 'new') ?? { state: 'new' };
}

function homeOf({ shards, map }: ShardedPublishing, { key }: IdempotentRequest) {
  const epoch = openEpoch(map);
  return shards.at(epoch, indexOf(key, epoch.shards));
}

function toldBefore(recalled: Recalled<KeptOutcome>): PublishOutcome | undefined {
  if (recalled.state === 'other') return { reused: true };
  if (recalled.state !== 'known') return undefined;
  return { published: recalled.outcome.map(unpacked), replayed: true };
}

/** The request with the ids and times that its events were given when it began. */
function asBegun(request: PublishRequest, begun: KeptOutcome): PublishRequest {
  const lines = request.lines.map((line, index) => {
    const [id, timestamp] = begun[index] ?? [];
    if (id === undefined || timestamp === undefined) return line;
    const event = decodeLine(line);
    if (event.id === id && event.timestamp === timestamp) return line;
    return encodeLine(makeEvent({ ...event, id, timestamp }));
  });
  return { ...request, lines };
}

function expectedOf({ events }: Brought, known: readonly (KnownLine | null)[]): KeptOutcome {
  return events.map(({ id, timestamp }, index) => {
    const one = known[index];
    if (one?.same === false) return null;
    return [id, one?.timestamp ?? timestamp, one?.same === true];
  });
}

function asExpected(
  published: readonly (Published | null)[],
  expected: KeptOutcome,
): readonly (Published | null)[] {
  return published.map((one, index) => {
    const duplicate = expected[index]?.[2];
    return one === null || duplicate === undefined ? one : { ...one, duplicate };
  });
}

/** All of them, or with `partial` all but those whose ids are known with other content. */
async function store(
  given: ShardedPublishing,
  brought: Brought,
  known: readonly (KnownLine | null)[],
): Promise<PublishOutcome> {
  const { request, map, stored } = given;
  const conflicts = conflictsIn(known).filter((index) => !stored.has(index));
  if (conflicts.length > 0 && !request.partial) return { conflicts };
  const { events } = brought;
  const { shards: count } = openEpoch(map);
  const parts = Map.groupBy(
    [...events.keys()].filter((index) => known[index] === null && !stored.has(index)),
    (index) => partitionOf(events[index]!, count),
  );
  const refused = await allSettled(
    [...parts].map(([shard, indexes]) => storePart(given, brought, { shard, indexes })),
  );
  const late = refused.flat();
  if (late.length > 0) return { conflicts: late.toSorted((a, b) => a - b) };
  const published = events.map(({ id }, index): Published | null => {
    const one = known[index];
    return stored.get(index) ?? (one?.same ? { id, timestamp: one.timestamp, duplicate: true } : null);
  });
  return { published };
}

/** Gives the indexes of those that the shard refuses. */
async function storePart(
  { request: { partial }, shards, map, stored }: ShardedPublishing,
  { lines, untimed }: Brought,
  { shard, indexes }: { readonly shard: number; readonly indexes: readonly number[] },
): Promise<readonly number[]> {
  const part: PublishRequest = {
    lines: indexes.map((index) => lines[index]!),
    untimed: indexes.flatMap((index, at) => (untimed.has(index) ? [at] : [])),
    ...(partial && { partial }),
  };
  const outcome = unwrap(await shards.at(openEpoch(map), shard).publish(part));
  if ('conflicts' in outcome) return outcome.conflicts.map((at) => indexes[at]!);
  if ('published' in outcome)
    for (const [at, one] of outcome.published.entries()) if (one !== null) stored.set(indexes[at]!, one);
  return [];
}
