/**
 * Moves old segments' lines out to the archive, and back: put, read back, compared, and only then, in one transaction,
 * replaced by where they stand. Before an object is put, its key is noted as one to be deleted; the transaction that comes
 * to refer to it takes the note away. So whatever is interrupted anywhere, no line is in less than one place, and what
 * nobody refers to is deleted by a later step.
 *
 * Each step is bounded, and one at a time.
 */
import { archiveFailed, checksumOfLines, linesIn, type SegmentArchive } from '../segments/archive.ts';
import type { ArchivedLines } from '../segments/archived-lines.ts';
import { mergeLines } from '../segments/lines.ts';
import type { SegmentHeader } from '../segments/segment.ts';
import { changeOf } from '../segments/tables.ts';
import type { Position } from '../position.ts';
import {
  ArchiveChoice,
  lastOf,
  type ArchiveOptions,
  type ArchiveStep,
  type Parcel,
} from './archive-choice.ts';
import type { ArchiveTables } from './archive-tables.ts';
import type { SqliteTables } from './tables.ts';

/** Objects that one step deletes. */
const DELETIONS = 8;

/** One log, as its storage lends it. */
export interface ArchiverOptions {
  readonly log: string;
  readonly archive: SegmentArchive;
  readonly archived: ArchivedLines;
  readonly tables: ArchiveTables;
  /** A new key each time, for an object whose first segment starts there. */
  readonly newKey: (first: Position) => string;
  /** Resolves when all that was written before is on disk. */
  readonly flush: () => Promise<void>;
  /** In one transaction, that cannot wait. */
  readonly transact: <T>(run: (tables: SqliteTables) => T) => T;
}

export class Archiver {
  readonly #options: ArchiverOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ArchiverOptions) {
    this.#options = options;
  }

  /** Runs when nothing else of the archive does. */
  alone<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(run, run);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** One bounded step: one object at the most. */
  step(given: ArchiveOptions): Promise<ArchiveStep> {
    return this.alone(async () => {
      const settled = await this.settle();
      if (!settled) return { more: true };
      const { transact, tables } = this.#options;
      const chosen = transact((segments) => new ArchiveChoice(tables, segments, given).parcel());
      if (!('headers' in chosen)) return chosen;
      await this.#send(chosen);
      return { more: true };
    });
  }

  /** Brings back all lines that are in one object with those of the first segment which holds any of the positions. */
  async recall(from: Position, to: Position): Promise<void> {
    const { transact, tables } = this.#options;
    const known = transact((segments) => {
      const scan = { terms: [], to: to + 1, direction: 'forward', limit: 1 } as const;
      const [header] = segments.headers({ ...scan, from: segments.startOf(from) });
      return header && tables.find(header.first);
    });
    if (known !== undefined) await this.#bringBack(known.object);
  }

  /** Deletes objects that are not needed whole: what others still refer to is brought back. Resolves to whether none is left. */
  async settle(): Promise<boolean> {
    const { tables, archive, archived, transact, flush, log } = this.#options;
    const objects = transact(() => tables.unsettled(DELETIONS));
    for (const object of objects) {
      await this.#bringBack(object);
      await flush();
      await archive.delete(object).catch((cause: unknown) => {
        throw archiveFailed(log, { first: 0, object }, 'unreachable', cause);
      });
      archived.forget(object);
      transact(() => tables.settle(object));
    }
    return objects.length < DELETIONS;
  }

  async #bringBack(key: string): Promise<void> {
    const { transact, tables, archived, log } = this.#options;
    const [known] = transact(() => tables.inObject(key));
    if (known === undefined) return;
    const object = await archived.object(known);
    // Its bytes are read anew the next time, also where they are not what they should be.
    archived.forget(key);
    transact(() => {
      const segments = tables.inObject(key);
      for (const segment of segments) tables.restore(segment, linesIn(object, segment, log));
      const [start = known] = segments;
      tables.setDone(Math.min(tables.done, start.first - 1));
    });
  }

  async #send({ headers, lines }: Parcel): Promise<void> {
    const { tables, archive, transact, flush, newKey, log } = this.#options;
    const object = newKey(headers[0]!.first);
    transact(() => tables.unsettle(object));
    const bytes = mergeLines(lines);
    const place = { first: headers[0]!.first, object };
    const failed = (cause: unknown): never => {
      throw archiveFailed(log, place, 'unreachable', cause);
    };
    await flush();
    await archive.put(object, bytes).catch(failed);
    const kept = await archive.get(object).catch(failed);
    if (kept === undefined) throw archiveFailed(log, place, 'missing');
    if (!isSame(kept, bytes)) throw archiveFailed(log, place, 'changed');
    transact((segments) => {
      // Trimmed or erased meanwhile: then the object has what must not be kept, and goes.
      if (headers.every((header) => isUnchanged(segments, header)))
        this.#refer(segments, place, headers, lines);
      else tables.setDone(Math.min(tables.done, place.first - 1));
    });
  }

  #refer(
    segments: SqliteTables,
    { object }: { readonly object: string },
    headers: readonly SegmentHeader[],
    lines: readonly Uint8Array<ArrayBuffer>[],
  ): void {
    const { tables } = this.#options;
    let start = 0;
    for (const [i, { first }] of headers.entries()) {
      const { byteLength: length } = lines[i]!;
      tables.archive({ first, object, start, length, checksum: checksumOfLines(lines[i]!) });
      start += length;
    }
    tables.settle(object);
    const last = lastOf(headers.at(-1)!);
    tables.setDone(last);
    // What is in the archive is merged with nothing any more.
    const head = segments.head()!;
    if (head.compacted < last) segments.write(changeOf({ ...head, compacted: last }));
  }
}

function isSame(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The columns' checksum is over those of the lines. */
function isUnchanged(segments: SqliteTables, { first, count, checksum }: SegmentHeader): boolean {
  const now = segments.header(first);
  return now?.count === count && now.checksum === checksum;
}
