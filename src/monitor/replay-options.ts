/** What a replay is asked, and what it says. */
import type { WireError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import type { ReplaySpeed } from './replay-pace.ts';

export interface ReplayOptions {
  /**
   * How much faster than the events' own times: 1 as it was, 60 a minute in a second; those that were late come at once.
   * `max`: as fast as they are handled. Default: `max`.
   */
  readonly speed?: ReplaySpeed | undefined;
  /** No longer than this between two events, however long it was, in ms of the replay. Default: no limit. */
  readonly longestWaitMs?: number | undefined;
  /** Where to go on: the cursor of an earlier replay's outcome. Default: the log's beginning. */
  readonly after?: string | undefined;
  /** The cursor of the last event to be handed on. Default: where the log ends now. Not over a client. */
  readonly until?: string | undefined;
  /** Hands nothing on, waits for nothing, and says what would be: how many, of which types, the first ones. */
  readonly dryRun?: boolean | undefined;
  /** What `replayOf` tells of it. Default: `replay`. */
  readonly name?: string | undefined;
  /** After each hundred events, and at the end. What it throws ends the replay. */
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
  /** Ends it after the event that is under way: that is no error, and the outcome says where to go on. */
  readonly signal?: AbortSignal | undefined;
  /** Default: the host's. */
  readonly ports?: Ports | undefined;
}

export interface ReplayProgress {
  /** Events that were handed on, those that failed included; of a projection, positions of the log. */
  readonly count: number;
  /** Of these, events that a handler failed on, or that a topic has not taken. */
  readonly failed: number;
  /** Events that cannot be read any more, and were passed over. */
  readonly unreadable: number;
  /** To go on behind these; missing where nothing was read. Over a client, the start of the page that is under way. */
  readonly cursor?: string;
  /** The last event's own time, in ms since the Unix epoch. */
  readonly time?: number;
}

export interface ReplayOutcome extends ReplayProgress {
  /** `stopped`: by the signal, or by a projection that has paused. */
  readonly ended: 'all' | 'stopped';
  /** Of each type, how many. Of a projection that is built anew, nothing. */
  readonly types: Readonly<Record<string, number>>;
  /** The first failures. */
  readonly failures: readonly { readonly event?: string; readonly reason: WireError }[];
  /** Of a dry run: the first events. */
  readonly samples: readonly Event[];
}
