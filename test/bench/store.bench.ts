/** What the event store costs: appends in memory against its peers, and rebuilding an aggregate from SQLite. */
import { appendRows } from './store-append.ts';
import { rebuildRows } from './store-rebuild.ts';
import type { Bench } from './table.ts';

const bench: Bench = {
  name: 'store',
  run: async () => [...(await appendRows()), ...(await rebuildRows())],
};

export default bench;
