/** Reads from the log what is to be pushed next. */
import { MillraceError } from '../errors.ts';
import type { Position, Storage } from '../storage/storage.ts';
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
}

export interface OutgoingQuery {
  readonly identity: ProducerIdentity;
  readonly acked: Position;
  readonly bounds: PushBounds;
  /** Nothing past this position. */
  readonly until?: Position | undefined;
}

export interface OutgoingRead {
  /** Missing where everything is acknowledged. */
  readonly outgoing?: Outgoing;
  readonly head: Position;
  /** Dead letters after `acked`. */
  readonly deadAhead: number;
}

/**
 * The range after `acked`: its events, without those that are dead letters. A position with no event, because it was
 * trimmed before it was acknowledged, is a hole too.
 */
export async function readOutgoing(storage: Storage, query: OutgoingQuery): Promise<OutgoingRead> {
  const { acked, bounds, identity } = query;
  const until = Math.min(acked + bounds.events, query.until ?? Infinity);
  const page = await storage.read({ after: acked, before: until + 1, limit: bounds.events });
  if (page.head <= acked) return { head: page.head, deadAhead: 0 };
  const letters = await listDeadLetters(storage, { after: acked, limit: Math.max(bounds.events, 1000) });
  const dead = new Set(letters.map((letter) => letter.position));
  const lines: string[] = [];
  const positions: Position[] = [];
  let last = acked;
  let characters = 0;
  for (const { position, line } of page.events) {
    if (last > acked && position !== last + 1) throw corrupt(last + 1);
    characters += line.length;
    if (characters > bounds.characters && positions.length > 0) break;
    last = position;
    if (dead.has(position)) continue;
    lines.push(line);
    positions.push(position);
  }
  // Where nothing was read, all up to the page's end was trimmed.
  if (last === acked) last = Math.min(page.next, until, page.head);
  const holes = missing(acked + 1, last, positions);
  const { id: producer, epoch, base } = identity;
  const push = {
    producer,
    epoch,
    seq: acked + 1 - base,
    count: last - acked,
    holes: holes.map((at) => at - base),
    lines,
  };
  return { outgoing: { push, positions, last }, head: page.head, deadAhead: dead.size };
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

function corrupt(position: Position): MillraceError<'storage.corrupt'> {
  return new MillraceError(
    'storage.corrupt',
    `the log has no event at position ${position}, but one after it`,
    {
      log: '',
      position,
    },
  );
}
