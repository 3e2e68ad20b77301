/**
 * A stream over a bus or topics: all of it is in memory, and ends with the run. Events are folded in batches, a turn of
 * the host's loop later; while more than `capacity` wait, publishers wait.
 */
import type { Event } from '../../event/event.ts';
import { createIds, type IdSource } from '../../event/ids.ts';
import { ProbeSlot, type CallProbe } from '../../bus/call-probe.ts';
import type { Ports, Undo } from '../../ports.ts';
import { madeEventOf, type DeadLetter } from '../../storage/dead-letters/dead-letter.ts';
import {
  HostDeadLetters,
  type DeadLetters,
  type RedriveOptions,
  type Retried,
} from '../../storage/dead-letters/dead-letters.ts';
import { MemoryDeadLetters } from '../../storage/dead-letters/memory-dead-letters.ts';
import { MAX_WAITING_FOR_ROOM, queueFull } from '../../bus/bounded-queue.ts';
import { latenessOf } from '../operator-options.ts';
import { WindowOperator } from '../window-operator.ts';
import type { Processed, WindowCounts, WindowDeadLetter, WindowUpdate } from '../window-update.ts';
import { invalidWindow } from '../windows.ts';
import { bindOutputs, type BoundOutputs } from './bound-outputs.ts';
import {
  againOf,
  eventAgain,
  streamLetter,
  type Again,
  type DeadResult,
  type Failure,
} from './dead-letters.ts';
import { Flow, type FlowFailure } from './flow.ts';
import { LiveTotals } from './live-totals.ts';
import { completer } from './make-events.ts';
import { callOutput } from './call-output.ts';
import { failureOf, type BoundOutput } from './outbox.ts';
import { checkFamily } from './redriving.ts';
import { resultPlace, ResultMaker } from './results.ts';
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
  readonly deadLetters: DeadLetters;
  readonly #letters = new MemoryDeadLetters();
  readonly #probes = new ProbeSlot((probe) => {
    this.#flow.probe(probe);
    this.#operator.probe = probe;
  });
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
    this.deadLetters = new HostDeadLetters(this.#letters, {
      now: () => this.#ports.now(),
      retry: (letter, options) => this.#redrive(letter, options),
    });
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

  probe(probe: CallProbe): Undo {
    return this.#probes.set(probe);
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

  #run<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#running.then(task);
    this.#running = run.catch(() => undefined);
    return run;
  }

  async #fold(batch: readonly Event[]): Promise<void> {
    const events: Event[] = [];
    const failures: Failure[] = [];
    for (const event of batch) {
      const origin = { event, position: ++this.#taken };
      this.#flow.take(event, origin, events, (failure) => failures.push(failureAt(failure)));
    }
    await this.#hand(await this.#operator.process(events), failures);
  }

  async #hand(processed: Processed, failed: readonly Failure[]): Promise<void> {
    const { updates, failures } = await this.#maker.make(processed.updates, this.#totals);
    this.#totals.forget(this.#oldestNeeded());
    for (const failure of [...failed, ...failures]) this.#bury(failure);
    for (const dead of processed.deadLetters) this.#bury(this.#failureOf(dead));
    const late = numbered(processed.late, this.#late).map((one) => ({
      ...one,
      event: this.#flow.originOf(one.event).event ?? one.event,
    }));
    this.#late += late.length;
    await this.#handOn(updates);
    for (const bound of this.#outputs.late) await this.#call(bound, late);
  }

  async #handOn(updates: readonly WindowUpdate[]): Promise<void> {
    if (this.#letters.count() > 0) this.#settle(updates);
    const results = numbered(updates, this.#results);
    this.#results += results.length;
    for (const bound of this.#outputs.results) await this.#call(bound, results);
  }

  /** Results that have come in a newer revision are no dead letters any more. */
  #settle(updates: readonly WindowUpdate[]): void {
    for (const update of updates) {
      const place = resultPlace(update);
      this.#letters.drop([`result/${place}`, `total/${place}`]);
    }
  }

  #redrive(letter: DeadLetter, { signal }: RedriveOptions): Promise<Retried> {
    return this.#run(async () => {
      const again = againOf(letter);
      if (again.kind === 'event') return this.#foldAgain(letter, again);
      if (again.kind === 'item') await this.#handAgain(again, signal);
      else {
        const made = this.#maker.remake(letter.result as unknown as DeadResult, again);
        if (again.kind === 'total') await this.#handOn([made]);
        else await this.#hand({ updates: [made], late: [], deadLetters: [] }, []);
      }
      // Made, it has settled its letter; where it has failed again, there is a newer one.
      const now = this.#letters.get(letter.id);
      return now === undefined || now === letter ? 'taken' : 'kept';
    });
  }

  async #foldAgain(
    letter: DeadLetter,
    { branch, family }: Extract<Again, { readonly kind: 'event' }>,
  ): Promise<Retried> {
    checkFamily(this.#operator, family);
    const event = madeEventOf(letter);
    const events: Event[] = [];
    const failures: Failure[] = [];
    const origin = { event, position: placeIn(letter.id), branch };
    this.#flow.take(event, origin, events, (failure) => failures.push(failureAt(failure)));
    const processed = await this.#operator.process(events, family);
    const ids = [...failures, ...processed.deadLetters.map(this.#failureOf)].map(({ id }) => id);
    if (!ids.includes(letter.id)) this.#letters.drop([letter.id]);
    await this.#hand(processed, failures);
    return ids.length > 0 ? 'kept' : 'taken';
  }

  async #handAgain(
    { output: name, item }: Extract<Again, { readonly kind: 'item' }>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { results, late } = this.#outputs;
    const bound = [...results, ...late].find((one) => one.name === name) as BoundOutput | undefined;
    if (bound?.output.kind !== 'called')
      throw invalidWindow('output', name, 'must be an output of the stream still');
    const { output } = bound;
    const complete = completer({ stream: this.name, id: this.#nextId(), at: this.#ports.now() });
    const call = (): unknown => output.call(bound.decode(item), complete);
    const failure = await callOutput(output, call, this.#ports, signal);
    if (failure !== undefined) throw failure.error;
  }

  async #call<I extends Item>(bound: BoundOutput<I>, items: readonly I[]): Promise<void> {
    const { output } = bound;
    if (output.kind !== 'called') return;
    for (const item of items) {
      const complete = completer({ stream: this.name, id: this.#nextId(), at: this.#ports.now() });
      const call = (): unknown => output.call(item, complete);
      const probed = this.#probes.probe?.(`output ${bound.name}`, call) ?? call;
      const failure = await callOutput(output, probed, this.#ports, undefined);
      if (failure !== undefined) this.#bury(failureOf(bound, item, failure.error, failure.attempts));
    }
  }

  readonly #failureOf = ({ event, error, family }: WindowDeadLetter): Failure =>
    failureAt({ step: 'window', error, origin: this.#flow.originOf(event), family });

  #bury(failure: Failure): void {
    this.#letters.add(streamLetter(this.name, failure, this.#ports.now()));
  }

  /** Windows that ended before take no more events. */
  #oldestNeeded(): number {
    const lateness = this.#maker.windows.map((window) => latenessOf(window, {}));
    return this.watermark - Math.max(...lateness);
  }
}

/** By the place of its event in what was heard. */
function failureAt({
  step,
  error,
  origin,
  family,
}: FlowFailure & { readonly family?: string | undefined }): Failure {
  const { position = 0, branch, event } = origin;
  const place = String(position).padStart(PLACE_DIGITS, '0');
  const id = `${PREFIX}${place}-${step}${family === undefined ? '' : ` ${family}`}`;
  // It is no position in a log.
  return { id, step, error, origin: { event }, again: eventAgain(branch, family) };
}

const PREFIX = 'event/';
const PLACE_DIGITS = 16;

function placeIn(id: string): number {
  return Number(id.slice(PREFIX.length, PREFIX.length + PLACE_DIGITS));
}
