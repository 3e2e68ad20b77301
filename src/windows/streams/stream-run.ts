/** A stream that runs. */
import type { CallProbe } from '../../bus/call-probe.ts';
import type { Undo } from '../../ports.ts';
import type { DeadLetters } from '../../storage/dead-letters/dead-letters.ts';
import type { WindowCounts } from '../window-update.ts';

export interface CatchUpStreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** The most events of the log to take in this call, a batch more or less. Default: all there are. */
  readonly limit?: number | undefined;
}

export interface StreamRun {
  readonly name: string;
  /** In ms since the Unix epoch; `-Infinity` before the first event. */
  readonly watermark: number;
  readonly counts: WindowCounts;
  /** What is in memory of the windows. */
  readonly size: { readonly keys: number; readonly rows: number };
  /**
   * Takes all that is there, and hands on what comes of it, once. Calls run one after another. Not needed once it has
   * started.
   *
   * @throws MillraceError as the storages do; the signal's reason. What was committed before stays.
   */
  catchUp(options?: CatchUpStreamOptions): Promise<void>;
  /** Completes all windows, for a stream that has ended, and hands their results on. */
  finish(): Promise<void>;
  /**
   * Keeps it caught up, from now on until it is stopped. A failure of the log is tried again, ever more slowly. What is
   * being committed or handed on at the stop still is.
   */
  start(): Undo;
  /**
   * What a step could not take: events, and results that could not be made or handed on. Over a store they are kept in the
   * commit of what they come of, else the last 1,000. Driven again, an event goes on where it failed and counts once; a
   * result is made of the state that it had, and numbered anew; an output is handed what it has refused, late. A result
   * that has come in a newer revision since is no dead letter any more. A total whose `add` or `subtract` has thrown cannot
   * be driven again.
   */
  readonly deadLetters: DeadLetters;
  /**
   * Looks at every call of a step and of an output, at every pass of events into windows (`fold`, by the windows that share
   * their state) and at the making of their results. One probe at a time: another takes its place.
   */
  probe(probe: CallProbe): Undo;
}
