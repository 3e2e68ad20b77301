/** The SQLite driver on the storage of one Durable Object, with calls that can be made to fail. */
import { openSqlite, type SqlDatabase, type SqlRow } from 'millrace';
import type { StorageHarness } from 'millrace/testing';
import { damageRow } from './damage-row.ts';

export function durableObjectHarness(storage: DurableObjectStorage): StorageHarness {
  const database: SqlDatabase = {
    exec: (sql, ...bindings) => storage.sql.exec(sql, ...bindings).toArray() as SqlRow[],
    transaction: (run) => storage.transactionSync(run),
  };
  const table = (log: string): string => log.replaceAll(/\W/g, '_');
  return {
    durable: true,
    open: (log) => openSqlite(database, { log: table(log) }),
    openFailing: (log, failAt) => {
      let calls = -Infinity;
      const failing: SqlDatabase = {
        ...database,
        exec: (sql, ...bindings) => {
          if (++calls === failAt) throw new Error(`injected failure at call ${failAt}`);
          return database.exec(sql, ...bindings);
        },
      };
      const opened = openSqlite(failing, { log: table(log) });
      calls = 0;
      return opened;
    },
    damage: (log, text) => damageRow(database, table(log), text),
    openBroken: () => openSqlite(database, { log: 'no; such' }),
  };
}
