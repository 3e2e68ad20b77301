/** Replays a file of events to an edge, and goes on where it was interrupted. */
import { inBatches } from './batches.ts';
import type { Checkpoint, Progress } from './checkpoint.ts';
import type { Line } from './lines.ts';
import type { ProgressDisplay } from './progress-display.ts';
import type { Send } from './sender.ts';

export interface ReplayOptions {
  readonly lines: AsyncIterable<Line>;
  readonly send: Send;
  readonly checkpoint: Checkpoint;
  readonly display: ProgressDisplay;
  readonly batch: number;
  readonly restart: boolean;
}

/** What became of all the lines, those of an interrupted replay before it included. */
export async function replay(options: ReplayOptions): Promise<Progress> {
  const { lines, send, checkpoint, display } = options;
  let progress = (options.restart ? undefined : await checkpoint.read()) ?? nothing;
  if (progress.line > 0) display.say(`going on after line ${progress.line}`);
  for await (const batch of inBatches(lines, { size: options.batch, after: progress.line })) {
    const sent = await send(batch.entries);
    const rejected = [...batch.rejected, ...sent.rejected].toSorted((a, b) => a.line - b.line);
    for (const { line, reason } of rejected) display.say(`line ${line} is rejected: ${reason}`);
    progress = {
      line: batch.lastLine,
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

const nothing: Progress = { line: 0, accepted: 0, duplicate: 0, rejected: 0 };

export function sentOf({ accepted, duplicate, rejected }: Progress): number {
  return accepted + duplicate + rejected;
}

/** `sent 10000, accepted 10000, duplicate 0, rejected 0` */
export function summary(progress: Progress): string {
  const { accepted, duplicate, rejected } = progress;
  return `sent ${sentOf(progress)}, accepted ${accepted}, duplicate ${duplicate}, rejected ${rejected}`;
}
