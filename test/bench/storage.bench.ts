/** What the log of segments costs and gives, on SQLite and on IndexedDB, against the same databases used by hand. */
import { runInChromium } from './in-chromium.ts';
import type { Against, IndexedDbFigures } from './pages/storage.ts';
import { sqliteRows } from './storage-sqlite.ts';
import type { Bench, Row } from './table.ts';

const bench: Bench = {
  name: 'storage',
  run: async () => [
    ...(await sqliteRows()),
    ...indexedDbRows(await runInChromium<IndexedDbFigures>('storage')),
  ],
};

function indexedDbRows({
  events,
  batch,
  append,
  scan,
  byId,
  byType,
  bytes,
}: IndexedDbFigures): readonly Row[] {
  const rate = (ms: number): number => (events / ms) * 1000;
  const appended = ({ ours, peer, ratio }: Against) => ({
    unit: 'events/s',
    ours: rate(ours),
    peer: rate(peer),
    ratio,
  });
  return [
    {
      case: `IndexedDB: append, ${batch} a commit, against rows with four indexes`,
      ...appended(append.rows),
      goal: '>=15',
    },
    {
      case: `IndexedDB: append, ${batch} a commit, against a loop that writes the same segments`,
      ...appended(append.segments),
      goal: '>=0.7',
    },
    {
      case: 'IndexedDB: all events, decoded, against rows',
      unit: 'ms',
      ...against(scan),
      goal: '<=0.5',
    },
    { case: 'IndexedDB: look-up by id, against rows', unit: 'ms', ...against(byId), goal: '' },
    {
      case: 'IndexedDB: the first 1,000 of a type, against rows',
      unit: 'ms',
      ...against(byType),
      goal: '',
    },
    {
      case: 'IndexedDB: bytes an event at rest, against rows',
      unit: 'bytes',
      ...against(bytes),
      goal: '<=0.4',
    },
  ];
}

const against = ({ ours, rows }: { ours: number; rows: number }) => ({
  ours,
  peer: rows,
  ratio: ours / rows,
});

export default bench;
