/**
 * Windows over a log, each event once: reads the log from a checkpoint, and commits the windows' state, the watermark
 * and whatever is handed on together with the checkpoint.
 *
 * It is a consumer that is its own producer: its sequence is the position that it has read to. Of two of one name the
 * one that comes second is refused, takes up what the first has stored, and goes on from there; so does one whose commit
 * failed. An event that is damaged at rest is passed over, and counted.
 *
 * @example
 * const log = new WindowedLog(storage, { name: 'sales', windows, ports: hostPorts }, {
 *   handOn: ({ updates }) => ({ put: updates.map((one) => [`sales/${one.key}`, one.value]) }),
 * });
 * await log.catchUp();
 */
import { hasCode, type MillraceError } from '../errors.ts';
import type { Position } from '../storage/position.ts';
import type { Commit, JsonValue, MaybePromise, ProducerRange, Storage } from '../storage/storage.ts';
import type { WindowOperatorOptions } from './operator-options.ts';
import { readDecoded, type ReadOn } from './read-decoded.ts';
import { WindowOperator } from './window-operator.ts';
import type { Processed } from './window-update.ts';

/** What goes into the commit besides the windows' own state. */
export type HandedOn = Partial<Pick<Commit, 'events' | 'put'>>;

export interface WindowedLogOptions {
  /** Only events of these types. Default: all. */
  readonly types?: readonly string[] | undefined;
  /** What is made of the results, to be stored with them. May be asked again for the same: it changes nothing itself. */
  readonly handOn?: ((processed: Processed) => MaybePromise<HandedOn>) | undefined;
  /** Called once what was processed is committed. What it throws fails `catchUp`. */
  readonly onCommitted?: ((processed: Processed) => MaybePromise<void>) | undefined;
  /** The most events of a commit. Default: 1,000. */
  readonly pageEvents?: number | undefined;
}

export interface WindowedCatchUpOptions {
  readonly signal?: AbortSignal | undefined;
  /** The most events to fold in this call, a page more or less. Default: all there are. */
  readonly limit?: number | undefined;
}

const PAGE_EVENTS = 1000;
/** Refused so often in a row, it is no race any more. */
const MOST_REFUSALS = 100;

export class WindowedLog {
  readonly #storage: Storage;
  readonly #operator: WindowOperator;
  readonly #options: WindowedLogOptions;
  readonly #producer: string;
  #place: Place | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** @throws MillraceError `query.invalid` for windows that cannot be */
  constructor(
    storage: Storage,
    windows: Omit<WindowOperatorOptions, 'storage'>,
    options: WindowedLogOptions = {},
  ) {
    this.#storage = storage;
    this.#options = options;
    this.#producer = `windows/${windows.name ?? 'windows'}`;
    this.#operator = new WindowOperator({ ...windows, storage });
  }

  /** The windows as they are in memory: to look at, not to feed. */
  get operator(): Pick<WindowOperator, 'watermark' | 'counts' | 'size' | 'probe'> {
    return this.#operator;
  }

