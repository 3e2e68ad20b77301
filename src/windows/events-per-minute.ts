/** The events of each type in each minute of event time: the same view in the page's worker and at the edge. */
import { count, type Count } from './count.ts';
import type { WindowDefinition } from './window-fold.ts';

export const eventsPerMinute: WindowDefinition<Count, number> = {
  name: 'events-per-minute',
  sizeMs: 60_000,
  key: (event) => event.type,
  aggregation: count,
};
