/** Mirrors the edge's log: pulls by cursor into a log of its own. Events and cursor land in one commit, so it resumes exactly. */
import { hasCode, MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { decodeLine } from '../event/wire.ts';
import type { Ports } from '../ports.ts';
import type { JsonValue, Storage } from '../storage/storage.ts';
import type { Pull } from './protocol.ts';
import { problemCode } from './refusal.ts';
import type { PullTransport } from './transport.ts';

export interface PullIntoOptions {
  /** The mirror: a log of its own, in which nobody else writes events. */
  readonly storage: Storage;
  readonly transport: PullTransport;
  readonly ports: Pick<Ports, 'now'>;
  /** Events asked for at a time. Default: 500. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export interface PullOutcome {
  /** Events that were new to the mirror. */
  readonly stored: number;
  readonly duplicates: number;
  /** Lines that are no event, or are one whose id the mirror has with other content. Kept under `dead-pull/`. */
  readonly rejected: number;
  /** The cursor reached. */
  readonly cursor: string | undefined;
}

const CURSOR_KEY = 'sync/cursor';

/**
 * Pulls until the mirror has caught up. What was pulled before a failure stays; calling again goes on from there.
 *
 * @throws MillraceError as the transport and the storage do; `cursor.invalid` where the edge's log ends before the
 *   mirror's cursor, so that it is another one; `disposed` when `signal` is aborted.
 */
export async function pullInto(options: PullIntoOptions): Promise<PullOutcome> {
  const { storage, limit = 500, signal } = options;
  let cursor = (await storage.get(CURSOR_KEY)) as string | undefined;
  const total = { stored: 0, duplicates: 0, rejected: 0 };
  for (;;) {
    if (signal?.aborted)
      throw new MillraceError('disposed', 'the pull was stopped; it goes on where it was', {
        what: 'pull',
      });
    const page = await pull(cursor, limit, options);
    if (page.lines.length > 0 || page.next !== cursor) {
      const outcome = await keep(page, cursor, options);
      total.stored += outcome.stored;
      total.duplicates += outcome.duplicates;
      total.rejected += outcome.rejected;
    }
    if (!page.more) return { ...total, cursor: page.next };
    if (page.next === cursor) throw stuck(cursor);
    cursor = page.next;
  }
}

async function pull(
  cursor: string | undefined,
  limit: number,
  { transport, signal }: PullIntoOptions,
): Promise<Pull> {
  try {
    const page = await transport.pull(cursor, limit, signal);
    // Cursors sort as their positions do.
    if (cursor !== undefined && page.head < cursor) throw ofAnotherLog(cursor);
    return page;
  } catch (error) {
    const refused = hasCode(error, 'sync.refused') && problemCode(error) === 'cursor.invalid';
    if (refused && cursor !== undefined) throw ofAnotherLog(cursor, error);
    throw error;
  }
}

interface Bad {
  readonly index: number;
  readonly line: string;
  readonly reason: string;
}

async function keep(
  page: Pull,
  from: string | undefined,
  options: PullIntoOptions,
): Promise<Omit<PullOutcome, 'cursor'>> {
  const events: { readonly event: Event; readonly index: number }[] = [];
  const bad: Bad[] = [];
  page.lines.forEach((line, index) => {
    try {
      events.push({ event: decodeLine(line), index });
    } catch (error) {
      bad.push({ index, line, reason: (error as Error).message });
    }
  });
  for (;;) {
    const put = [
      [CURSOR_KEY, page.next] as const,
      ...bad.map((entry) => deadEntry(entry, from, options.ports.now())),
    ];
    const [result] = await options.storage.commit([{ events: events.map(({ event }) => event), put }]);
    if (result?.ok) {
      return {
        stored: events.length - result.duplicates,
        duplicates: result.duplicates,
        rejected: bad.length,
      };
    }
    const conflicting = events.findLastIndex(
      ({ event }) => hasCode(result?.error, 'event.conflict') && event.id === result.error.details.id,
    );
    const [taken] = conflicting < 0 ? [] : events.splice(conflicting, 1);
    if (taken === undefined) throw result?.error ?? new Error('the storage gave no result');
    bad.push({ index: taken.index, line: page.lines[taken.index]!, reason: result!.error.message });
  }
}

function deadEntry(
  { index, line, reason }: Bad,
  from: string | undefined,
  at: number,
): readonly [string, JsonValue] {
  return [
    `dead-pull/${from ?? '0'}/${String(index).padStart(5, '0')}`,
    { line: line.slice(0, 262_144), reason, at },
  ];
}

function ofAnotherLog(cursor: string, cause?: unknown): MillraceError<'cursor.invalid'> {
  const text = `the edge's log ends before cursor ${cursor}, which this mirror has reached: the edge was reset, or is another one; pull into a new mirror`;
  return new MillraceError('cursor.invalid', text, { cursor }, { cause });
}

function stuck(cursor: string | undefined): MillraceError<'sync.unreachable'> {
  const text = `the edge says that there is more, but stays at cursor ${cursor ?? '(none)'}: pull again later`;
  return new MillraceError('sync.unreachable', text, { endpoint: '' });
}
