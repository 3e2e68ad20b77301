/** What the environment says about the archive: an R2 bucket bound as `ARCHIVE`, and after how long segments go there. */
import { hostPorts } from '../../../src/ports.ts';
import type { SqliteArchive, SqliteStorage } from '../../../src/storage/sqlite.ts';
import type { Env } from '../environment.ts';
import { logFailure } from '../failure-log.ts';
import { archiveAfterMs } from './archive-after.ts';
import { r2Archive } from './r2-archive.ts';
import { ShardArchive } from './shard-archive.ts';

const DIGITS = 16;

/** A shard's Durable Object. */
export interface ShardObject {
  readonly name?: string | undefined;
  readonly id: string;
  /** Resolves when all that was written before is on disk. */
  readonly flush: () => Promise<void>;
}

/** Its objects in the bucket stand under its name. `undefined` where no bucket is bound. */
export function archiveOf(env: Env, { name, id, flush }: ShardObject): SqliteArchive | undefined {
  const { ARCHIVE: bucket } = env;
  if (bucket === undefined) return undefined;
  const newKey = (first: number): string =>
    `${name ?? id}/${String(first).padStart(DIGITS, '0')}-${crypto.randomUUID()}`;
  return { store: r2Archive(bucket, { ports: hostPorts }), newKey, flush };
}

/** `undefined` where the setting is wrong, which is logged: then nothing goes to the archive, and what is there is read. */
export function openShardArchive(env: Env, storage: SqliteStorage): ShardArchive | undefined {
  try {
    const olderThanMs = archiveAfterMs(env.MILLRACE_ARCHIVE_AFTER_DAYS);
    return new ShardArchive({ storage, olderThanMs, ports: hostPorts });
  } catch (error) {
    logFailure('shard archive', error);
    return undefined;
  }
}
