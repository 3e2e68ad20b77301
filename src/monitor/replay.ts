/**
 * Hands the events of a log on once more: to a bus, a topic, a handler, or a projection that is built anew. Handlers see by
 * `replayOf` that an event is one of a replay; nothing is stored by it.
 *
 * One event after another, in the log's order, and the next once the one before is handled. It ends where the log ended
 * when it began, so that what its handlers append is not replayed in turn. Where it stops, it says from where to go on: at
 * least once, for the event that was under way comes again.
 *
 * @example
 * const { count, failed, cursor } = await replay({ source: store, types: ['order.placed'] }, bus, { speed: 60 });
 */
import type { WireError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { markedAsReplay, type ReplayMark } from '../event/replay-mark.ts';
import { hostPorts } from '../ports.ts';
import { reasonOf } from '../storage/dead-letters/dead-letter.ts';
import type { ReplayOptions, ReplayOutcome, ReplayProgress } from './replay-options.ts';
import { Pace } from './replay-pace.ts';
import { replayPages, type ReplayQuery } from './replay-source.ts';
import { isRebuilt, rebuild, takerOf, type ReplayTarget } from './replay-target.ts';

const PROGRESS_EVENTS = 100;
const SAMPLES = 10;

/** @throws MillraceError `query.invalid` for options that cannot be, as the source's storage or client, `onProgress` */
export async function replay(
  query: ReplayQuery,
  target: ReplayTarget,
  options: ReplayOptions = {},
): Promise<ReplayOutcome> {
  if (options.dryRun !== true && isRebuilt(target)) return rebuild(target, query, options);
  const { ports = hostPorts, name = 'replay', signal, dryRun = false, onProgress } = options;
  const take = dryRun ? undefined : takerOf(target);
  const pace = new Pace(dryRun ? { speed: 'max' } : options, ports);
  const mark: ReplayMark = { replay: name, startedAt: ports.now() };
  const run = new Run(options.after);
  for await (const page of replayPages(query, options)) {
    run.unreadable += page.unreadable;
    for (const { event, cursor } of page.events) {
      if (!(await pace.reached(event.timestamp, signal))) return run.outcome('stopped', onProgress);
      run.count(event);
      if (take !== undefined) await run.attempt(event, () => take(markedAsReplay(event, mark), mark));
      run.cursor = cursor ?? run.cursor;
      if (run.handed % PROGRESS_EVENTS === 0) onProgress?.(run.progress());
    }
    run.cursor = page.next ?? run.cursor;
    // What is all synchronous leaves nobody else a turn.
    if (!(await pace.rest(signal))) return run.outcome('stopped', onProgress);
  }
  return run.outcome('all', onProgress);
}

/** What became of it so far. */
class Run {
  handed = 0;
  unreadable = 0;
  cursor: string | undefined;
  #failed = 0;
  #time: number | undefined;
  readonly #types = new Map<string, number>();
  readonly #failures: { readonly event: string; readonly reason: WireError }[] = [];
  readonly #samples: Event[] = [];

  /** Where it goes on from. */
  constructor(cursor: string | undefined) {
    this.cursor = cursor;
  }

  count(event: Event): void {
    this.handed++;
    this.#time = event.timestamp;
    this.#types.set(event.type, (this.#types.get(event.type) ?? 0) + 1);
    if (this.#samples.length < SAMPLES) this.#samples.push(event);
  }

  async attempt(event: Event, task: () => Promise<unknown>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#failed++;
      const failure = { event: event.id, reason: reasonOf(error) };
      if (this.#failures.length < SAMPLES) this.#failures.push(failure);
    }
  }

  progress(): ReplayProgress {
    return {
      count: this.handed,
      failed: this.#failed,
      unreadable: this.unreadable,
      ...(this.cursor !== undefined && { cursor: this.cursor }),
      ...(this.#time !== undefined && { time: this.#time }),
    };
  }

  outcome(ended: ReplayOutcome['ended'], onProgress: ReplayOptions['onProgress']): ReplayOutcome {
    onProgress?.(this.progress());
    const types = Object.fromEntries(this.#types);
    const [failures, samples] = [this.#failures, this.#samples];
    return { ...this.progress(), ended, types, failures, samples };
  }
}
