/** A log of which everything is in the archive as soon as it is committed, and nothing of that is kept in memory. */
import { openSqlite, type SqlDatabase, type SqliteStorage } from '../../../src/storage/sqlite.ts';
import { checksumOfLines, type SegmentArchive } from '../../../src/storage/segments/archive.ts';
import type { Storage } from '../../../src/storage/storage.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export class MemoryArchive implements SegmentArchive {
  readonly objects = new Map<string, Bytes>();

  async put(key: string, bytes: Bytes): Promise<void> {
    this.objects.set(key, bytes.slice());
  }

  async get(key: string): Promise<Bytes | undefined> {
    return this.objects.get(key)?.slice();
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key);
  }
}

/** Keys that no other log has, and none twice. */
export function newKeys(prefix: string): (first: number) => string {
  return (first) => `${prefix}/${first}-${crypto.randomUUID()}`;
}

export const EVERYTHING = { now: Number.MAX_SAFE_INTEGER, olderThanMs: 0, small: true } as const;

export async function archiveAll(storage: SqliteStorage): Promise<void> {
  while ((await storage.archive(EVERYTHING)).more);
}

export interface ArchivedOptions {
  readonly log: string;
  readonly archive: SegmentArchive;
  /** Default: 0. */
  readonly cacheBytes?: number;
}

export function openArchived(
  database: SqlDatabase,
  { log, archive, cacheBytes = 0 }: ArchivedOptions,
): Storage {
  const storage = openSqlite(database, {
    log,
    archive: { store: archive, newKey: newKeys(log), cacheBytes },
  });
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(Object.getPrototypeOf(storage)));
  const bound = Object.fromEntries(
    methods.map((name) => [name, (storage[name as keyof Storage] as () => unknown).bind(storage)]),
  ) as unknown as Storage;
  return {
    ...bound,
    async commit(batch) {
      const release = await storage.prepare(batch);
      try {
        return await storage.commit(batch);
      } finally {
        release?.();
        // A step that fails is done by the next one.
        await archiveAll(storage).catch(() => undefined);
      }
    },
  };
}

/** As the archive would have taken it from a damaged row: the text's first byte is a line break, and the checksum knows. */
export async function damageArchived(
  database: SqlDatabase,
  { log, archive }: { readonly log: string; readonly archive: MemoryArchive },
  text: string,
): Promise<void> {
  const pattern = new TextEncoder().encode(text);
  for (const row of database.exec(`SELECT * FROM ${log}_archived`)) {
    const object = archive.objects.get(row['object'] as string)!;
    const start = row['start'] as number;
    const lines = object.subarray(start, start + (row['length'] as number));
    const at = lines.findIndex((_, i) => pattern.every((byte, k) => lines[i + k] === byte));
    if (at < 0) continue;
    lines[at] = 10;
    const sql = `UPDATE ${log}_archived SET checksum = ? WHERE first = ?`;
    database.exec(sql, checksumOfLines(lines), row['first']!);
  }
}
