/** Reads from the log what is to be pushed next. */
import { readPastDamage } from '../storage/past-damage.ts';
import type { Page, Position, Storage } from '../storage/storage.ts';
import { listDeadLetters } from './dead-letter.ts';
import type { ProducerIdentity } from './producer-state.ts';
import type { Push } from './protocol.ts';

export interface PushBounds {
  readonly events: number;
  /** Of the lines, in characters: in UTF-8 they may be three times as long. */
  readonly characters: number;
}

export interface Outgoing {
  readonly push: Push;
  /** The position of each line. */
  readonly positions: readonly Position[];
  /** The last position that the push covers. */
  readonly last: Position;
  /** Whether the log goes on behind it. */
  readonly more: boolean;
}

export interface OutgoingQuery {
  readonly identity: ProducerIdentity;
  readonly acked: Position;
  readonly bounds: PushBounds;
  /** Nothing past this position. */
  readonly until?: Position | undefined;
}

export interface OutgoingRead {
  /** Missing where everything is acknowledged, and where events are damaged. */
  readonly outgoing?: Outgoing;
  /** Positions whose event the log can no longer give, and which are no dead letters yet. */
  readonly damaged: readonly Position[];
}

/**
 * The range after `acked`: its events, without those that are dead letters. A position with no event, because it was
 * trimmed before it was acknowledged, is a hole too. One that is damaged must be made a dead letter first.
 */
export async function readOutgoing(storage: Storage, query: OutgoingQuery): Promise<OutgoingRead> {
  const { acked, bounds } = query;
  const until = Math.min(acked + bounds.events, query.until ?? Infinity);
  const limit = bounds.events;
  const page = await readPastDamage(storage, { after: acked, before: until + 1, limit });
  if (page.head <= acked) return { damaged: [] };
  const dead = await deadAfter(storage, acked, limit);
  const range = select(page, query, until, dead);
  const holes = missing(acked + 1, range.last, range.positions);
  const damaged = await notTrimmed(
    storage,
    holes.filter((hole) => !dead.has(hole)),
  );
  return damaged.length > 0 ? { damaged } : { outgoing: outgoingOf(range, holes, query), damaged };
}

/** The dead letters among the next so many positions. */
async function deadAfter(
  storage: Storage,
  acked: Position,
  limit: number,
): Promise<ReadonlySet<Position>> {
  const letters = await listDeadLetters(storage, { after: acked, limit });
  return new Set(letters.map((letter) => letter.position));
}

interface Range extends Pick<Outgoing, 'positions' | 'last' | 'more'> {
  readonly lines: readonly string[];
}

/** What of the page one push takes. */
function select(
  { events, next, head }: Page,
  { acked, bounds }: OutgoingQuery,
  until: Position,
  dead: ReadonlySet<Position>,
): Range {
  const lines: string[] = [];
  const positions: Position[] = [];
  let last = acked;
  let characters = 0;
  for (const { position, line } of events) {
    characters += line.length;
    if (characters > bounds.characters && positions.length > 0) break;
    last = position;
    if (dead.has(position)) continue;
    lines.push(line);
    positions.push(position);
  }
  // Where nothing was read, nothing is left of all up to the page's end.
  if (last === acked) last = Math.min(next, until, head);
  return { lines, positions, last, more: last < head };
}

function outgoingOf(
  { lines, positions, last, more }: Range,
  holes: readonly Position[],
  { acked, identity }: OutgoingQuery,
): Outgoing {
  const { id: producer, epoch, base } = identity;
  const push = {
    producer,
    epoch,
    seq: acked + 1 - base,
    count: last - acked,
    holes: holes.map((at) => at - base),
    lines,
  };
  return { push, positions, last, more };
}

async function notTrimmed(storage: Storage, positions: readonly Position[]): Promise<Position[]> {
  if (positions.length === 0) return [];
  const { trimmed } = await storage.stats();
  return positions.filter((position) => position > trimmed);
}

/** What of `first` to `last` is not among the rising positions. */
function missing(first: Position, last: Position, positions: readonly Position[]): Position[] {
  const holes: Position[] = [];
  let index = 0;
  for (let position = first; position <= last; position++) {
    if (positions[index] === position) index++;
    else holes.push(position);
  }
  return holes;
}
