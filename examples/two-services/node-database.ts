/** A database file of Node's own SQLite, as Millrace's driver asks for one. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { SqlDatabase, SqlRow } from 'millrace';

export function openDatabase(path: string): SqlDatabase {
  const database = new DatabaseSync(path);
  // Another process may look into it: neither is refused for the other's moment.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000');
  const statements = new Map<string, StatementSync>();
  return {
    exec(sql, ...bindings) {
      let statement = statements.get(sql);
      if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)));
      return statement.all(...(bindings as SQLInputValue[])) as unknown as SqlRow[];
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
