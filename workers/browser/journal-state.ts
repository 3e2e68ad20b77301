/**
 * What a log's journal knows beside the log itself, so that it outlives the log's database: which logs there were, which of
 * them are forgotten, and what the visitor has decided.
 */
import { decodeFrames } from './journal-frames.ts';
import { inFolder, openFile, openFiles } from './journal-folder.ts';
import { logOf } from './journal-entries.ts';

export interface JournalState {
  /** The number of the log that was opened last. Each new log of this name has the next. */
  readonly log: number;
  /** All logs up to this number are forgotten: nothing of them is brought back. */
  readonly forgotten: number;
  readonly consent?: 'granted' | 'withdrawn';
}

const FILE = 'state';
/** In bytes. The last frame counts, so that older ones are dropped once in a while only. */
const FULL = 4_096;

/** Without a folder, as where there is nothing. */
export async function readJournalState(log: string): Promise<JournalState | undefined> {
  return inFolder(log, false, (folder) => changeState(folder, {})).catch(() => undefined);
}

/** Notes it where there is a private file system. A kill in between leaves what was, or what is to be. */
export async function noteInJournal(log: string, change: Partial<JournalState>): Promise<void> {
  await inFolder(log, true, (folder) => changeState(folder, change)).catch(() => {});
}

/** All that there was so far is forgotten, from here on: before the log is emptied. */
export async function forgetJournal(log: string): Promise<void> {
  await inFolder(log, false, async (folder) => {
    const { log: forgotten } = await changeState(folder, {});
    await changeState(folder, { forgotten });
  }).catch(() => {});
}

/** Empties the files of logs that are forgotten, but for those that are held: who holds them does the same. */
export async function sweepJournal(log: string): Promise<void> {
  await inFolder(log, false, async (folder) => {
    const { forgotten } = await changeState(folder, {});
    for await (const file of openFiles(folder, false)) {
      if (file && logOf(file) <= forgotten) file.cut();
      file?.close();
    }
  }).catch(() => {});
}

/** The state with the change, which is written where there is one. To read it takes no handle, and so nothing to close. */
export async function changeState(
  folder: FileSystemDirectoryHandle,
  change: Partial<JournalState>,
): Promise<JournalState> {
  const entry = await folder.getFileHandle(FILE, { create: true });
  const bytes = new Uint8Array(await (await entry.getFile()).arrayBuffer());
  const before = JSON.parse(decodeFrames(bytes).texts.at(-1) ?? '{}') as Partial<JournalState>;
  const state: JournalState = { log: 0, forgotten: 0, ...before, ...change };
  if (Object.keys(change).length === 0) return state;
  const file = await openFile(entry);
  if (file === undefined) throw new Error('the state is held');
  try {
    if (file.size > FULL) file.cut();
    file.append([JSON.stringify(state)], true);
    return state;
  } finally {
    file.close();
  }
}
