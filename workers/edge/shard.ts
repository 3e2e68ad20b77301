/**
 * The shard: one Durable Object, one log in its SQLite. It decodes, commits and reads; what comes from the network was
 * read and checked before, in the Worker.
 */
import { DurableObject } from 'cloudflare:workers';
import { isWireError, MillraceError } from '../../src/errors.ts';
import { hostClock, hostPorts } from '../../src/ports.ts';
import type { MetricFamily } from '../../src/monitor/metric.ts';
import type { Position } from '../../src/storage/position.ts';
import { openSqlite, type SqlDatabase, type SqliteStorage } from '../../src/storage/sqlite.ts';
import type { Query } from '../../src/storage/storage.ts';
import type { Count } from '../../src/windows/count.ts';
import { eventsPerMinute } from '../../src/windows/events-per-minute.ts';
import {
  WindowedView,
  type WindowPage,
  type WindowPageOptions,
} from '../../src/windows/windowed-view.ts';
import { archiveOf, openShardArchive } from './archive/archive-of.ts';
import { catchUpWithHead } from './catch-up.ts';
import { openCommitLog, type CommitLog } from './commit-log.ts';
import { CommitHints } from './delivery/hints.ts';
import type { Env } from './environment.ts';
import { compileFilter } from './event-filter.ts';
import { logFailure } from './failure-log.ts';
import type { IdempotentRequest, Recalled } from './idempotency.ts';
import type { KeptOutcome } from './kept-outcome.ts';
import { isUpgrade, readLiveRequest, refuseLive } from './live-request.ts';
import { LiveSockets } from './live-sockets.ts';
import { openLive } from './live.ts';
import { ShardMetrics } from './metrics/shard-metrics.ts';
import type { Forgotten, ProducerStatement } from './producers.ts';
import type {
  KnownLine,
  LinePage,
  OpenOptions,
  PageOptions,
  PublishOutcome,
  PublishRequest,
  PushOutcome,
  Reply,
  ShardCalls,
  ShardPush,
  ShardStats,
  StatsOptions,
} from './shard-calls.ts';
import { ShardLog } from './shard-log.ts';
import type { SealedShard } from './sharding/shard-map.ts';
import { subscriptionListOf, tenantOfObject } from './subscription-of.ts';
import { Upkeep } from './upkeep.ts';

/** Events that the view folds before other requests have their turn. */
const EVENTS_A_CATCH_UP = 5000;

/** WebSocket close code 1012 (IANA): it comes back. */
const RESTART = 1012;

