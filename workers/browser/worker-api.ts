/**
 * What a page and its worker say to each other, over Comlink. Only data crosses: an error travels as an outcome, for
 * structured clone would lose its code.
 */
import { isWireError, MillraceError, type WireError } from '../../src/errors.ts';
import type { Position, Query } from '../../src/storage/storage.ts';
import type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { PushState } from '../../src/sync/pusher.ts';
import type { Count } from '../../src/windows/count.ts';
import type { WindowRange, WindowResult } from '../../src/windows/windowed-view.ts';

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: WireError };

export interface LogSettings {
  readonly log: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly sync: boolean;
  readonly durability?: 'relaxed' | 'strict';
  readonly keepEvents?: number;
}

/** What came of a batch: everything is committed, but for what is listed as failed. */
export interface Appended {
  /** Of each line in turn; 0 where it failed. */
  readonly positions: readonly Position[];
  readonly failed: readonly { readonly index: number; readonly error: WireError }[];
  /** The log's last position, as far as this batch tells. */
  readonly head: Position;
}

/** A page of the log whose events are still lines. */
export interface LinePage {
  readonly lines: readonly (readonly [position: Position, line: string])[];
  readonly next: Position;
  readonly more: boolean;
  readonly head: Position;
}

/** `starting`: the log is not open yet. `failed`: it could not be opened. */
export type ClientState = 'starting' | 'failed' | PushState;

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
  /** Neither switched off nor known to be without a network. */
  readonly online: boolean;
  /** Whether this tab's worker is the one that pushes. */
  readonly leader: boolean;
  readonly state: ClientState;
  /** What went wrong last, until it goes right again. */
  readonly lastError?: WireError;
}

/** With how many appends of this worker the status counts. */
export type OnStatus = (status: LogStatus, appends: number) => void;

export type Windows = readonly WindowResult<Count>[];

export interface WorkerApi {
  /** Opens the log. What is asked before waits for it, and fails with it. */
  open(settings: LogSettings, onStatus: OnStatus): Promise<Outcome<void>>;
  /** `separately`: ids were brought that may collide, and a collision must fail its own event alone. */
  append(lines: readonly string[], separately: boolean): Promise<Outcome<Appended>>;
  query(query: Query): Promise<Outcome<LinePage>>;
  windows(range: WindowRange): Promise<Outcome<Windows>>;
  watchWindows(onRevised: (results: Windows) => void): Promise<Outcome<void>>;
  deadLetters(options: DeadLetterOptions): Promise<Outcome<readonly DeadLetter[]>>;
  setOffline(offline: boolean): Promise<Outcome<void>>;
  /** What the page hears of the network: a worker does not always hear it itself. */
  network(online: boolean): void;
  close(): Promise<Outcome<void>>;
}

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
