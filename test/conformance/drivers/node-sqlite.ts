/** The SQLite driver on `node:sqlite`, in a file of its own folder, with calls that can be made to fail. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqlite, type SqlDatabase } from '../../../src/storage/sqlite.ts';
import { openNodeDatabase, openNodeSqlite } from '../../../workers/node/sqlite.ts';
import { damageArchived, MemoryArchive, openArchived } from './archived.ts';
import { damageRow } from './damage-row.ts';
import type { StorageHarness } from '../../../src/testing.ts';

/** A database file, for what opens its logs, or fails its calls, by itself. */
export const nodeSqlite = (path: string): SqlDatabase => openNodeDatabase(path);

export function nodeSqliteHarness(): StorageHarness {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const path = join(folder, 'logs.sqlite');
  const table = (log: string): string => log.replaceAll(/\W/g, '_');
  return {
    durable: true,
    open: (log) => openNodeSqlite(path, { log: table(log) }),
    openFailing: (log, failAt) => {
      let calls = -Infinity;
      const database = nodeSqlite(path);
      const failing: SqlDatabase = {
        exec: (sql, ...bindings) => {
          if (++calls === failAt) throw new Error(`injected failure at call ${failAt}`);
          return database.exec(sql, ...bindings);
        },
        transaction: (run) => database.transaction(run),
      };
      const storage = openSqlite(failing, { log: table(log) });
      calls = 0;
      return storage;
    },
    openBroken: () => openNodeSqlite(path, { log: 'no; such' }),
    damage: (log, text) => damageRow(nodeSqlite(path), table(log), text),
    cleanup: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The same, with everything in an archive. */
export function archivedSqliteHarness(): StorageHarness {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const path = join(folder, 'logs.sqlite');
  const archives = new Map<string, MemoryArchive>();
  const of = (given: string) => {
    const log = given.replaceAll(/\W/g, '_');
    if (!archives.has(log)) archives.set(log, new MemoryArchive());
    return { log, archive: archives.get(log)! };
  };
  return {
    durable: true,
    open: (log) => openArchived(nodeSqlite(path), of(log)),
    openFailing: (log, failAt) => {
      let calls = -Infinity;
      const database = nodeSqlite(path);
      const failing: SqlDatabase = {
        ...database,
        exec: (sql, ...bindings) => {
          if (++calls === failAt) throw new Error(`injected failure at call ${failAt}`);
          return database.exec(sql, ...bindings);
        },
      };
      const storage = openArchived(failing, of(log));
      calls = 0;
      return storage;
    },
    damage: (log, text) => damageArchived(nodeSqlite(path), of(log), text),
    cleanup: () => rmSync(folder, { recursive: true, force: true }),
  };
}
