/** What a law of storage is, and what a driver's author brings to have the laws run. */
import { hasCode, type ErrorCode } from '../../errors.ts';
import type { MaybePromise, Storage } from '../storage.ts';

/** A driver under test. Each law gets a harness of its own, so that no law meets another's logs. */
export interface StorageHarness {
  /** Opens a log by name. The same name again is the same log, open or closed before. */
  open(log: string): MaybePromise<Storage>;
  /** Whether a log outlives its closing. A driver in memory says false. */
  readonly durable: boolean;
  /**
   * Opens the log so that the `failAt`-th call into the database from now on fails, for the law of atomic commits.
   * Left out where calls cannot be made to fail.
   */
  openFailing?(log: string, failAt: number): MaybePromise<Storage>;
  /** Tries an opening that must fail. Left out where none can. */
  openBroken?(): MaybePromise<Storage>;
  /**
   * Damages the one stored event whose line holds `text`, at rest: its first byte becomes a line break. Left out where
   * nothing is at rest.
   */
  damage?(log: string, text: string): MaybePromise<void>;
  cleanup?(): MaybePromise<void>;
}

export interface StorageLaw {
  /** The promise, as a test's title. */
  readonly name: string;
  /** Rejects with a `LawBroken` where the driver breaks it. */
  run(harness: StorageHarness): Promise<void>;
}

export class LawBroken extends Error {
  constructor(message: string, actual?: unknown, expected?: unknown) {
    super(`${message}\n  actual:   ${show(actual)}\n  expected: ${show(expected)}`);
    this.name = 'LawBroken';
  }
}

export function assertEqual(actual: unknown, expected: unknown, message: string): void {
  if (show(actual) !== show(expected)) throw new LawBroken(message, actual, expected);
}

/** Asserts that the call throws, or rejects, with the code. */
export async function assertRejects(
  call: () => unknown,
  code: ErrorCode,
  message: string,
): Promise<void> {
  let outcome: unknown = 'no error';
  try {
    await call();
  } catch (error) {
    if (hasCode(error, code)) return;
    outcome = error;
  }
  throw new LawBroken(message, String(outcome), code);
}

/** JSON with sorted keys: two values that show the same say the same. */
function show(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) =>
    part instanceof Uint8Array
      ? { bytes: [...part] }
      : isPlain(part)
        ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : part,
  );
  return text ?? String(value);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
