/** What one would write by hand on SQLite: a row an event with the indexes that the same look-ups need, or a blob a batch. */
import type { Event } from '../../src/event/event.ts';
import { encodeLine } from '../../src/event/wire.ts';
import type { SqlDatabase } from '../../src/storage/sqlite.ts';

export function createRows(database: SqlDatabase): void {
  database.exec(
    `CREATE TABLE rows (position INTEGER PRIMARY KEY, id TEXT, type TEXT, correlation TEXT, time INTEGER, line TEXT)`,
  );
  database.exec('CREATE UNIQUE INDEX rows_id ON rows (id)');
  database.exec('CREATE INDEX rows_type ON rows (type, position)');
  database.exec('CREATE INDEX rows_correlation ON rows (correlation, position)');
  database.exec('CREATE INDEX rows_time ON rows (time)');
}

export function insertRows(database: SqlDatabase, events: readonly Event[]): void {
  database.transaction(() => {
    for (const event of events) {
      database.exec(
        'INSERT INTO rows (id, type, correlation, time, line) VALUES (?, ?, ?, ?, ?)',
        ...[event.id, event.type, event.correlationId ?? null, event.timestamp, encodeLine(event)],
      );
    }
  });
}

export function createBlobs(database: SqlDatabase): void {
  database.exec('CREATE TABLE blobs (position INTEGER PRIMARY KEY, lines TEXT)');
}

export function insertBlob(database: SqlDatabase, events: readonly Event[]): void {
  database.transaction(() => {
    database.exec('INSERT INTO blobs (lines) VALUES (?)', events.map(encodeLine).join('\n'));
  });
}

export function bytesAtRest(database: SqlDatabase): number {
  const [pages] = database.exec('SELECT page_count AS n FROM pragma_page_count()');
  const [size] = database.exec('SELECT page_size AS n FROM pragma_page_size()');
  return (pages!['n'] as number) * (size!['n'] as number);
}
