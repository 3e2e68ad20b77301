/** Damage at rest, in SQLite. */
import type { SqlDatabase } from '../../../src/storage/sqlite.ts';

/** Overwrites the first byte of the text with a line break, in the row of the segment that holds it. */
export function damageRow(database: SqlDatabase, log: string, text: string): void {
  const sql = `UPDATE ${log}_segment SET lines = CAST(replace(CAST(lines AS TEXT), ?1, ?2) AS BLOB)
    WHERE instr(CAST(lines AS TEXT), ?1) > 0`;
  database.exec(sql, text, `\n${text.slice(1)}`);
}
