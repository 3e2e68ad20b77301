/** Where a replay that was interrupted goes on: a small file, by what is replayed and to where. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

export interface Totals {
  readonly accepted: number;
  readonly duplicate: number;
  readonly rejected: number;
}

export interface Progress extends Totals {
  /** The last line that was acknowledged or rejected. */
  readonly line: number;
  /** Of all lines up to that one: a file that was edited there, or is another one, begins anew. */
  readonly linesHash: string;
  /** The last event that the edge acknowledged: an edge that has lost it begins anew. */
  readonly lastId?: string | undefined;
}

export interface Checkpoint {
  /** `undefined` where there is none to go on from. */
  read(): Promise<Progress | undefined>;
  write(progress: Progress): Promise<void>;
  remove(): Promise<void>;
}

export interface CheckpointOptions {
  /** `-` has none: what was read of the standard input does not come again. */
  readonly file: string;
  readonly url: URL;
  /** Default: `.millrace/replay` in the working directory. */
  readonly directory?: string;
}

export function openCheckpoint(options: CheckpointOptions): Checkpoint {
  const { file, url, directory = join('.millrace', 'replay') } = options;
  if (file === '-')
    return { read: async () => undefined, write: async () => undefined, remove: async () => undefined };
  const name = createHash('sha256')
    .update(`${resolve(file)}\n${url.href}`)
    .digest('hex')
    .slice(0, 24);
  const path = join(directory, `${name}.json`);
  return {
    read: async () => readProgress(await readFile(path, 'utf8').catch(() => '')),
    async write(progress) {
      await mkdir(dirname(path), { recursive: true });
      // Renamed into place, so that a kill leaves the old one or the new one.
      await writeFile(
        `${path}.new`,
        JSON.stringify({ file: resolve(file), url: url.href, ...progress }),
      );
      await rename(`${path}.new`, path);
    },
    remove: () => rm(path, { force: true }),
  };
}

function readProgress(text: string): Progress | undefined {
  try {
    const stored = JSON.parse(text) as Progress;
    const { line, linesHash, lastId, accepted, duplicate, rejected } = stored;
    const whole = [line, accepted, duplicate, rejected].every(
      (count) => Number.isSafeInteger(count) && count >= 0,
    );
    if (!whole || typeof linesHash !== 'string') return undefined;
    return { line, linesHash, lastId, accepted, duplicate, rejected };
  } catch {
    return undefined;
  }
}
