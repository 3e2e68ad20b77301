/**
 * Lines that are in the archive, for scripts that must have them at once: a script that meets lines which are not at hand
 * ends with `LinesAbsent`, they are fetched, and it is run anew. So a transaction never waits, and always sees one state.
 */
import type { MillraceError } from '../../errors.ts';
import type { Undo } from '../../ports.ts';
import {
  archiveFailed,
  archiveLimits,
  linesIn,
  type ArchivedSegment,
  type SegmentArchive,
} from './archive.ts';

/** A part of a segment's lines: bytes from `from` to, but without, `to`; to the last where `to` is left out. */
export interface ArchivedPart {
  readonly segment: ArchivedSegment;
  readonly from: number;
  readonly to: number | undefined;
}

export class LinesAbsent extends Error {
  readonly part: ArchivedPart;

  constructor(part: ArchivedPart) {
    super(`the lines of segment ${part.segment.first} are in the archive`);
    this.part = part;
  }
}

/** A part that somebody has fetched and not yet released: its bytes, or why it cannot be read. */
interface Held {
  readonly ready: Promise<void>;
  uses: number;
  bytes?: Uint8Array<ArrayBuffer>;
  error?: unknown;
}

export interface ArchivedLinesOptions {
  readonly log: string;
  /** Left out where none is bound: what is archived cannot be read then, and says so. */
  readonly archive?: SegmentArchive | undefined;
  /** The most bytes of objects that are kept in memory. Default: 16 MiB. */
  readonly cacheBytes?: number | undefined;
}

export class ArchivedLines {
  readonly #options: ArchivedLinesOptions;
  readonly #cacheBytes: number;
  /** By key, those used last at the end. */
  readonly #cache = new Map<string, Uint8Array<ArrayBuffer>>();
  #cached = 0;
  readonly #loading = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  readonly #held = new Map<string, Held>();
  #reads = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: ArchivedLinesOptions) {
    this.#options = options;
    this.#cacheBytes = options.cacheBytes ?? archiveLimits.cacheBytes;
  }

  /** Bytes of objects that are kept in memory. */
  get cachedBytes(): number {
    return this.#cached;
  }

  /** `undefined` where it must be fetched. @throws MillraceError why it could not be */
  find(part: ArchivedPart): Uint8Array<ArrayBuffer> | undefined {
    const held = this.#held.get(keyOf(part));
    if (held?.error !== undefined) throw held.error;
    if (held?.bytes !== undefined) return held.bytes;
    const object = this.#cachedObject(part.segment.object);
    return object && this.#cut(object, part);
  }

  /** Fetches the part. From then on `find` gives it, or says why not, until it is released. */
  async hold(part: ArchivedPart): Promise<Undo> {
    const key = keyOf(part);
    let held = this.#held.get(key);
    if (held === undefined) {
      const made: Held = {
        uses: 0,
        ready: this.#fetch(part).then(
          (bytes) => void (made.bytes = bytes),
          (error: unknown) => void (made.error = error),
        ),
      };
      this.#held.set(key, (held = made));
    }
    held.uses++;
    await held.ready;
    let released = false;
    return () => {
      if (!released && --held.uses === 0) this.#held.delete(key);
      released = true;
    };
  }

  /** The whole object. @throws MillraceError `storage.archive-failed` */
  async object(segment: ArchivedSegment): Promise<Uint8Array<ArrayBuffer>> {
    const { object } = segment;
    const cached = this.#cachedObject(object);
    if (cached !== undefined) return cached;
    let loading = this.#loading.get(object);
    if (loading === undefined) {
      loading = this.#load(segment).finally(() => this.#loading.delete(object));
      this.#loading.set(object, loading);
    }
    return loading;
  }

  /** The object is no more. */
  forget(object: string): void {
    const cached = this.#cache.get(object);
    if (cached === undefined) return;
    this.#cache.delete(object);
    this.#cached -= cached.byteLength;
  }

  async #fetch(part: ArchivedPart): Promise<Uint8Array<ArrayBuffer>> {
    // A copy, which keeps no object in memory.
    return this.#cut(await this.object(part.segment), part).slice();
  }

  #cut(object: Uint8Array<ArrayBuffer>, { segment, from, to }: ArchivedPart): Uint8Array<ArrayBuffer> {
    try {
      return linesIn(object, segment, this.#options.log).subarray(from, to);
    } catch (error) {
      // Read anew the next time: somebody may have put it back.
      this.forget(segment.object);
      throw error;
    }
  }

  async #load(segment: ArchivedSegment): Promise<Uint8Array<ArrayBuffer>> {
    await this.#turn();
    try {
      const object = await this.#get(segment);
      this.#keep(segment.object, object);
      return object;
    } finally {
      // Its place goes on to who waits longest.
      const next = this.#waiting.shift();
      if (next === undefined) this.#reads--;
      else next();
    }
  }

  async #get(segment: ArchivedSegment): Promise<Uint8Array<ArrayBuffer>> {
    const { log, archive } = this.#options;
    if (archive === undefined) throw archiveFailed(log, segment, 'unbound');
    const object = await archive.get(segment.object).catch((cause: unknown): MillraceError => {
      throw archiveFailed(log, segment, 'unreachable', cause);
    });
    if (object === undefined) throw archiveFailed(log, segment, 'missing');
    return object as Uint8Array<ArrayBuffer>;
  }

  async #turn(): Promise<void> {
    if (this.#reads < archiveLimits.reads) this.#reads++;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }

  /** It is the one used last, from now on. */
  #cachedObject(key: string): Uint8Array<ArrayBuffer> | undefined {
    const object = this.#cache.get(key);
    if (object === undefined) return undefined;
    this.#cache.delete(key);
    this.#cache.set(key, object);
    return object;
  }

  #keep(key: string, object: Uint8Array<ArrayBuffer>): void {
    if (object.byteLength > this.#cacheBytes) return;
    this.forget(key);
    this.#cache.set(key, object);
    this.#cached += object.byteLength;
    for (const oldest of this.#cache.keys()) {
      if (this.#cached <= this.#cacheBytes) break;
      this.forget(oldest);
    }
  }
}

function keyOf({ segment, from, to = segment.length }: ArchivedPart): string {
  return `${segment.object}:${segment.start + from}:${to - from}`;
}
