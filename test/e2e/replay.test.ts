/** `npm run replay`: a file of events reaches the edge once, however often it is sent, and its windows are a recount. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { toWire } from '../../src/event/wire.ts';
import { sampleRequests } from '../bench/sample-requests.ts';
import { asCounts, edgeEvents, edgeWindows, recount } from './edge-log.ts';

const EVENTS = 3_000;
let folder: string;
let edge: EdgeProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-replay-'));
  edge = await startEdge({ stateDir: join(folder, 'state'), quiet: true });
});

afterAll(async () => {
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

async function replay(file: string): Promise<string> {
  const script = join(import.meta.dirname, '..', '..', 'workers', 'cli', 'replay.ts');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script, file, '--url', edge.url, '--key', edge.keys.admin],
    {
      cwd: folder,
    },
  );
  return stdout.trim().split('\n').at(-1)!;
}

test('a file sent twice is stored once, and every minute’s count by type is a recount’s', async () => {
  const file = join(folder, 'requests.ndjson.gz');
  // Out of order by up to a minute, as the lines of a real site are.
  const events = sampleRequests(EVENTS)
    .map((event, i) => ({ wire: toWire(event), key: event.timestamp + ((i * 7919) % 60) * 1000 }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ wire }) => wire);
  writeFileSync(file, gzipSync(events.map((wire) => JSON.stringify(wire)).join('\n')));
  expect(await replay(file)).toBe(`sent ${EVENTS}, accepted ${EVENTS}, duplicate 0, rejected 0`);
  expect(await replay(file)).toBe(`sent ${EVENTS}, accepted 0, duplicate ${EVENTS}, rejected 0`);
  expect(await edgeEvents(edge)).toEqual(events);
  expect(asCounts(await edgeWindows(edge))).toEqual(recount(events));
});
