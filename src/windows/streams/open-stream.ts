/** From a plan to a run. */
import { checkNumber } from '../../bus/event-handler.ts';
import { LiveRun } from './live-run.ts';
import { LogRun } from './log-run.ts';
import type { StreamOptions, StreamPlan } from './stream-plan.ts';
import type { StreamRun } from './stream-run.ts';

/** @throws MillraceError `query.invalid` for a definition that cannot be */
export function openStream(plan: StreamPlan, options: StreamOptions): StreamRun {
  checkNumber('capacity', options.capacity, 1, 'whole');
  checkNumber('batchEvents', options.batchEvents, 1, 'whole');
  checkNumber('pollMs', options.pollMs, 1);
  const isLive = plan.sources.every(({ kind }) => kind === 'live');
  return isLive ? new LiveRun(plan, options) : new LogRun(plan, options);
}
