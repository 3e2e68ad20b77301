/** Reads from the log what is to be pushed next. */
import { hasCode } from '../errors.ts';
import type { Page, Position, Storage } from '../storage/storage.ts';
import { countDeadLetters, listDeadLetters } from './dead-letter.ts';
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
  readonly head: Position;
  /** Dead letters after `acked`. */
  readonly deadAhead: number;
}

/**
 * The range after `acked`: its events, without those that are dead letters. A position with no event, because it was
 * trimmed before it was acknowledged, is a hole too. One that is damaged must be made a dead letter first.
 */
export async function readOutgoing(storage: Storage, query: OutgoingQuery): Promise<OutgoingRead> {
  const { acked, bounds } = query;
  const until = Math.min(acked + bounds.events, query.until ?? Infinity);
  const page = await readPastDamage(storage, acked, until, bounds.events);
  const { head } = page;
  if (head <= acked) return { head, damaged: [], deadAhead: 0 };
  const { dead, deadAhead } = await deadAfter(storage, acked, bounds.events);
  const range = select(page, query, until, dead);
  const holes = missing(acked + 1, range.last, range.positions);
  const damaged = await notTrimmed(
    storage,
    holes.filter((hole) => !dead.has(hole)),
  );
  if (damaged.length > 0) return { head, damaged, deadAhead };
  return { outgoing: outgoingOf(range, holes, query), head, damaged, deadAhead };
}

/** A read ends before a damaged event, and fails where it would start with one: then it starts behind it. */
async function readPastDamage(
  storage: Storage,
  acked: Position,
  until: Position,
  limit: number,
): Promise<Page> {
  for (let after = acked; ;) {
    try {
      return await storage.read({ after, before: until + 1, limit });
    } catch (error) {
      if (!hasCode(error, 'storage.corrupt')) throw error;
      const { position } = error.details;
      if (!(position > after && position <= until)) throw error;
      after = position;
    }
  }
}

async function deadAfter(
  storage: Storage,
  acked: Position,
  events: number,
): Promise<{ readonly dead: ReadonlySet<Position>; readonly deadAhead: number }> {
  const limit = Math.max(events, 1000);
  const letters = await listDeadLetters(storage, { after: acked, limit });
  const dead = new Set(letters.map((letter) => letter.position));
  const last = letters.at(-1)?.position ?? acked;
  const more = letters.length < limit ? 0 : await countDeadLetters(storage, last);
  return { dead, deadAhead: dead.size + more };
}

interface Range extends Pick<Outgoing, 'positions' | 'last'> {
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
  return { lines, positions, last };
}

function outgoingOf(
  { lines, positions, last }: Range,
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
  return { push, positions, last };
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
