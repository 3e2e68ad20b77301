/** What a shard does with its log, wherever that log stands: in the Durable Object, or in a test's SQLite. */
import { MillraceError } from '../../src/errors.ts';
import type { Ports } from '../../src/ports.ts';
import { formatCursor } from '../../src/storage/cursor.ts';
import type { Position } from '../../src/storage/position.ts';
import type { Page, Query } from '../../src/storage/storage.ts';
import { Admission } from './admission.ts';
import { readBounded } from './bounded-page.ts';
import type { CommitLog } from './commit-log.ts';
import { compileRest, queryOf } from './event-filter.ts';
import { readFiltered } from './filtered-page.ts';
import { BegunRequests, type IdempotentRequest, type Recalled } from './idempotency.ts';
import { compareLines, push } from './ingest.ts';
import type { KeptOutcome } from './kept-outcome.ts';
import { longPoll } from './long-poll.ts';
import type { ShardMetrics } from './metrics/shard-metrics.ts';
import { forgetProducer, stateProducer, type Forgotten, type ProducerStatement } from './producers.ts';
import { Publishing } from './publishing.ts';
import type { SealedShard } from './sharding/shard-map.ts';
import type {
  KnownLine,
  LinePage,
  OpenOptions,
  PageOptions,
  PublishOutcome,
  PublishRequest,
  PushOutcome,
  ShardPush,
} from './shard-calls.ts';

const SEALED = 'sealed';

export interface ShardLogOptions {
  /** For errors. */
  readonly name: string;
  readonly log: CommitLog;
  readonly ports: Ports;
  /** Around each request that may commit. */
  readonly onCommitting?: () => void;
  readonly metrics?: ShardMetrics | undefined;
  readonly onCommitted?: () => void;
}

export class ShardLog {
  readonly #options: ShardLogOptions;
  readonly #publishing: Publishing;
  readonly #requests: BegunRequests<KeptOutcome>;
  readonly #admission = new Admission();
  readonly #ended = new AbortController();
  #sealed: boolean | undefined;

  constructor(options: ShardLogOptions) {
    this.#options = options;
    this.#publishing = new Publishing(options.log, options.ports);
    this.#requests = new BegunRequests(options.log, options.ports);
  }

  /** @throws MillraceError `shard.busy` */
  publish(request: PublishRequest): Promise<PublishOutcome> {
    const { metrics } = this.#options;
    const run = async (): Promise<PublishOutcome> => {
      const outcome = await this.#committing(request.lines, () => this.#publishing.publish(request));
      if ('published' in outcome)
        metrics?.duplicates(
          outcome.replayed ? outcome.published.length : duplicatesIn(outcome.published),
        );
      return outcome;
    };
    return metrics === undefined ? run() : metrics.intake('publish', run);
  }

  /** @throws MillraceError `shard.busy`, and as `push` does */
  push(given: ShardPush): Promise<PushOutcome> {
    const { log, metrics } = this.#options;
    const run = async (): Promise<PushOutcome> => {
      const outcome = await this.#committing(given.lines, () => push(log, given));
      if ('seq' in outcome) {
        metrics?.duplicates(outcome.repeated ? given.lines.length : outcome.duplicates);
        metrics?.pushed(given.producer);
      }
      return outcome;
    };
    return metrics === undefined ? run() : metrics.intake('push', run);
  }

  async producer(producer: string, { open }: OpenOptions = {}): Promise<ProducerStatement> {
    await this.#checkOpen(open);
    return stateProducer(this.#options.log, producer);
  }

  forgetProducer(producer: string): Promise<Forgotten> {
    return forgetProducer(this.#options.log, producer);
  }

  async event(id: string, { open }: OpenOptions = {}): Promise<string | undefined> {
    await this.#checkOpen(open);
    return (await this.#options.log.read({ id, limit: 1 })).events[0]?.line;
  }

  /** @throws MillraceError `cursor.invalid` past the log's head */
  async page(query: Query, { filter = {}, waitMs, open, placed }: PageOptions = {}): Promise<LinePage> {
    await this.#checkOpen(open);
    const { log: storage, ports } = this.#options;
    const matches = compileRest(filter);
    const read = async (last?: Page): Promise<Page> => {
      const asked = { ...queryOf(filter), ...query, after: last?.next ?? query.after };
      if (matches === undefined) return readBounded(storage, asked);
      return readFiltered(storage, asked, matches);
    };
    const page = await read();
    checkWithin(page.head, query.after);
    const { events, next, more, head } =
      waitMs === undefined || page.events.length > 0
        ? page
        : await longPoll({ storage, waitMs, ports, read, signal: this.#ended.signal });
    const lines = events.map(({ line }) => line);
    if (!placed) return { lines, next, more, head };
    const positions = events.map(({ position }) => position);
    const times = events.map(({ event }) => event.timestamp);
    return { lines, next, more, head, positions, times } as LinePage;
  }

  compare(lines: readonly string[], untimed: readonly number[]): Promise<readonly (KnownLine | null)[]> {
    return this.#isSealed().then((sealed) =>
      compareLines(this.#options.log, { lines, untimed, open: !sealed }),
    );
  }

  async recallRequest(
    request: IdempotentRequest,
    { open }: OpenOptions = {},
  ): Promise<Recalled<KeptOutcome>> {
    await this.#checkOpen(open);
    return this.#requests.recall(request);
  }

  beginRequest(request: IdempotentRequest, expected: KeptOutcome): Promise<Recalled<KeptOutcome>> {
    return this.#committing([], () => this.#requests.begin(request, expected));
  }

  async endRequest(request: IdempotentRequest, outcome: KeptOutcome): Promise<null> {
    await this.#committing([], () => this.#requests.end(request, outcome));
    return null;
  }

  /** Resolves when nothing that was let in before is under way, and it is on disk. */
  async seal(): Promise<SealedShard> {
    this.#sealed = true;
    await this.#admission.idle();
    const { log } = this.#options;
    await log.commit([{ events: [], put: [[SEALED, true]] }]);
    this.#ended.abort();
    const { head } = await log.stats();
    return { head, maxId: await log.maxId() };
  }

  /** What waits to be committed. */
  get waiting(): Admission['waiting'] {
    return this.#admission.waiting;
  }

  /** Aborted when it is sealed. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** @throws MillraceError `shard.sealed` */
  async checkOpen({ open }: OpenOptions = {}): Promise<void> {
    await this.#checkOpen(open);
  }

  async #checkOpen(open = false): Promise<void> {
    if (open && (await this.#isSealed())) throw sealed(this.#options.name);
  }

  async #isSealed(): Promise<boolean> {
    if (this.#sealed !== undefined) return this.#sealed;
    const kept = (await this.#options.log.get(SEALED)) === true;
    // It may have been sealed meanwhile.
    this.#sealed ??= kept;
    return this.#sealed;
  }

  #committing<T>(lines: readonly string[], run: () => Promise<T>): Promise<T> {
    return this.#admission.hold(lines, async () => {
      await this.#checkOpen(true);
      this.#options.onCommitting?.();
      const value = await run();
      this.#options.onCommitted?.();
      return value;
    });
  }
}

function duplicatesIn(published: readonly ({ readonly duplicate: boolean } | null)[]): number {
  return published.reduce((sum, one) => sum + (one?.duplicate ? 1 : 0), 0);
}

function sealed(shard: string): MillraceError<'shard.sealed'> {
  const message = `the shard ${shard} is sealed: another epoch has followed; nothing was stored, try again`;
  return new MillraceError('shard.sealed', message, { shard });
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
