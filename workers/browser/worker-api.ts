/**
 * What a page and its worker say to each other. Only data crosses: an error travels as an outcome, for structured clone would
 * lose its code.
 *
 * Calls go over Comlink, which answers each with a message of its own. A message takes a page some 0.2 ms, so batches and
 * the status go without it: batches that nobody waits for are answered together, with the status that comes of them.
 */
import { isWireError, MillraceError, type WireError } from '../../src/errors.ts';
import type { Page, Position, Query } from '../../src/storage/storage.ts';
import type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { PushState } from '../../src/sync/push-status.ts';
import type { RedriveOptions } from '../../src/sync/redrive.ts';
import type { Count } from '../../src/windows/count.ts';
import type { WindowRange, WindowResult } from '../../src/windows/windowed-view.ts';

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: WireError };

export interface LogSettings {
  readonly log: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly key?: string | undefined;
  readonly sync: boolean;
  readonly durability?: 'relaxed' | 'strict' | undefined;
  readonly keepEvents?: number | undefined;
  readonly maxBytes?: number | undefined;
  readonly consent: 'granted' | 'required';
  readonly beforeConsent?: 'drop' | 'hold' | undefined;
}

/** What `forget` has come to: this device's log is empty; the edge has erased its part, or is asked until it has. */
export interface Forgotten {
  readonly edge: 'erased' | 'pending';
}

/** What came of a batch: everything is committed, but for what is listed as failed. */
export interface Appended {
  /** Of each line in turn; 0 where it failed. */
  readonly positions: readonly Position[];
  readonly failed: readonly { readonly index: number; readonly error: WireError }[];
  /** Of the failed, how many were shed for want of room. */
  readonly shed: number;
}

/**
 * `starting`: the log is not open yet. `failed`: it could not be opened. `no-consent`: the visitor has not been asked, or not
 * answered; `withdrawn`: consent was withdrawn.
 */
export type ClientState = 'starting' | 'failed' | 'no-consent' | 'withdrawn' | PushState;

/** The shared log's state, the same in all tabs but for `leader`. */
export interface LogStatus {
  /** Events ever committed to the log. */
  readonly committed: number;
  /** Committed, and not at the edge yet. */
  readonly waiting: number;
  /** At the edge. */
  readonly acknowledged: number;
  /** Dead letters. */
  readonly rejected: number;
  /** Given up: shed for want of room, or dead letters that were dropped. */
  readonly dropped: number;
  /** Characters of the events in the log. */
  readonly bytes: number;
  /**
   * Where the log is. `memory`: IndexedDB is not to be had, and `lastError` says why; what is not at the edge when the page
   * goes is lost, and each tab has a log of its own.
   */
  readonly storage: 'indexeddb' | 'memory';
  /**
   * Whether a journal beside the log holds all that the edge does not have yet, in case that the browser throws the log's
   * database away. Not where there is no private file system (a private window of some browsers, an older one), or no room.
   */
  readonly guarded: boolean;
  /** That the browser has thrown the database away: its counts began anew then. */
  readonly wiped?: Wiped;
  /** Neither switched off nor known to be without a network. */
  readonly online: boolean;
  /** Whether this tab's worker is the one that pushes. */
  readonly leader: boolean;
  readonly state: ClientState;
  /** What went wrong last, until it goes right again. */
  readonly lastError?: WireError;
}

/** When it was found out, in ms since the Unix epoch, and how many events the journal has brought back. */
export interface Wiped {
  readonly at: number;
  readonly restored: number;
}

/** What is known before the log is open. */
export function startingStatus(): LogStatus {
  return {
    committed: 0,
    waiting: 0,
    acknowledged: 0,
    rejected: 0,
    dropped: 0,
    bytes: 0,
    storage: 'indexeddb',
    guarded: false,
    online: navigator.onLine,
    leader: false,
    state: 'starting',
  };
}

/** A batch: `number` rises with the page's batches. */
export interface HandedBatch {
  readonly number: number;
  readonly lines: readonly string[];
  /** Somebody waits for it. Else it may be answered a little later, with others. */
  readonly hurry: boolean;
}

/** What a page hands its worker: a batch, or the number of one that somebody waits for by now, as for all before it. */
export type Handed = HandedBatch | number;

export type Answer = readonly [number: number, outcome: Outcome<Appended>];

/** What a worker tells its page: the status counts what the answers tell of. */
export interface Told {
  readonly answers: readonly Answer[];
  readonly status: LogStatus;
}

export type Windows = readonly WindowResult<Count>[];

/** What a page asks of its worker, by name: each rejects with a MillraceError. */
export interface WorkerCalls {
  /** Opens the log. What is asked before waits for it, and fails with it. */
  open(settings: LogSettings): Promise<void>;
  /** Its events are plain data. */
  query(query?: Query): Promise<Page>;
  windows(range?: WindowRange): Promise<Windows>;
  watchWindows(onRevised: (results: Windows) => void): Promise<void>;
  deadLetters(options?: DeadLetterOptions): Promise<readonly DeadLetter[]>;
  dropDeadLetters(options?: RedriveOptions): Promise<number>;
  resendDeadLetters(options?: RedriveOptions): Promise<number>;
  setOffline(offline: boolean): Promise<void>;
  /** For all tabs, and until it is decided anew. */
  decide(consent: 'granted' | 'withdrawn'): Promise<void>;
  /** Empties the log of all that was captured until `at`, in all tabs, and has the edge erase its part. */
  forget(at: number): Promise<Forgotten>;
  /** What the page hears of the network: a worker does not always hear it itself. */
  network(online: boolean): Promise<void>;
  close(): Promise<void>;
}

/** The one function that the worker exposes. Never rejects. */
export type WorkerCall = <Name extends keyof WorkerCalls>(
  name: Name,
  ...asked: Parameters<WorkerCalls[Name]>
) => Promise<Outcome<Awaited<ReturnType<WorkerCalls[Name]>>>>;

/** Never rejects. */
export async function outcomeOf<T>(run: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    return { ok: false, error: asWireError(error) };
  }
}

export function asWireError(error: unknown): WireError {
  if (error instanceof MillraceError) return error.toWire();
  if (isWireError(error)) return error;
  const message = `the worker failed: ${String((error as Error)?.message ?? error)}`;
  const details = { log: '', operation: 'worker' };
  return { name: 'MillraceError', code: 'storage.failed', message, details };
}
