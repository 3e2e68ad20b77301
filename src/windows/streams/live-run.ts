/**
 * A stream over a bus or topics: all of it is in memory, and ends with the run. Events are folded in batches, a turn of
 * the host's loop later; while more than `capacity` wait, publishers wait.
 */
import type { Event } from '../../event/event.ts';
import { createIds, type IdSource } from '../../event/ids.ts';
import type { Ports, Undo } from '../../ports.ts';
import { MAX_WAITING_FOR_ROOM, queueFull } from '../../bus/bounded-queue.ts';
import { latenessOf } from '../operator-options.ts';
import { WindowOperator } from '../window-operator.ts';
import type { Processed, WindowCounts } from '../window-update.ts';
import { invalidWindow } from '../windows.ts';
import { bindOutputs, type BoundOutputs } from './bound-outputs.ts';
import {
  RecentDeadLetters,
  type DeadLettersOptions,
  type Failure,
  type StreamDeadLetter,
} from './dead-letters.ts';
import { Flow } from './flow.ts';
import { completer } from './make-events.ts';
import { callOutput, failureOf, type BoundOutput } from './outbox.ts';
import { ResultMaker, type KeptTotal } from './results.ts';
import type { LiveSource } from './sources.ts';
import type { StreamOptions, StreamPlan } from './stream-plan.ts';
import { numbered, type Item } from './stream-result.ts';
import type { CatchUpStreamOptions, StreamRun } from './stream-run.ts';

const BATCH_EVENTS = 1_000;
const CAPACITY = 10_000;
const POLL_MS = 5_000;

export class LiveRun implements StreamRun {
  readonly name: string;
  readonly #sources: readonly LiveSource[];
  readonly #options: StreamOptions;
  readonly #ports: Ports;
  readonly #flow: Flow;
  readonly #operator: WindowOperator;
  readonly #maker: ResultMaker;
  readonly #outputs: BoundOutputs;
  readonly #totals: LiveTotals;
  readonly #nextId: IdSource;
  readonly #letters = new RecentDeadLetters();
  #waiting: Event[] = [];
  #room: (() => void)[] = [];
  #scheduled = false;
  #taken = 0;
  #results = 0;
  #late = 0;
  #running: Promise<unknown> = Promise.resolve();

