/**
 * The files of a log's journal, in the origin's private file system. A file is held by whoever has its access handle, and
 * by nobody else: what can be opened was left by a worker that has ended. Files are named 0, 1, 2 … and never removed: a new
 * one changes the browser's own database of names, so that they are emptied, and used again.
 */
import { encodeFrame, framesOf, LINE_BREAK } from './journal-frames.ts';

/** Of the platform's, what is used here: its types stand with a worker's alone. */
interface AccessHandle {
  getSize(): number;
  read(bytes: Uint8Array, options: { readonly at: number }): number;
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

interface FileAccess {
  createSyncAccessHandle(): Promise<AccessHandle>;
}

/** How long another tab may take to bring back what was lost, or to end. */
const LOCK_MS = 10_000;
/** How long the browser may take for a folder: right after the site's data were cleared, Chromium may never answer. */
const FOLDER_MS = 3_000;

export interface FileFrame {
  /** Its first line. */
  readonly head: string;
  /** Reads all of it. */
  readonly text: () => string;
}

const decoder = new TextDecoder();

export class JournalFile {
  /** Of what the file held when it was opened: to be taken out by whoever reads it. */
  readonly frames: FileFrame[] = [];
  readonly #entry: FileSystemFileHandle;
  readonly #handle: AccessHandle;
  #end: number;

  /** Cuts off what is not whole. */
  constructor(entry: FileSystemFileHandle, handle: AccessHandle) {
    this.#entry = entry;
    this.#handle = handle;
    const size = handle.getSize();
    // In older browsers an access handle answers later: those cannot write before a receipt is given.
    if (typeof size !== 'number') throw new TypeError('no synchronous access handle');
    let end = 0;
    for (const { at, next, bytes } of framesOf(size, this.#read)) {
      const length = bytes.indexOf(LINE_BREAK);
      const head = decoder.decode(length < 0 ? bytes : bytes.subarray(0, length));
      this.frames.push({ head, text: () => this.#text(at) });
      end = next;
    }
    this.#end = end;
    if (end < size) handle.truncate(end);
  }

  /** In bytes. */
  get size(): number {
    return this.#end;
  }

  /** All of it, or nothing. @throws where there is no room for it */
  append(lines: readonly string[], flush: boolean): void {
    const frame = encodeFrame(lines);
    // What is left of a write that fell short is overwritten by the next, and cut off where there is none.
    if (this.#handle.write(frame, { at: this.#end }) < frame.length) throw new Error('no room');
    if (flush) this.#handle.flush();
    this.#end += frame.length;
  }

  /** Keeps so many bytes. */
  cut(size = 0): void {
    this.#handle.truncate(size);
    this.#end = size;
  }

  close(): void {
    this.#handle.close();
  }

  #text(from: number): string {
    const [frame] = framesOf(this.#end, this.#read, from, 0);
    return decoder.decode(frame?.bytes);
  }

  readonly #read = (at: number, length: number): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(length);
    this.#handle.read(bytes, { at });
    return bytes;
  };

  /** The same file, read anew; `undefined` where the visitor has cleared it, with all of the site's data. */
  async again(): Promise<JournalFile | undefined> {
    const { size } = await this.#entry.getFile().catch(() => ({ size: -1 }));
    return size === this.#handle.getSize() ? new JournalFile(this.#entry, this.#handle) : undefined;
  }
}

/**
 * Runs it while no other tab does the same, where the log has a folder, or is to have one.
 *
 * @throws where there is no private file system, or no lock, to be had
 */
export async function inFolder<T>(
  log: string,
  create: boolean,
  run: (folder: FileSystemDirectoryHandle) => Promise<T>,
): Promise<T | undefined> {
  const root = await soon(navigator.storage.getDirectory());
  const signal = AbortSignal.timeout(LOCK_MS);
  return navigator.locks.request(`millrace:${log}:journal`, { signal }, async () => {
    const name = `millrace:${encodeURIComponent(log)}`;
    const folder = await soon(found(root.getDirectoryHandle(name, { create })));
    return folder && run(folder);
  });
}

/** The files in their order, `undefined` where somebody holds one; with `create`, new ones without end. */
export async function* openFiles(
  folder: FileSystemDirectoryHandle,
  create: boolean,
): AsyncGenerator<JournalFile | undefined> {
  for (let name = 0; ; name++) {
    const entry = await found(folder.getFileHandle(`${name}`, { create }));
    if (entry === undefined) return;
    yield openFile(entry);
  }
}

/** An empty file, and a new one where there is none. */
export async function takeFile(folder: FileSystemDirectoryHandle): Promise<JournalFile> {
  for await (const file of openFiles(folder, true)) {
    if (file?.size === 0) return file;
    file?.close();
  }
  throw new Error('no file');
}

/** `undefined` where somebody holds it. */
export async function openFile(entry: FileSystemFileHandle): Promise<JournalFile | undefined> {
  let handle: AccessHandle;
  try {
    handle = await (entry as unknown as FileAccess).createSyncAccessHandle();
  } catch (error) {
    if ((error as Error).name === 'NoModificationAllowedError') return undefined;
    throw error;
  }
  return new JournalFile(entry, handle);
}

async function found<T>(entry: Promise<T>): Promise<T | undefined> {
  try {
    return await entry;
  } catch (error) {
    if ((error as Error).name === 'NotFoundError') return undefined;
    throw error;
  }
}

async function soon<T>(task: Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(FOLDER_MS);
  const late = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => late.reject(signal.reason as Error));
  return Promise.race([task, late.promise]);
}
