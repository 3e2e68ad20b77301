/** The SQLite driver on `node:sqlite`, in a file of its own folder, with calls that can be made to fail. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { openSqlite, type SqlDatabase, type SqlRow } from '../../../src/storage/sqlite.ts';
import { damageArchived, MemoryArchive, openArchived } from './archived.ts';
import { damageRow } from './damage-row.ts';
import type { StorageHarness } from '../../../src/testing.ts';

/** A database file as the driver asks for one. Statements are prepared once. */
export function nodeSqlite(path: string): SqlDatabase {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  const statements = new Map<string, StatementSync>();
  return {
    exec(sql, ...bindings) {
      let statement = statements.get(sql);
      if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)));
      return statement.all(
        ...(bindings as (string | number | null | Uint8Array)[]),
      ) as unknown as SqlRow[];
    },
    transaction(run) {
      database.exec('BEGIN IMMEDIATE');
      try {
        const result = run();
        database.exec('COMMIT');
        return result;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => database.close(),
  };
}

export function nodeSqliteHarness(): StorageHarness {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const path = join(folder, 'logs.sqlite');
  const table = (log: string): string => log.replaceAll(/\W/g, '_');
  return {
    durable: true,
    open: (log) => openSqlite(nodeSqlite(path), { log: table(log) }),
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
    openBroken: () => openSqlite(nodeSqlite(path), { log: 'no; such' }),
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
