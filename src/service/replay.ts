/** What the edge has already, read from the beginning or from a cursor, page by page. */
import type { Event } from '../event/event.ts';
import { MillraceError } from '../errors.ts';
import { readEvents, type EventsAnswer } from './answer.ts';
import { queryOf, remainderOf, type EventChoice } from './choice.ts';
import type { EdgeRequests } from './edge-requests.ts';

export interface ReplayOptions {
  /** The cursor to go on from. Default: the log's beginning. */
  readonly after?: string | undefined;
  /** Events asked for at a time, 1 to 1,000. Default: 500. */
  readonly limit?: number | undefined;
  /** Called after each page that was taken. */
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReplayProgress {
  /** Events handed on so far. */
  readonly count: number;
  /** Where to go on after them. */
  readonly cursor: string;
}

/** `cursor` is missing where the log was empty. */
export interface ReplayOutcome {
  readonly count: number;
  readonly cursor?: string;
}

const PAGE = 500;

/** Up to where the log ended when it was begun; of a log of several shards, up to where it ends. */
export async function* pagesOf(
  edge: EdgeRequests,
  choice: EventChoice,
  options: ReplayOptions = {},
): AsyncGenerator<readonly never[], void, undefined> {
  const { limit = PAGE, signal, onProgress } = options;
  const query = queryOf(choice);
  const matches = remainderOf(choice);
  let { after } = options;
  let end: string | undefined;
  for (let count = 0; ;) {
    signal?.throwIfAborted();
    const from = after === undefined ? [] : [`after=${encodeURIComponent(after)}`];
    const path = `/events?${[query, ...from, `limit=${limit}`].filter((part) => part !== '').join('&')}`;
    const page = await edge.ask({ path, signal }, readEvents);
    end ??= page.head;
    const events = page.events.filter(matches);
    count += events.length;
    if (events.length > 0) yield events as readonly Event[] as readonly never[];
    const { next } = page;
    if (next !== undefined) onProgress?.({ count, cursor: next });
    if (page.more !== true || isPast(next, end)) return;
    if (next === after) throw stuck(edge.endpoint, page);
    after = next;
  }
}

export async function replayPages(
  edge: EdgeRequests,
  choice: EventChoice,
  handler: (event: Event) => unknown,
  options: ReplayOptions,
): Promise<ReplayOutcome> {
  let outcome: ReplayOutcome = { count: 0 };
  const onProgress = (progress: ReplayProgress): void => {
    outcome = progress;
    options.onProgress?.(progress);
  };
  for await (const events of pagesOf(edge, choice, { ...options, onProgress })) {
    for (const event of events) await handler(event);
  }
  return outcome;
}

/** Cursors of one shard sort as their positions do; those of several say nothing of each other. */
function isPast(next: string | undefined, end: string | undefined): boolean {
  if (next === undefined || end === undefined || next.startsWith('v') || end.startsWith('v'))
    return false;
  return next >= end;
}

function stuck(endpoint: string, { next }: EventsAnswer): MillraceError<'sync.unreachable'> {
  const text = `${endpoint} says that there is more, but stays at cursor ${next ?? '(none)'}: replay again later from there`;
  return new MillraceError('sync.unreachable', text, { endpoint });
}