  /** @throws MillraceError `query.invalid` for a definition that cannot be */
  constructor(plan: StreamPlan, options: StreamOptions) {
    this.name = options.name;
    this.#options = options;
    this.#sources = plan.sources.filter((source) => source.kind === 'live');
    this.#ports = options.ports;
    this.#flow = new Flow(plan.branches);
    this.#maker = new ResultMaker(plan.windows);
    this.#totals = new LiveTotals();
    this.#outputs = bindOutputs(plan);
    this.#nextId = createIds(options.ports);
    const { watermark, time, source, name, ports } = options;
    const { windows } = this.#maker;
    this.#operator = new WindowOperator({
      windows,
      key: plan.key,
      watermark,
      time,
      source,
      name,
      ports,
    });
    for (const { name, output } of [...this.#outputs.results, ...this.#outputs.late]) {
      if (output.kind !== 'called')
        throw invalidWindow(
          'output',
          name,
          'must be a handler, a bus or a topic: the source is no store',
        );
    }
  }

  get watermark(): number {
    return this.#operator.watermark;
  }

  get counts(): WindowCounts {
    return this.#operator.counts;
  }

  get size(): { readonly keys: number; readonly rows: number } {
    return this.#operator.size;
  }

  /** Takes what has come since it was started. */
  catchUp({ signal }: CatchUpStreamOptions = {}): Promise<void> {
    return this.#run(async () => {
      const { batchEvents = BATCH_EVENTS } = this.#options;
      while (this.#waiting.length > 0) {
        signal?.throwIfAborted();
        const batch = this.#waiting.splice(0, batchEvents);
        this.#makeRoom();
        await this.#fold(batch);
      }
      if (this.size.rows > 0) await this.#hand(await this.#operator.tick(), []);
    });
  }

  async finish(): Promise<void> {
    await this.catchUp();
    return this.#run(async () => this.#hand(await this.#operator.finish(), []));
  }

  start(): Undo {
    const { pollMs = POLL_MS } = this.#options;
    const stops = this.#sources.map((source) => source.listen((event) => this.#take(event)));
    let undo: Undo;
    const poll = (): void => {
      undo = this.#ports.after(pollMs, poll);
      this.#schedule();
    };
    undo = this.#ports.after(pollMs, poll);
    return () => {
      undo();
      for (const stop of stops) stop();
    };
  }

  get droppedDeadLetters(): number {
    return this.#letters.dropped;
  }

  async deadLetters(options: DeadLettersOptions = {}): Promise<readonly StreamDeadLetter[]> {
    return this.#letters.list(options);
  }

  async dropDeadLetters(ids: readonly string[]): Promise<void> {
    this.#letters.drop(ids);
  }

  /** @throws MillraceError `limit.exceeded` where too many publishers wait already: the event is the bus's dead letter */
  #take(event: Event): Promise<void> | undefined {
    if (this.#waiting.length >= this.#capacity + MAX_WAITING_FOR_ROOM)
      throw queueFull(`the stream ${this.name}`, this.#capacity);
    this.#waiting.push(event);
    this.#schedule();
    return this.#waiting.length < this.#capacity
      ? undefined
      : new Promise((resolve) => this.#room.push(resolve));
  }

  #makeRoom(): void {
    if (this.#waiting.length < this.#capacity) for (const resolve of this.#room.splice(0)) resolve();
  }

  get #capacity(): number {
    return this.#options.capacity ?? CAPACITY;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#ports.after(0, () => {
      this.#scheduled = false;
      this.catchUp().catch((error: unknown) => this.#report(error));
    });
  }

  #report(error: unknown): void {
    const { onError = (error) => console.warn('a stream failed', error) } = this.#options;
    onError(error);
  }

  #run(task: () => Promise<void>): Promise<void> {
    const run = this.#running.then(task);
    this.#running = run.catch(() => undefined);
    return run;
  }

  async #fold(batch: readonly Event[]): Promise<void> {
    const events: Event[] = [];
    const failures: Failure[] = [];
    for (const event of batch) {
      const place = ++this.#taken;
      this.#flow.take(event, { event, position: place }, events, ({ step, error }) =>
        failures.push({ id: this.#placeId(place, step), handler: step, error, origin: { event } }),
      );
    }
    await this.#hand(await this.#operator.process(events), failures);
  }

  async #hand(processed: Processed, failed: readonly Failure[]): Promise<void> {
    const { updates, failures } = await this.#maker.make(processed.updates, this.#totals);
    this.#totals.forget(this.#oldestNeeded());
    for (const failure of [...failed, ...failures]) this.#bury(failure);
    for (const { event: passed, error } of processed.deadLetters) {
      const { event, position } = this.#flow.originOf(passed);
      const id = this.#placeId(position ?? 0, 'window');
      this.#bury({ id, handler: 'window', error, origin: { event } });
    }
    const results = numbered(updates, this.#results);
    this.#results += results.length;
    const late = numbered(processed.late, this.#late).map((one) => ({
      ...one,
      event: this.#flow.originOf(one.event).event ?? one.event,
    }));
    this.#late += late.length;
    for (const bound of this.#outputs.results) await this.#call(bound, results);
    for (const bound of this.#outputs.late) await this.#call(bound, late);
  }

  async #call<I extends Item>(bound: BoundOutput<I>, items: readonly I[]): Promise<void> {
    const { output } = bound;
    if (output.kind !== 'called') return;
    for (const item of items) {
      const complete = completer({ stream: this.name, id: this.#nextId(), at: this.#ports.now() });
      const call = (): unknown => output.call(item, complete);
      const failure = await callOutput(output, call, this.#ports, undefined);
      if (failure !== undefined) this.#bury(failureOf(bound, item, failure.error, failure.attempts));
    }
  }

  #placeId(place: number, step: string): string {
    return `event/${String(place).padStart(16, '0')}-${step}`;
  }

  #bury(failure: Failure): void {
    this.#letters.add(failure, this.#ports.now());
  }

  /** Windows that ended before take no more events. */
  #oldestNeeded(): number {
    const lateness = this.#maker.windows.map((window) => latenessOf(window, {}));
    return this.watermark - Math.max(...lateness);
  }
}

class LiveTotals {
  readonly #totals = new Map<string, KeptTotal>();

  get(place: string): KeptTotal | undefined {
    return this.#totals.get(place);
  }

  set(place: string, total: KeptTotal): void {
    this.#totals.set(place, total);
  }

  forget(until: number): void {
    for (const [place, { end }] of this.#totals) if (end <= until) this.#totals.delete(place);
  }
}
