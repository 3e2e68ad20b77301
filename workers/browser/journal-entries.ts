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
export function writeEntries({ log, positions, lines }: Entries): string {
  return `${[log, ...positions].join()}\n${lines.join('\n')}`;
}

function readEntries(text: string): Entries {
  const [head, ...lines] = text.split('\n');
  const [log, ...positions] = head!.split(',').map(Number);
  return { log: log!, positions, lines };
}

/** The number of the log whose events the file holds; 0 where it holds none. */
export function logOf({ texts }: JournalFile): number {
  return parseInt(texts[0] ?? '0');
}

export interface LostEvent {
  readonly log: number;
  readonly position: Position;
  readonly line: string;
}

/** What was found of a journal: its files are open. */
export interface Found {
  /** Files whose events the edge does not have all, each with the last of them. */
  readonly waiting: { readonly file: JournalFile; readonly last: Position }[];
  /** Files of which nothing need stay, once what is lost is back. */
  readonly done: JournalFile[];
  /** What other logs left and this one's files do not have, in the order of their events, each once. */
  readonly lost: LostEvent[];
  /** Where the events of these files stand, frame by frame, as far as they are this log's. */
  readonly covered: (readonly Position[])[];
  /** Whether other tabs hold files too. */
  readonly shared: boolean;
}

/** `known`: the log's number, where it is not new. `kept`: files that this worker has never closed. */
export async function readJournal(
  folder: FileSystemDirectoryHandle,
  known: number | undefined,
  acked: Position,
  kept: readonly JournalFile[],
): Promise<Found> {
  const waiting: Found['waiting'] = [];
  const done: JournalFile[] = [];
  const lost: LostEvent[] = [];
  const covered: (readonly Position[])[] = [];
  const here: (readonly string[])[] = [];
  const own = (await Promise.all(kept.map((file) => file.again()))).filter((file) => file !== undefined);
  const free: JournalFile[] = [];
  let held = 0;
  for await (const file of openFiles(folder, false)) {
    if (file === undefined) held++;
    else free.push(file);
  }
  for (const file of [...own, ...free]) {
    const isKnown = logOf(file) === known;
    let last = 0;
    for (const { log, positions, lines } of file.texts.splice(0).map(readEntries)) {
      last = Math.max(last, ...positions);
      if (isKnown) {
        covered.push(positions);
        here.push(lines);
      } else positions.forEach((position, i) => lost.push({ log, position, line: lines[i]! }));
    }
    if (file.size === 0) file.close();
    else if (isKnown && last > acked) waiting.push({ file, last });
    else done.push(file);
  }
  lost.sort((a, b) => a.log - b.log || a.position - b.position);
  return { waiting, done, lost: unlike(lost, here), covered, shared: held > own.length };
}

/** An event that was brought back has the very line: there is no need to ask the log for its id. */
function unlike(lost: readonly LostEvent[], here: readonly (readonly string[])[]): LostEvent[] {
  const known = new Set(lost.length > 0 ? here.flat() : []);
  return lost.filter(({ line }) => !known.has(line) && known.add(line));
}
