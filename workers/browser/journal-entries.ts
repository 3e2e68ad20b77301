/** What a frame of the journal says: a log's number, positions, and the events' lines. All frames of a file are one log's. */
import type { Position } from '../../src/storage/storage.ts';
import { openFiles, type JournalFile } from './journal-folder.ts';

/** Events of one log, and where they stand in it. */
export interface Entries {
  readonly log: number;
  readonly positions: readonly Position[];
  readonly lines: readonly string[];
}

/** No line has a line break. */
export function writeEntries({ log, positions, lines }: Entries): readonly string[] {
  return [[log, ...positions].join(), ...lines];
}

function positionsOf(head: string): Position[] {
  return head.split(',').slice(1).map(Number);
}

/** The number of the log whose events the file holds; 0 where it holds none. */
export function logOf({ frames }: JournalFile): number {
  return parseInt(frames[0]?.head ?? '0');
}

/** Its line stays in its file until it is brought back: all of them together may be more than fits into memory. */
export interface LostEvent {
  readonly log: number;
  readonly position: Position;
  /** Reads the frame that it is in. */
  readonly text: () => string;
  /** Which of the frame's lines it is. */
  readonly index: number;
}

/** The lines of some events, each of their frames read once. */
export function readLost(lost: readonly LostEvent[]): string[] {
  const frames = new Map<LostEvent['text'], readonly string[]>();
  return lost.map(({ text, index }) => {
    if (!frames.has(text)) frames.set(text, text().split('\n'));
    return frames.get(text)![index + 1]!;
  });
}

/** What was found of a journal: its files are open. */
export interface Found {
  /** Files whose events the edge does not have all, each with the last of them. */
  readonly waiting: { readonly file: JournalFile; readonly last: Position }[];
  /** Files of which nothing need stay, once what is lost is back. */
  readonly done: JournalFile[];
  /** What other logs left, in the order of their events. */
  readonly lost: LostEvent[];
  /** 1 for each position after `acked`, up to the log's head, whose event is in one of these files. */
  readonly covered: Uint8Array;
  /** Whether other tabs hold files too. */
  readonly shared: boolean;
}

/** `known`: the log's number, where it is not new. `kept`: files that this worker has never closed. */
export async function readJournal(
  folder: FileSystemDirectoryHandle,
  known: number | undefined,
  { acked, head }: { readonly acked: Position; readonly head: Position },
  kept: readonly JournalFile[],
): Promise<Found> {
  const waiting: Found['waiting'] = [];
  const done: JournalFile[] = [];
  const lost: LostEvent[] = [];
  const covered = new Uint8Array(Math.max(0, head - acked));
  const take = (file: JournalFile): void => {
    const log = logOf(file);
    let last = 0;
    for (const { head: first, text } of file.frames.splice(0)) {
      for (const [index, position] of positionsOf(first).entries()) {
        last = Math.max(last, position);
        if (log === known) covered[position - acked - 1] = 1;
        else lost.push({ log, position, text, index });
      }
    }
    if (file.size === 0) file.close();
    else if (log === known && last > acked) waiting.push({ file, last });
    else done.push(file);
  };
  let held = 0;
  for (const file of kept) {
    const own = await file.again();
    if (own === undefined) continue;
    take(own);
    held--;
  }
  // Those of this worker are held, too.
  for await (const file of openFiles(folder, false)) {
    if (file === undefined) held++;
    else take(file);
  }
  lost.sort((a, b) => a.log - b.log || a.position - b.position);
  return { waiting, done, lost, covered, shared: held > 0 };
}
