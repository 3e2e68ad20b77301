/** What an append gives: a commit's result where it was accepted, its error thrown where it was not. */
import type { Position } from '../position.ts';
import type { CommitResult } from '../storage.ts';

export interface Appended {
  /** Of each event in turn: where it stands, from this append or from an earlier one. */
  readonly positions: readonly Position[];
  /** How many were stored before, with the same content. */
  readonly duplicates: number;
  /** All of it was there before, and nothing changed. */
  readonly repeated: boolean;
}

/** @throws MillraceError what the only commit was refused for */
export function accepted(results: readonly CommitResult[]): Appended {
  const result = results[0]!;
  if (result.ok) return result;
  throw result.error;
}
