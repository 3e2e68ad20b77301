/**
 * What the edge has not acknowledged, once more: a journal beside the log's database, in the origin's private file system.
 * Chromium throws a database away that it was killed while writing, now and then; what had a receipt is brought back from
 * here then, into the log that is new.
 *
 * Events are written after their commit, for they have their positions then, and before their receipts. Each worker has a
 * file of its own to write to; one that has ended leaves it to whoever opens the log next. A file is emptied once the edge
 * has acknowledged all of it. An idea of write-ahead logs (ARIES, Mohan et al., 1992), turned around: the log is the truth as
 * long as it is there.
 */
import { hostPorts } from '../../src/ports.ts';
import type { Position, Storage } from '../../src/storage/storage.ts';
import { deadLetterPages, type DeadLetter } from '../../src/sync/dead-letter.ts';
import { syncKeys } from '../../src/sync/producer-state.ts';
import { readJournal, writeEntries, type LostEvent } from './journal-entries.ts';
import { inFolder, takeFile, type JournalFile } from './journal-folder.ts';
import { linesAt, restoreLines } from './journal-lines.ts';
import { changeState } from './journal-state.ts';
import type { Wiped } from './worker-api.ts';

/** Where the log's number stands in the log. */
const KEY = 'journal';
/** In bytes. Past it another file is taken, so that this one is emptied in time. */
const FULL_FILE = 4_194_304;
/** At least, between two tries to open a journal that could not be opened. */
const RETRY_MS = 2_000;

interface LogEntry {
  readonly log: number;
  readonly wiped?: Wiped;
  /** That not all may be back yet: nothing else is in the log until then. */
  readonly restoring?: true;
}

interface Held {
  readonly file: JournalFile;
  /** Of the events that the edge may not have, the first and the last. 0 where there are none. */
  first: Position;
  last: Position;
  /** Bytes at its start that stay: dead letters. */
  kept: number;
}

export class Journal {
  readonly #name: string;
  readonly #storage: Storage;
  readonly #strict: boolean;
  #folder: FileSystemDirectoryHandle | undefined;
  /** The log's number. */
  #log = 0;
  /** The last is written to; the others wait for the edge. */
  #held: Held[] = [];
  #taking = false;
  /** Events that this worker has committed, and that are in no file yet. */
  #missing: Position[] = [];
  #wiped: Wiped | undefined;
  #retryAt = 0;
  /** Files of a try to open it that failed. */
  #kept: readonly JournalFile[] = [];
  #closed = false;

  private constructor(name: string, storage: Storage, strict: boolean) {
    this.#name = name;
    this.#storage = storage;
    this.#strict = strict;
  }

  /**
   * Brings back what a log of this name has lost, before anything is captured. Never rejects: where there is no private
   * file system, or no room in it, the journal guards nothing, and says so.
   */
  static async open(
    log: string,
    storage: Storage,
    strict: boolean,
    kept: readonly JournalFile[],
  ): Promise<Journal> {
    const journal = new Journal(log, storage, strict);
    await journal.#tryOpen(kept);
    return journal;
  }

  /** Whether all that the edge has not acknowledged is here too. */
  get guarded(): boolean {
    return this.#held.length > 0 && this.#missing.length === 0;
  }

  /** Missing where the log's database was never thrown away. */
  get wiped(): Wiped | undefined {
    return this.#wiped;
  }

