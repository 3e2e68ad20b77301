/** What a page says to its client, and what it hears. */
import type { Catalogue, DataOf, EventSchemas, TypeOf } from '../../src/event/catalogue.ts';
import type { EventOptions } from '../../src/event/factory.ts';
import type { Undo } from '../../src/ports.ts';
import type { Page, Query } from '../../src/storage/storage.ts';
import type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import type { Receipt } from './capture-buffer.ts';
import type { LogStatus, Windows } from './worker-api.ts';

export interface ConnectOptions<Schemas extends EventSchemas = {}> {
  /** Where the edge is; relative to the page's own address. */
  readonly endpoint: string | URL;
  /** Who says so, in every event. Default: the page's origin. */
  readonly source?: string;
  /** The log's name. Tabs that name the same share it. Default: `millrace`. */
  readonly log?: string;
  readonly catalogue?: Catalogue<Schemas>;
  /** Makes the worker, where the bundler needs its own way. Default: `worker.js` beside this module. */
  readonly worker?: () => Worker;
  /** How long an event may wait for others. Default: 50. */
  readonly flushMs?: number;
  /** Events that make a batch full. Default: 100. */
  readonly maxBatch?: number;
  /** `strict` also survives a power cut, for 1 to 1.5 times the time. Default: `relaxed`, which survives any kill. */
  readonly durability?: 'relaxed' | 'strict';
  /**
   * How many of the events that the edge has stay in the device's log; older ones are trimmed when nothing is going on.
   * What waits is never trimmed, and the windows keep what they have counted. Default: 10,000.
   */
  readonly keepEvents?: number;
  /** Whether to push to the edge at all. Default: true. */
  readonly sync?: boolean;
}

/** All counts are of the log that the tabs share, so they survive a reload; this page's own share is named. */
export interface ClientStatus extends LogStatus {
  /** Committed, and what this page still holds. */
  readonly captured: number;
  /** Dead letters, and what this page could not capture or commit: its receipts say why. */
  readonly rejected: number;
}

export interface Client<Schemas extends EventSchemas = {}> extends AsyncDisposable {
  /**
   * Never throws: an event that is refused says so by its receipt, and is counted in `rejected`. While the log cannot
   * write, what is captured is held and tried again, and `lastError` says why: 50,000 events and 16 Mi characters at
   * most, beyond which the newest are refused with `limit.exceeded`.
   */
  capture<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options?: EventOptions,
  ): Receipt;
  /**
   * Resolves when all that was captured so far is committed, however often that must be tried; rejects with the first
   * error of what was captured since the last flush and refused.
   */
  flush(): Promise<void>;
  /** The latest known. */
  status(): ClientStatus;
  onStatus(listener: (status: ClientStatus) => void): Undo;
  /** Stops pushing, in all tabs and across reloads, until switched back. Capturing goes on. */
  setOffline(offline: boolean): Promise<void>;
  /** The device's events per type and minute of event time, all that is committed counted. */
  windows(range?: WindowRange): Promise<Windows>;
  /** Results as they are revised. A hint: read `windows` for the whole. */
  onWindows(listener: (revised: Windows) => void): Undo;
  /** A page of the device's log. */
  query(query?: Query): Promise<Page>;
  deadLetters(options?: DeadLetterOptions): Promise<readonly DeadLetter[]>;
  /** Commits what is held, closes the log and ends the worker. */
  dispose(): Promise<void>;
}
