/**
 * The shard: one Durable Object, one log in its SQLite. It decodes, commits and reads; what comes from the network was
 * read and checked before, in the Worker.
 */
import { DurableObject } from 'cloudflare:workers';
import { isWireError, MillraceError } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import { formatCursor } from '../../src/storage/cursor.ts';
import type { Position } from '../../src/storage/position.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { ProducerHead, Query, Storage } from '../../src/storage/storage.ts';
import type { Count } from '../../src/windows/count.ts';
import { eventsPerMinute } from '../../src/windows/events-per-minute.ts';
import {
  WindowedView,
  type WindowPage,
  type WindowPageOptions,
} from '../../src/windows/windowed-view.ts';
import { readBounded } from './bounded-page.ts';
import { catchUpWithHead } from './catch-up.ts';
import type { Env } from './environment.ts';
import { logFailure } from './failure-log.ts';
import { producerHead, publish, push } from './ingest.ts';
import { openLive } from './live.ts';
import type {
  LinePage,
  PublishOutcome,
  PushOutcome,
  Reply,
  ShardCalls,
  ShardPush,
} from './shard-calls.ts';
import { Upkeep } from './upkeep.ts';

/** Events that the view folds before other requests have their turn. */
const EVENTS_A_CATCH_UP = 5000;

export class Shard extends DurableObject<Env> implements ShardCalls {
  readonly #storage: Storage;
  readonly #view: WindowedView<Count, number>;
  readonly #upkeep: Upkeep;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const { sql } = context.storage;
    this.#storage = openSqlite({
      exec: (statement, ...bindings) => sql.exec(statement, ...bindings).toArray(),
      transaction: (run) => context.storage.transactionSync(run),
    });
    this.#view = new WindowedView(this.#storage, eventsPerMinute);
    this.#upkeep = new Upkeep({
      storage: this.#storage,
      catchUp: () => this.#catchUp(),
      ports: hostPorts,
      onError: (error) => logFailure('shard upkeep', error),
    });
  }

  publish(lines: readonly string[], untimed: readonly number[]): Promise<Reply<PublishOutcome>> {
    return this.#committing(() => publish(this.#storage, lines, untimed));
  }

  push(given: ShardPush): Promise<Reply<PushOutcome>> {
    return this.#committing(() => push(this.#storage, given));
  }

  producerHead(producer: string): Promise<Reply<ProducerHead>> {
    return answer(() => producerHead(this.#storage, producer));
  }

  event(id: string): Promise<Reply<string | undefined>> {
    return answer(async () => (await this.#storage.read({ id, limit: 1 })).events[0]?.line);
  }

  page(query: Query): Promise<Reply<LinePage>> {
    return answer(async () => {
      const { events, next, more, head } = await readBounded(this.#storage, query);
      checkWithin(head, query.after);
      return { lines: events.map(({ line }) => line), next, more, head };
    });
  }

  windows(options: WindowPageOptions): Promise<Reply<WindowPage<Count>>> {
    return answer(async () => {
      await catchUpWithHead(this.#storage, {
        producer: `window/${eventsPerMinute.name}`,
        step: () => this.#catchUp(),
        turn: () => new Promise((done) => hostPorts.after(0, done)),
      });
      return this.#view.page(options);
    });
  }

  override async fetch(request: Request): Promise<Response> {
    const after = new URL(request.url).searchParams.get('after');
    const stream = await openLive(this.#storage, {
      after: after === null ? undefined : Number(after),
      ports: hostPorts,
    });
    return new Response(stream, {
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    });
  }

  async #committing<T>(run: () => Promise<T>): Promise<Reply<T>> {
    const reply = await answer(run);
    if (reply.ok) this.#upkeep.committed();
    return reply;
  }

  async #catchUp(): Promise<boolean> {
    return (await this.#view.catchUp({ limit: EVENTS_A_CATCH_UP })).length > 0;
  }
}

/** A reader that waited there would be given, some day, what follows on a position that it never came to. */
function checkWithin(head: Position, after: Position = 0): void {
  if (after <= head) return;
  const cursor = formatCursor(after);
  throw new MillraceError(
    'cursor.invalid',
    `the cursor ${cursor} is past the log's head, ${formatCursor(head)}: it is of another log, or of a state that was lost; leave it out to start from the beginning`,
    { cursor },
  );
}

async function answer<T>(run: () => Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    if (!isWireError(error)) throw error;
    const { code, message, details } = error;
    // What caused it stays on this side.
    if (code.startsWith('storage.')) logFailure('shard', error);
    return { ok: false, error: new MillraceError(code, message, details).toWire() };
  }
}
