/** Replays a file of events to an edge, and goes on where it was interrupted. */
import type { Hash } from 'node:crypto';
import { addLine, digest, hashLines, inBatches, type Batch } from './batches.ts';
import type { Checkpoint, Progress } from './checkpoint.ts';
import type { Line } from './lines.ts';
import type { ProgressDisplay } from './progress-display.ts';
import type { Knows, Send, Sent } from './sender.ts';

export interface ReplayOptions {
  /** The lines from the first one on, each time it is called. */
  readonly lines: () => AsyncGenerator<Line>;
  readonly send: Send;
  /** Whether the edge still has what it acknowledged to an interrupted replay. */
  readonly knows: Knows;
  readonly checkpoint: Checkpoint;
  readonly display: ProgressDisplay;
  readonly batch: number;
  readonly restart: boolean;
}

/** What became of all the lines, those of an interrupted replay before it included. */
export async function replay(options: ReplayOptions): Promise<Progress> {
  const { send, checkpoint, display } = options;
  const start = await startOf(options);
  let { progress } = start;
  if (progress.line > 0) display.say(`going on after line ${progress.line}`);
  for await (const batch of inBatches(start.lines, { size: options.batch, hash: start.hash })) {
    const sent = await send(batch.entries);
    const rejected = [...batch.rejected, ...sent.rejected].toSorted((a, b) => a.line - b.line);
    for (const { line, reason } of rejected) display.say(`line ${line} is rejected: ${reason}`);
    progress = {
      line: batch.lastLine,
      linesHash: batch.linesHash,
      lastId: lastAcknowledged(batch, sent) ?? progress.lastId,
      accepted: progress.accepted + sent.accepted,
      duplicate: progress.duplicate + sent.duplicate,
      rejected: progress.rejected + rejected.length,
    };
    await checkpoint.write(progress);
    display.show({ sent: sentOf(progress), bytesRead: batch.bytesRead });
  }
  await checkpoint.remove();
  return progress;
}

interface Start {
  readonly lines: AsyncIterable<Line>;
  /** Of the lines before them. */
  readonly hash: Hash;
  readonly progress: Progress;
}

const nothing: Progress = { line: 0, linesHash: '', accepted: 0, duplicate: 0, rejected: 0 };

/** Behind the checkpoint, where both the file and the edge are those that it was written for; else at the first line. */
async function startOf({ lines, knows, checkpoint, display, restart }: ReplayOptions): Promise<Start> {
  const before = restart ? undefined : await checkpoint.read();
  if (before !== undefined) {
    const rest = await skip(lines(), before);
    const known = before.lastId === undefined || (await knows(before.lastId));
    if (rest !== undefined && known) return { ...rest, progress: before };
    const changed = rest === undefined ? 'the file has changed' : 'the edge has lost what it had stored';
    display.say(`beginning anew: ${changed} since the replay was interrupted at line ${before.line}`);
  }
  return { lines: lines(), hash: hashLines(), progress: nothing };
}

/** The lines after the checkpoint's, or `undefined` where those before are others than it was written for. */
async function skip(
  lines: AsyncGenerator<Line>,
  { line, linesHash }: Progress,
): Promise<Omit<Start, 'progress'> | undefined> {
  const hash = hashLines();
  for (let number = 1; number <= line; number++) {
    const { value, done } = await lines.next();
    if (done) return undefined;
    addLine(hash, value);
  }
  if (digest(hash) === linesHash) return { lines, hash };
  await lines.return(undefined);
  return undefined;
}

function lastAcknowledged({ entries }: Batch, sent: Sent): string | undefined {
  const rejected = new Set(sent.rejected.map(({ line }) => line));
  return entries.findLast(({ line, id }) => id !== undefined && !rejected.has(line))?.id;
}

export function sentOf({ accepted, duplicate, rejected }: Progress): number {
  return accepted + duplicate + rejected;
}

/** `sent 10000, accepted 10000, duplicate 0, rejected 0` */
export function summary(progress: Progress): string {
  const { accepted, duplicate, rejected } = progress;
  return `sent ${sentOf(progress)}, accepted ${accepted}, duplicate ${duplicate}, rejected ${rejected}`;
}
