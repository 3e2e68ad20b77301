/** What the SQLite driver asks of a database: two functions, so that it runs on any that has them. */
export type SqlValue = string | number | null | Uint8Array<ArrayBuffer> | ArrayBuffer;
export type SqlRow = Readonly<Record<string, SqlValue>>;

export interface SqlDatabase {
  /** Runs one statement and gives its rows. Positional bindings. */
  exec(sql: string, ...bindings: SqlValue[]): readonly SqlRow[];
  /** Runs `run` in one transaction, rolled back whole where it throws. */
  transaction<T>(run: () => T): T;
  /** Releases the database, where it is the log's own. A Durable Object's is not. */
  close?(): void;
}