  /** Up to here the log is read. */
  async checkpoint(): Promise<Position> {
    return (await this.#storage.producer(this.#producer))?.seq ?? 0;
  }

  /** How many events were passed over because they were damaged at rest. */
  async damaged(): Promise<number> {
    return ((await this.#storage.get(this.#damagedKey)) as number | undefined) ?? 0;
  }

  /**
   * Folds what was committed since the checkpoint. Calls run one after another.
   *
   * @throws MillraceError as `Storage` does; the signal's reason; what `handOn` throws. What was committed before stays.
   */
  catchUp(options: WindowedCatchUpOptions = {}): Promise<void> {
    return this.#run(() => this.#catchUp(options));
  }

  /** Hands on what the host's clock alone brings, by interval triggers and silent sources. */
  tick(): Promise<void> {
    return this.#run(() => this.#beyond((operator) => operator.tick()));
  }

  /** A step that folds something besides the log's events, or nothing. May be asked again, where another came first. */
  beside(process: (operator: WindowOperator) => MaybePromise<Processed>): Promise<void> {
    return this.#run(() => this.#beyond(process));
  }

  /** Completes all windows, for a log that has ended: in several commits, where global windows have many keys. */
  finish(): Promise<void> {
    return this.#run(async () => {
      for (let more = true; more;) {
        await this.#beyond(async (operator) => {
          const step = await operator.finish();
          ({ more } = step);
          return step;
        });
      }
    });
  }

  #run(task: () => Promise<void>): Promise<void> {
    const run = this.#running.then(task);
    this.#running = run.catch(() => undefined);
    return run;
  }

  async #catchUp({ signal, limit = Infinity }: WindowedCatchUpOptions): Promise<void> {
    const { pageEvents = PAGE_EVENTS, types } = this.#options;
    let refusal: unknown;
    for (let folded = 0, refusals = 0; folded < limit;) {
      signal?.throwIfAborted();
      if (refusals === MOST_REFUSALS) throw refusal;
      const { cursor } = await this.#takeUp();
      const query = { after: cursor, limit: Math.min(pageEvents, limit - folded), types };
      const page = await readDecoded(this.#storage, query);
      if (page.next <= cursor) return;
      refusal = await this.#step(page, (operator) => operator.process(page.events));
      refusals = refusal === undefined ? 0 : refusals + 1;
      if (refusal === undefined) folded += page.events.length;
    }
  }

  /** A step that reads nothing. */
  async #beyond(process: (operator: WindowOperator) => MaybePromise<Processed>): Promise<void> {
    for (let refusals = 1; ; refusals++) {
      const { cursor } = await this.#takeUp();
      const refusal = await this.#step({ next: cursor, damaged: 0 }, process);
      if (refusal === undefined) return;
      if (refusals === MOST_REFUSALS) throw refusal;
    }
  }

  /** Where the state in memory is of; another's commit, or one that failed, has it taken up anew. */
  async #takeUp(): Promise<Place> {
    const step = (await this.#storage.producer(this.#steps))?.seq ?? 0;
    if (this.#place?.step === step) return this.#place;
    this.#place = undefined;
    const cursor = await this.checkpoint();
    await this.#operator.open();
    return (this.#place = { cursor, step });
  }

  /** One commit: nothing, or the refusal where another of the name came first. */
  async #step(
    { next, damaged }: Omit<ReadOn, 'events'>,
    process: (operator: WindowOperator) => MaybePromise<Processed>,
  ): Promise<MillraceError | undefined> {
    const { cursor, step } = this.#place!;
    // Until the commit is in, what is in memory is ahead of the storage.
    this.#place = undefined;
    const processed = await process(this.#operator);
    const { events = [], put = [] } = (await this.#options.handOn?.(processed)) ?? {};
    const checkpoint = await this.#operator.checkpoint();
    const lost: [string, JsonValue][] =
      damaged === 0 ? [] : [[this.#damagedKey, (await this.damaged()) + damaged]];
    const advance: ProducerRange[] = [{ id: this.#steps, epoch: 1, seq: step + 1 }];
    if (next > cursor)
      advance.push({ id: this.#producer, epoch: 1, seq: cursor + 1, count: next - cursor });
    const [result] = await this.#storage.commit([
      { events, put: [...put, ...checkpoint.put, ...lost], advance },
    ]);
    if (!result!.ok) {
      if (hasCode(result!.error, 'producer.gap')) return result!.error;
      throw result!.error;
    }
    checkpoint.committed();
    this.#place = { cursor: next, step: step + 1 };
    await this.#options.onCommitted?.(processed);
    return undefined;
  }

  /** The sequence of commits, of which each but the last has a next one: so no two go on from the same state. */
  get #steps(): string {
    return `${this.#producer}/commits`;
  }

  get #damagedKey(): string {
    return `damaged/${this.#producer}`;
  }
}

/** What the state in memory is of. */
interface Place {
  readonly cursor: Position;
  readonly step: number;
}
