/**
 * One edge at a time on a folder of state. The lock is SQLite's own on a file in the folder, which the system takes
 * back when its process dies, however it dies: there is no stale lock, and no process id that another one has by now.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface StateHolder {
  readonly pid: number;
  readonly port: number;
}

/**
 * Locks the folder, which is made where there is none, until the lock is disposed of or this process ends.
 *
 * @throws One sentence that names who holds the lock, or says why there can be none.
 */
export function lockState(folder: string, port: number): Disposable {
  const holder = join(folder, 'holder.json');
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    database = new DatabaseSync(join(folder, 'lock.sqlite'));
    database.exec('BEGIN EXCLUSIVE');
    writeFileSync(holder, JSON.stringify({ pid: process.pid, port } satisfies StateHolder));
  } catch (cause) {
    database?.close();
    throw new Error(refusal(folder, holder, cause), { cause });
  }
  return { [Symbol.dispose]: () => database.close() };
}

const SQLITE_BUSY = 5;

function refusal(folder: string, holder: string, cause: unknown): string {
  if (typeof cause !== 'object' || cause === null) return String(cause);
  if ('errcode' in cause && cause.errcode === SQLITE_BUSY)
    return `Millrace runs already on the state in ${folder}${described(holder)}: stop it, or name another folder for this one with MILLRACE_STATE.`;
  const reason = cause instanceof Error ? cause.message : 'unknown';
  return `The state cannot be kept in ${folder} (${reason}): name another folder with MILLRACE_STATE.`;
}

function described(holder: string): string {
  try {
    const { pid, port } = JSON.parse(readFileSync(holder, 'utf8')) as StateHolder;
    return ` (process ${pid}, port ${port})`;
  } catch {
    return ''; // it has the lock, and has not yet said who it is
  }
}
