/**
 * The push's dead letters in the form that every host has. Only those whose place the edge has passed can be dropped or
 * driven again; driven again, an event is published beside the producer's sequence, and the edge knows a repeat by its id.
 */
import { hasCode } from '../errors.ts';
import type { Ports, Undo } from '../ports.ts';
import { parseCursor } from '../storage/cursor.ts';
import { letterOf, type DeadLetter } from '../storage/dead-letters/dead-letter.ts';
import type {
  DeadLetterListOptions,
  DeadLetters,
  Redriven,
  RedriveOptions,
} from '../storage/dead-letters/dead-letters.ts';
import type { JsonValue, Position, Storage } from '../storage/storage.ts';
import { countDeadLetters, deadLetterKey, deadLetterPages, listDeadLetters } from './dead-letter.ts';
import { dropDeadLetters, resendDeadLetters } from './redrive.ts';

export interface SyncDeadLettersOptions {
  /** Sends one event's line to the edge. @throws MillraceError `sync.refused`, `sync.unreachable` */
  readonly publish: (line: string) => Promise<unknown>;
  readonly ports: Pick<Ports, 'now' | 'after'>;
  /** How often listeners look for new letters, in ms: a pusher may run in another process. Default: 5,000. */
  readonly pollMs?: number | undefined;
}

const DEFAULT_LIMIT = 100;
const POLL_MS = 5_000;

/** Letters of a log that a `Pusher` pushes, wherever that runs. */
export function syncDeadLetters(
  storage: Storage,
  { publish, ports, pollMs = POLL_MS }: SyncDeadLettersOptions,
): DeadLetters {
  return {
    // Beyond what a storage holds there is none.
    shed: 0,
    async list({ after = '', limit = DEFAULT_LIMIT }: DeadLetterListOptions = {}) {
      const letters = await listDeadLetters(storage, { after: positionOf(after), limit });
      return letters.map((letter) => letterOf(letter as unknown as JsonValue));
    },
    async get(id) {
      const kept = await storage.get(deadLetterKey(positionOf(id)));
      return kept === undefined ? undefined : letterOf(kept as JsonValue);
    },
    drop: (ids) => dropDeadLetters(storage, { positions: ids?.map(positionOf) }),
    redrive: (ids, options) => redrive(storage, ids, { ...options, publish, now: ports.now }),
    count: () => countDeadLetters(storage, 0),
    onAdded: (listener) => watch(storage, listener, ports, pollMs),
  };
}

async function redrive(
  storage: Storage,
  ids: readonly string[] | undefined,
  {
    publish,
    now,
    signal,
  }: RedriveOptions & Pick<SyncDeadLettersOptions, 'publish'> & Pick<Ports, 'now'>,
): Promise<Redriven> {
  let failed = 0;
  const send = async (line: string): Promise<void> => {
    signal?.throwIfAborted();
    try {
      await publish(line);
    } catch (error) {
      if (hasCode(error, 'sync.refused')) failed++;
      throw error;
    }
  };
  const positions = ids?.map(positionOf);
  const redriven = await resendDeadLetters(storage, send, { positions, now });
  return { redriven, failed };
}

/** Tells of letters that are new since, and of those that were refused again. */
function watch(
  storage: Storage,
  listener: (letter: DeadLetter) => void,
  ports: Pick<Ports, 'after'>,
  pollMs: number,
): Undo {
  let known: Map<Position, number> | undefined;
  let ended = false;
  let undo: Undo = () => {};
  const look = async (): Promise<void> => {
    const seen = new Map<Position, number>();
    for await (const letters of deadLetterPages(storage)) {
      for (const letter of letters) {
        seen.set(letter.position, letter.attempts);
        const isNew = known !== undefined && known.get(letter.position) !== letter.attempts;
        if (isNew && !ended) listener(letterOf(letter as unknown as JsonValue));
      }
    }
    known = seen;
  };
  const poll = (): void => {
    const again = (): void => {
      if (!ended) undo = ports.after(pollMs, poll);
    };
    look().then(again, again);
  };
  poll();
  return () => {
    ended = true;
    undo();
  };
}

/** 0, where no event stands, for what is no cursor. */
function positionOf(id: string): Position {
  try {
    return parseCursor(id);
  } catch {
    return 0;
  }
}
