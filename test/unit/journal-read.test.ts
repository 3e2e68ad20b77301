/** How a journal is read: never more of it at a time than a part of one file, however much it holds. */
import { expect, it } from 'vitest';
import { readJournal, readLost, writeEntries } from '../../workers/browser/journal-entries.ts';
import { encodeFrame } from '../../workers/browser/journal-frames.ts';

const FRAME_EVENTS = 200;
const FRAMES = 100;
const FILES = 4;
const line = (position: number): string => `{"n":${position},"${'x'.repeat(200)}":0}`;

/** Files of events, one behind another, as workers of this log have left them; and the most that is read of one at a time. */
function journal(log: number) {
  const files: Uint8Array<ArrayBuffer>[] = [];
  let position = 0;
  for (let file = 0; file < FILES; file++) {
    const frames = Array.from({ length: FRAMES }, () => {
      const positions = Array.from({ length: FRAME_EVENTS }, () => ++position);
      return encodeFrame(writeEntries({ log, positions, lines: positions.map(line) })).slice();
    });
    files.push(new Uint8Array(Buffer.concat(frames)));
  }
  const seen = { most: 0 };
  const entryOf = (bytes: Uint8Array | undefined): unknown => {
    if (bytes === undefined) throw new DOMException('no such file', 'NotFoundError');
    return {
      createSyncAccessHandle: async () => ({
        getSize: () => bytes.length,
        read(into: Uint8Array, { at }: { at: number }) {
          seen.most = Math.max(seen.most, into.length);
          into.set(bytes.subarray(at, at + into.length));
          return into.length;
        },
        truncate() {},
        close() {},
      }),
    };
  };
  const folder = { getFileHandle: async (name: string) => entryOf(files[Number(name)]) };
  return {
    folder: folder as unknown as FileSystemDirectoryHandle,
    seen,
    total: files.reduce((sum, { length }) => sum + length, 0),
    head: position,
  };
}

/** In bytes. */
const A_PART = 262_144;

it('of a log that is there, only where its events stand is read, a part at a time', async () => {
  const { folder, seen, total, head } = journal(7);
  const acked = 150;
  const { waiting, lost, covered } = await readJournal(folder, 7, { acked, head }, []);
  expect(waiting.map(({ last }) => last)).toEqual([20_000, 40_000, 60_000, 80_000]);
  expect(lost).toEqual([]);
  expect(covered).toEqual(new Uint8Array(head - acked).fill(1));
  expect(total).toBeGreaterThan(40 * A_PART);
  expect(seen.most).toBeLessThanOrEqual(A_PART);
  // Nothing of what was read is held on to.
  expect(waiting.flatMap(({ file }) => file.frames)).toEqual([]);
});

it('of a log that is gone, the events’ lines stay in their files until their turn comes', async () => {
  const { folder, seen, head } = journal(7);
  const { lost, done } = await readJournal(folder, undefined, { acked: 0, head: 0 }, []);
  expect(done).toHaveLength(FILES);
  expect(lost.map(({ position }) => position)).toEqual(Array.from({ length: head }, (_, i) => i + 1));
  expect(lost.some((event) => Object.values(event).some((value) => typeof value === 'string'))).toBe(
    false,
  );
  expect(readLost(lost.slice(19_950, 20_950))).toEqual(
    Array.from({ length: 1_000 }, (_, i) => line(19_951 + i)),
  );
  expect(seen.most).toBeLessThanOrEqual(A_PART);
});
