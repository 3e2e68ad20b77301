/** What a page says to its client, and what it hears. */
import type { Catalogue, DataOf, EventSchemas, TypeOf } from '../../src/event/catalogue.ts';
import type { EventOptions } from '../../src/event/factory.ts';
import type { Undo } from '../../src/ports.ts';
import type { Page, Query } from '../../src/storage/storage.ts';
import type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { RedriveOptions } from '../../src/sync/redrive.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import type { Receipt } from './capture-buffer.ts';
import type { Forgotten, LogStatus, Windows } from './worker-api.ts';

export interface ConnectOptions<Schemas extends EventSchemas = {}> {
  /** Where the edge is; relative to the page's own address. */
  readonly endpoint: string | URL;
  /** A publishable key of the edge: whoever reads the page can read it, and it can only write. */
  readonly key?: string;
  /** Who says so, in every event. Default: the page's origin. */
  readonly source?: string;
  /** The log's name. Tabs that name the same share it. Default: `millrace`. */
  readonly log?: string;
  readonly catalogue?: Catalogue<Schemas>;
  /** Makes the worker, where the bundler needs its own way. Default: `worker.js` beside this module. */
  readonly worker?: () => Worker;
  /** How long an event that nobody awaits may wait for others, in ms. Default: 100. */
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
  /**
   * The log's room, in characters of events. Default: 50 Mi. Events of low priority are taken while less than 70 % of it is
   * filled, normal ones up to 80 %, high ones up to 90 %, and critical ones to its end. What is shed says so by its receipt
   * (`limit.exceeded`), and is counted in `dropped`; what is in the log stays. So too where the browser's quota is used up
   * and what the log cannot take is held in memory.
   */
  readonly maxBytes?: number;
  /**
   * Asks the browser never to evict the log when the disk runs short. Some ask the user about it. Default: false.
   */
  readonly persist?: boolean;
  /** Whether to push to the edge at all. Default: true. */
  readonly sync?: boolean;
  /**
   * `required`: nothing is stored, not even an empty database, and nothing is pushed before `grantConsent`. The visitor's
   * decision is kept, and counts in either case. Default: `granted`.
   */
  readonly consent?: 'granted' | 'required';
  /**
   * What is captured before the visitor has decided: refused, with `consent.missing` by its receipt and counted in
   * `rejected`; or held in memory, and kept once consent is given. Default: `drop`.
   */
  readonly beforeConsent?: 'drop' | 'hold';
  /**
   * `obey`: where the browser sends Do Not Track or Global Privacy Control, consent is required whatever `consent` says; one
   * that the visitor has given to this site all the same counts. Default: `ignore`.
   */
  readonly privacySignals?: 'obey' | 'ignore';
  /** Gives events their trace, and may record it: `pageTracing` of `millrace/browser/tracing`. Default: none. */
  readonly trace?: (client: TraceableClient) => void;
}

/** What tracing needs of a client: its `capture` is replaced by one that calls it. */
export interface TraceableClient {
  capture(type: string, data: unknown, options?: EventOptions): Receipt;
  onStatus(listener: (status: ClientStatus) => void): Undo;
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
  /** Gives dead letters up for good. Resolves to how many; those whose place the edge has not passed yet stay. */
  dropDeadLetters(options?: RedriveOptions): Promise<number>;
  /** Sends dead letters once more. Resolves to how many the edge has taken; the others stay, with its new reason. */
  resendDeadLetters(options?: RedriveOptions): Promise<number>;
  /** The visitor agrees to be recorded: in all tabs, and after a reload. */
  grantConsent(): Promise<void>;
  /** Ends capturing and pushing, likewise. What is in the log stays there, unsent, until `forget` or a new consent. */
  withdrawConsent(): Promise<void>;
  /**
   * Erases the device's log, unsent events and what other tabs still hold included, and has the edge erase the data of all
   * that this log has ever pushed. Resolves when the device has: an edge that is out of reach is asked until it has too.
   * Capturing goes on, as somebody new, unless consent is withdrawn.
   */
  forget(): Promise<Forgotten>;
  /** Commits what is held, closes the log and ends the worker. */
  dispose(): Promise<void>;
}