  /** Where it cannot be written, the log goes on alone, and it is tried again later. A position of 0 is no event. */
  write(places: readonly Position[], all: readonly string[]): void {
    const positions = places.filter((position) => position > 0);
    const lines = all.filter((_, index) => places[index]! > 0);
    if (positions.length > 0 && !this.#append(positions, lines))
      this.#missing = this.#missing.concat(positions);
  }

  /**
   * Drops what the edge has acknowledged, but for dead letters: the edge has refused those. What could not be written is
   * tried again.
   */
  async release(acked: Position): Promise<void> {
    this.#missing = this.#missing.filter((position) => position > acked);
    await this.#drop(acked);
    if (this.#closed || hostPorts.now() < this.#retryAt) return;
    if (this.#held.length === 0) await this.#tryOpen(this.#kept);
    else await this.#writeMissing();
  }

  /**
   * `keep`: gives the files as they are, for the next journal of this worker. Where the site's data were cleared, Chromium
   * never comes back from closing one.
   */
  close(keep = false): readonly JournalFile[] {
    this.#closed = true;
    return this.#leave(keep);
  }

  #leave(keep: boolean): readonly JournalFile[] {
    this.#folder = undefined;
    const files = [...this.#kept, ...this.#held.splice(0).map(({ file }) => file)];
    this.#kept = [];
    if (keep) return files;
    for (const file of files) file.close();
    return [];
  }

  async #tryOpen(kept: readonly JournalFile[]): Promise<void> {
    this.#kept = [];
    try {
      await inFolder(this.#name, true, (folder) => this.#open(folder, kept));
    } catch {
      this.#kept = this.#leave(true);
      this.#retryAt = hostPorts.now() + RETRY_MS;
    }
  }

  #append(positions: readonly Position[], lines: readonly string[]): boolean {
    const held = this.#held.at(-1);
    if (held === undefined) return false;
    try {
      held.file.append(writeEntries({ log: this.#log, positions, lines }), this.#strict);
    } catch {
      return false;
    }
    held.first = Math.min(held.first || Infinity, ...positions);
    held.last = Math.max(held.last, ...positions);
    if (held.file.size > FULL_FILE) void this.#take().catch(() => {});
    return true;
  }

  async #drop(acked: Position): Promise<void> {
    const isDone = ({ last }: Held): boolean => last > 0 && last <= acked;
    for (const held of this.#held.filter(isDone)) {
      const letters = await this.#letters(held.first - 1, held.last);
      const current = this.#held.at(-1);
      // It was written to meanwhile, or closed.
      if (!isDone(held) || current === undefined) continue;
      held.file.cut(held.kept);
      held.first = held.last = 0;
      if (held !== current) {
        this.#held = this.#held.filter((other) => other !== held);
        held.file.close();
      }
      this.#keep(current, letters);
    }
  }

  async #open(folder: FileSystemDirectoryHandle, kept: readonly JournalFile[]): Promise<void> {
    const state = await changeState(folder, {});
    const stored = (await this.#storage.get(KEY)) as unknown as LogEntry | undefined;
    // One that was to be forgotten when the browser was killed is another log from here on.
    const known = stored && stored.log > state.forgotten ? stored : undefined;
    const acked = ((await this.#storage.get(syncKeys.acked)) as Position | undefined) ?? 0;
    const { head } = await this.#storage.stats();
    const { waiting, done, lost, covered, shared } = await readJournal(
      folder,
      known?.log,
      { acked, head },
      kept,
    );
    if (this.#closed) {
      for (const file of [...waiting.map((held) => held.file), ...done]) file.close();
      return;
    }
    this.#folder = folder;
    this.#held = waiting.map(({ file, last }) => ({ file, first: acked + 1, last, kept: 0 }));
    this.#log = known?.log ?? Math.max(state.log, stored?.log ?? 0, lost.at(-1)?.log ?? 0) + 1;
    const isWiped = stored === undefined && state.log > state.forgotten;
    const gone = lost.filter(({ log }) => log > state.forgotten);
    this.#wiped = isWiped ? { at: hostPorts.now(), restored: 0 } : known?.wiped;
    if (known?.restoring && known.wiped) this.#wiped = { ...known.wiped, restored: head };
    try {
      // A file with room is written on, so that one who comes and goes without an edge takes no more files.
      this.#held.sort((a, b) => b.file.size - a.file.size);
      if ((this.#held.at(-1)?.file.size ?? FULL_FILE) >= FULL_FILE) await this.#take();
      this.#keep(this.#held.at(-1)!, await this.#letters(0, acked));
      if (state.log !== this.#log) await changeState(folder, { log: this.#log });
      // Before anything is brought back: a kill in between leaves the rest to bring back, and what is here is known.
      if (known === undefined) await this.#note(gone.length > 0);
      await this.#restore(gone, (position) => position <= acked || covered[position - acked - 1] === 1);
      if (gone.length > 0 || known?.restoring) await this.#note();
      // Another tab's files are not to be read, and may have what is in no other.
      if (!shared) covered.forEach((is, index) => is === 0 && this.#missing.push(acked + 1 + index));
      await this.#writeMissing();
      for (const file of done) file.cut();
    } finally {
      for (const file of done) file.close();
    }
  }

  async #take(): Promise<void> {
    const folder = this.#folder;
    if (this.#taking || folder === undefined) return;
    this.#taking = true;
    try {
      const file = await takeFile(folder);
      if (this.#folder === undefined) file.close();
      else this.#held.push({ file, first: 0, last: 0, kept: 0 });
    } finally {
      this.#taking = false;
    }
  }

  /** What an earlier life brought back already is in a file. */
  async #restore(lost: readonly LostEvent[], isHere: (position: Position) => boolean): Promise<void> {
    for await (const { positions, lines, restored } of restoreLines(this.#storage, lost)) {
      this.write(
        positions.map((position) => (isHere(position) ? 0 : position)),
        lines,
      );
      if (restored === 0) continue;
      const { at = hostPorts.now(), restored: before = 0 } = this.#wiped ?? {};
      this.#wiped = { at, restored: before + restored };
    }
  }

  async #writeMissing(): Promise<void> {
    if (this.#missing.length === 0) return;
    const rising = [...new Set(this.#missing)].toSorted((a, b) => a - b);
    let through = 0;
    try {
      for await (const { positions, lines } of linesAt(this.#storage, rising)) {
        if (positions.length > 0 && !this.#append(positions, lines)) {
          this.#retryAt = hostPorts.now() + RETRY_MS;
          return;
        }
        through = positions.at(-1) ?? through;
      }
      through = rising.at(-1)!;
    } finally {
      // What was captured meanwhile, and could not be written either, stands behind.
      this.#missing = this.#missing.filter((position) => position > through);
    }
  }

  async #note(restoring = false): Promise<void> {
    const entry = {
      log: this.#log,
      ...(this.#wiped && { wiped: { ...this.#wiped } }),
      ...(restoring && { restoring }),
    };
    await this.#storage.commit([{ events: [], put: [[KEY, entry]] }]);
  }

  /** Dead letters after a position, up to another. */
  async #letters(after: Position, until: Position): Promise<readonly DeadLetter[]> {
    const found: DeadLetter[] = [];
    for await (const letters of deadLetterPages(this.#storage, after))
      found.push(...letters.filter(({ position, line }) => position <= until && line !== ''));
    return found;
  }

  #keep(held: Held, letters: readonly DeadLetter[]): void {
    const [first] = letters;
    if (first === undefined) return;
    const positions = letters.map(({ position }) => position);
    const lines = letters.map(({ line }) => line);
    held.file.append(writeEntries({ log: this.#log, positions, lines }), this.#strict);
    if (held.last === 0) held.kept = held.file.size;
    else held.first = Math.min(held.first, first.position);
  }
}