export class Shard extends DurableObject<Env> implements ShardCalls {
  readonly #storage: SqliteStorage;
  readonly #log: CommitLog;
  readonly #shard: ShardLog;
  readonly #view: WindowedView<Count, number>;
  readonly #upkeep: Upkeep;
  readonly #hints: CommitHints;
  readonly #sockets: LiveSockets;
  readonly #metrics = new ShardMetrics({ clock: hostClock, now: () => hostPorts.now() });
  #rowsWritten = 0;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const { sql } = context.storage;
    const database: SqlDatabase = {
      exec: (statement, ...bindings) => {
        const cursor = sql.exec(statement, ...bindings);
        const rows = cursor.toArray();
        this.#rowsWritten += cursor.rowsWritten;
        return rows;
      },
      transaction: (run) => context.storage.transactionSync(run),
    };
    const { name, id } = { name: context.id.name, id: context.id.toString() };
    const flush = (): Promise<void> => context.storage.sync();
    const archive = archiveOf(env, { name, id, flush });
    this.#storage = openSqlite(database, { archive });
    const archiving = archive && openShardArchive(env, this.#storage);
    const log = openCommitLog(this.#storage, flush, (commits, run) =>
      this.#metrics.transaction(commits, run),
    );
    this.#log = {
      ...log,
      erase(from, to) {
        archiving?.pause();
        return log.erase(from, to);
      },
    };
    this.#view = new WindowedView(this.#storage, eventsPerMinute);
    this.#upkeep = new Upkeep({
      storage: this.#storage,
      catchUp: () => this.#catchUp(),
      archive: archiving,
      setAlarm: (at) => context.storage.setAlarm(at),
      ports: hostPorts,
      onError: (error) => {
        this.#metrics.upkeepFailed();
        logFailure('shard upkeep', error);
      },
    });
    const hint = () => subscriptionListOf(this.env, tenantOfObject(context.id)).hint();
    this.#hints = new CommitHints({ hint, ports: hostPorts });
    this.#shard = new ShardLog({
      name: context.id.name ?? '',
      log: this.#log,
      ports: hostPorts,
      metrics: this.#metrics,
      onCommitting: () => this.#upkeep.committing(),
      onCommitted: () => {
        this.#upkeep.committed();
        this.#hints.committed();
      },
    });
    this.#sockets = new LiveSockets({
      context,
      storage: this.#log,
      ports: hostPorts,
      onError: (error) => logFailure('shard sockets', error),
    });
    void context.blockConcurrencyWhile(() => this.#resume());
  }

  publish(request: PublishRequest): Promise<Reply<PublishOutcome>> {
    return answer(() => this.#shard.publish(request));
  }

  push(given: ShardPush): Promise<Reply<PushOutcome>> {
    return answer(() => this.#shard.push(given));
  }

  producer(producer: string, options?: OpenOptions): Promise<Reply<ProducerStatement>> {
    return answer(() => this.#shard.producer(producer, options));
  }

  forgetProducer(producer: string): Promise<Reply<Forgotten>> {
    return answer(() => this.#shard.forgetProducer(producer));
  }

  event(id: string, options?: OpenOptions): Promise<Reply<string | undefined>> {
    return answer(() => this.#shard.event(id, options));
  }

  compare(
    lines: readonly string[],
    untimed: readonly number[],
  ): Promise<Reply<readonly (KnownLine | null)[]>> {
    return answer(() => this.#shard.compare(lines, untimed));
  }

  recallRequest(
    request: IdempotentRequest,
    options?: OpenOptions,
  ): Promise<Reply<Recalled<KeptOutcome>>> {
    return answer(() => this.#shard.recallRequest(request, options));
  }

  beginRequest(
    request: IdempotentRequest,
    expected: KeptOutcome,
  ): Promise<Reply<Recalled<KeptOutcome>>> {
    return answer(() => this.#shard.beginRequest(request, expected));
  }

  endRequest(request: IdempotentRequest, outcome: KeptOutcome): Promise<Reply<null>> {
    return answer(() => this.#shard.endRequest(request, outcome));
  }

  /** Its live readers connect again, and are told by all shards then. */
  seal(): Promise<Reply<SealedShard>> {
    return answer(async () => {
      const sealed = await this.#shard.seal();
      for (const socket of this.ctx.getWebSockets())
        socket.close(RESTART, 'connect again from your last cursor');
      return sealed;
    });
  }

  page(query: Query, options?: PageOptions): Promise<Reply<LinePage>> {
    return answer(() => this.#shard.page(query, options));
  }

  stats(options: StatsOptions = {}): Promise<Reply<ShardStats>> {
    return answer(async () => {
      await this.#shard.checkOpen(options);
      const stats = {
        ...(await this.#storage.stats()),
        sockets: this.#sockets.count,
        rowsWritten: this.#rowsWritten,
      };
      return options.metrics ? { ...stats, metrics: await this.#readMetrics(stats) } : stats;
    });
  }

  windows(options: WindowPageOptions, open?: OpenOptions): Promise<Reply<WindowPage<Count>>> {
    return answer(async () => {
      await this.#shard.checkOpen(open);
      await catchUpWithHead(this.#storage, {
        producer: `window/${eventsPerMinute.name}`,
        step: () => this.#catchUp(),
        turn: () => new Promise((done) => hostPorts.after(0, done)),
      });
      return this.#view.page(options);
    });
  }

  override async fetch(request: Request): Promise<Response> {
    let ended: (() => void) | undefined;
    try {
      const { after, filter } = readLiveRequest(request);
      await this.#shard.checkOpen({ open: true });
      if (isUpgrade(request)) return await this.#sockets.accept(filter, after);
      const matches = compileFilter(filter);
      ended = this.#metrics.streamOpened();
      const stream = await openLive(this.#log, {
        after,
        matches,
        ports: hostPorts,
        signal: this.#shard.ended,
        onEnd: ended,
      });
      return new Response(stream, {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
      });
    } catch (error) {
      ended?.();
      return refuseLive(error);
    }
  }

  override webSocketMessage(socket: WebSocket, text: string | ArrayBuffer): void {
    this.#sockets.said(socket, text);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    socket.close(code);
  }

  override async alarm(): Promise<void> {
    this.#hints.committed();
    await this.#upkeep.alarm();
  }

  /** What a restart has interrupted goes on by itself. */
  async #resume(): Promise<void> {
    const { head } = await this.#storage.stats();
    const read = await this.#windowsAt();
    if (read < head && (await this.ctx.storage.getAlarm()) === null) this.#upkeep.arm();
  }

  async #windowsAt(): Promise<Position> {
    return (await this.#storage.producer(`window/${eventsPerMinute.name}`))?.seq ?? 0;
  }

  async #readMetrics(stats: Omit<ShardStats, 'metrics'>): Promise<readonly MetricFamily[]> {
    const { requests, characters, refused } = this.#shard.waiting;
    return this.#metrics.read({
      ...stats,
      waitingRequests: requests,
      waitingCharacters: characters,
      refusedRequests: refused,
      windowsAt: await this.#windowsAt(),
      archived: this.#storage.archived(),
    });
  }

  async #catchUp(): Promise<boolean> {
    return (await this.#view.catchUp({ limit: EVENTS_A_CATCH_UP })).length > 0;
  }
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
