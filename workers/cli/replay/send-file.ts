/** Sends one file, or the standard input, to an edge, and shows how far it is. */
import { stat } from 'node:fs/promises';
import type { ReplayArguments } from './arguments.ts';
import { openCheckpoint, type Progress } from './checkpoint.ts';
import { readLines } from './lines.ts';
import { createProgressDisplay } from './progress-display.ts';
import { replay } from './replay.ts';
import { createLookup, createSender } from './sender.ts';

export interface SendFileOptions extends ReplayArguments {
  readonly signal: AbortSignal;
  /** In bytes, where it is known. */
  readonly size: number | undefined;
}

/** @throws Error where it could not go on, or was interrupted; LastingError where going on would meet the same */
export async function sendFile(given: SendFileOptions): Promise<Progress> {
  const { file, url, key, batch, restart, signal, size } = given;
  const display = createProgressDisplay({ output: process.stderr, totalBytes: size });
  const onRetry = (reason: string, delayMs: number): void =>
    display.say(
      `${url.origin} is out of reach (${reason}); trying again in ${(delayMs / 1000).toFixed(1)} s`,
    );
  try {
    return await replay({
      lines: () => readLines(file),
      send: createSender({ url, key, signal, onRetry }),
      knows: createLookup({ url, key, signal, onRetry }),
      checkpoint: openCheckpoint({ file, url }),
      display,
      batch,
      restart,
    });
  } catch (error) {
    throw signal.aborted ? new Error('Interrupted.', { cause: error }) : error;
  } finally {
    display.end();
    // What is left of the standard input would keep the process alive.
    if (file === '-') process.stdin.destroy();
  }
}

/** In bytes, unknown for the standard input; or a sentence that says why the file cannot be sent. */
export async function sizeOf(file: string): Promise<number | string | undefined> {
  if (file === '-') return undefined;
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return `There is no file ${file}.`;
  if (found.isDirectory()) return `${file} is a directory.`;
  return found.size;
}
