/** A stream that runs. */
import type { Undo } from '../../ports.ts';
import type { WindowCounts } from '../window-update.ts';
import type { DeadLettersOptions, StreamDeadLetter } from './dead-letters.ts';

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
  /** In the order of their ids. From a log, all that were not dropped; else the last 1,000. */
  deadLetters(options?: DeadLettersOptions): Promise<readonly StreamDeadLetter[]>;
  /** How many gave way to newer ones: of a log none. */
  readonly droppedDeadLetters: number;
  /** Forgets dead letters, once they were dealt with. */
  dropDeadLetters(ids: readonly string[]): Promise<void>;
}
