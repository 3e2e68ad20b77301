/**
 * A stream over a store: one consumer, whose checkpoint, watermark, windows and results move in one commit. Of two that
 * run under one name, each event counts once all the same.
 */
import { ProbeSlot, type CallProbe } from '../../bus/call-probe.ts';
import type { Ports, Undo } from '../../ports.ts';
import { failedAgain, type DeadLetter } from '../../storage/dead-letters/dead-letter.ts';
import {
  HostDeadLetters,
  type DeadLetters,
  type RedriveOptions,
  type Retried,
} from '../../storage/dead-letters/dead-letters.ts';
import { StoredDeadLetters, type LetterEntry } from '../../storage/dead-letters/stored-dead-letters.ts';
import { runConsumers } from '../../storage/event-store/run-consumers.ts';
import type { JsonValue, Storage } from '../../storage/storage.ts';
import { latenessOf } from '../operator-options.ts';
import { invalidWindow } from '../windows.ts';
import type { WindowOperator } from '../window-operator.ts';
import type { LateEvent, Processed, WindowCounts, WindowDeadLetter } from '../window-update.ts';
import { WindowedLog, type HandedOn } from '../windowed-log.ts';
import { Handing, StoredTotals } from './handing.ts';
import { bindOutputs, type BoundOutputs } from './bound-outputs.ts';
import { againOf, streamLetter, type Failure } from './dead-letters.ts';
import { Flow } from './flow.ts';
import { eventFailure, viewLog, type LogView } from './log-view.ts';
import { ownIds } from './make-events.ts';
import { isRefusal, Outbox } from './outbox.ts';
import { handAgain, NOTHING, settledBy, takeAgain, type Redriving } from './redriving.ts';
import { ResultMaker } from './results.ts';
import type { StoreSource } from './sources.ts';
import type { StreamOptions, StreamPlan } from './stream-plan.ts';
import { numbered, type StreamResult } from './stream-result.ts';
import type { CatchUpStreamOptions, StreamRun } from './stream-run.ts';

/** How many results, and how many late events, were handed on so far. */
interface Numbers {
  readonly [field: string]: JsonValue;
  readonly results: number;
  readonly late: number;
}

/** Half of what a commit can hold. More results than that wait in the outbox, to be appended in their turn. */
const MOST_EVENTS = 5_000;
const POLL_MS = 5_000;
/** Letters whose id is greater are not of events: something that comes later may settle them. */
const AFTER_EVENTS = 'event0';
export class LogRun implements StreamRun {
  readonly name: string;
  readonly #options: StreamOptions;
  readonly #storage: Storage;
  readonly #ports: Ports;
  readonly #flow: Flow;
  readonly #view: LogView;
  readonly #log: WindowedLog;
  readonly #maker: ResultMaker;
  readonly #outputs: BoundOutputs;
  readonly #outbox: Outbox;
  readonly deadLetters: DeadLetters;
  readonly #letters: StoredDeadLetters;
  readonly #probes = new ProbeSlot((probe) => {
    this.#flow.probe(probe);
    this.#log.operator.probe = probe;
    this.#outbox.probe = probe;
  });
  #redriving: Redriving | undefined;
  /** Letters of the step that is under way, to be told of once it is committed. */
  #added: readonly DeadLetter[] = [];
  /** How many events may go into a commit: none once the store has refused them, until those are through. */
  #room = MOST_EVENTS;
  #signal: AbortSignal | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** @throws MillraceError `query.invalid` for a definition that cannot be */
  constructor(plan: StreamPlan, options: StreamOptions) {
    const { name, ports, batchEvents, watermark, time, source, retainMs } = options;
    const { store, types } = sourceOf(plan);
    this.name = name;
    this.#options = options;
    this.#storage = store.storage;
    this.#ports = ports;
    this.#flow = new Flow(plan.branches);
    this.#view = viewLog(store, this.#flow, ({ id }) => id.startsWith(ownIds(name)));
    this.#maker = new ResultMaker(plan.windows);
    this.#outputs = bindOutputs(plan);
    this.#letters = new StoredDeadLetters(store.storage, `stream/${name}`);
    this.deadLetters = new HostDeadLetters(this.#letters, {
      now: () => ports.now(),
      retry: (letter, options) => this.#redrive(letter, options),
    });
    this.#outbox = new Outbox({ stream: name, store, ports, letters: this.#letters });
    const windows = {
      windows: this.#maker.windows,
      key: plan.key,
      watermark,
      time,
      source,
      retainMs,
      name,
      ports,
    };
    this.#log = new WindowedLog(this.#view.storage, windows, {
      types,
      pageEvents: batchEvents,
      handOn: (processed) => this.#handOn(processed),
      onCommitted: () => {
        this.#letters.tell(this.#added);
        return this.#drain();
      },
    });
  }

  get watermark(): number {
    return this.#log.operator.watermark;
  }

  get counts(): WindowCounts {
    return this.#log.operator.counts;
  }

  get size(): { readonly keys: number; readonly rows: number } {
    return this.#log.operator.size;
  }

  catchUp({ signal, limit }: CatchUpStreamOptions = {}): Promise<void> {
    return this.#run(signal, async () => {
      const before = await this.#log.checkpoint();
      await this.#log.catchUp({ signal, limit });
      const isIdle = (await this.#log.checkpoint()) === before;
      // The clock alone may complete what is open.
      if (isIdle && this.size.rows > 0) await this.#log.tick();
    });
  }

  probe(probe: CallProbe): Undo {
    return this.#probes.set(probe);
  }

  finish(): Promise<void> {
    return this.#run(undefined, () => this.#log.finish());
  }

  start(): Undo {
    const { ports, pollMs = POLL_MS, onError } = this.#options;
    return runConsumers(this.#storage, [this], { ports, pollMs, onError });
  }

  #run(signal: AbortSignal | undefined, task: () => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      this.#signal = signal;
      // What waits comes before what is new.
      await this.#drain();
      try {
        await task();
      } catch (error) {
        if (!isRefusal(error) || this.#room === 0) throw error;
        // The store refuses one of the events: from the outbox, it is found, and the others are appended.
        this.#room = 0;
        await task();
      } finally {
        this.#room = MOST_EVENTS;
      }
    });
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const run = this.#running.then(task);
    this.#running = run.catch(() => undefined);
    return run;
  }

  /** One commit: what comes of the letter, and its end. What an output is handed outside of the log comes before its end. */
  async #redrive(letter: DeadLetter, { signal }: RedriveOptions): Promise<Retried> {
    const again = againOf(letter);
    if (again.kind === 'item') {
      const end = this.#letters.entry(letter.id);
      await this.#inTurn(() => handAgain(this.#outbox, this.#outputs, letter, again, { end, signal }));
      return 'taken';
    }
    let retried: Retried = 'gone';
    const take = async (operator: WindowOperator): Promise<Processed> => {
      // Asked anew after each refusal, for somebody else may have been faster.
      this.#redriving = undefined;
      retried = 'gone';
      if ((await this.#letters.get(letter.id)) === undefined) return NOTHING;
      const { processed, redriving } = await takeAgain(operator, letter, again, this.#view, this.#maker);
      this.#redriving = redriving;
      retried = redriving.failures.length + processed.deadLetters.length > 0 ? 'kept' : 'settled';
      return processed;
    };
    await this.#run(signal, async () => {
      try {
        await this.#log.beside(take);
        if (this.#added.some(({ id }) => id === letter.id)) retried = 'kept';
      } finally {
        this.#redriving = undefined;
      }
    });
    return retried;
  }

  async #drain(): Promise<void> {
    const { results, late } = this.#outputs;
    for (const bound of results) await this.#outbox.drain(bound, this.#signal);
    for (const bound of late) await this.#outbox.drain(bound, this.#signal);
  }

  /** What a step brings, for its commit: it changes nothing by itself. */
  async #handOn(processed: Processed): Promise<HandedOn> {
    const at = this.#ports.now();
    const totals = new StoredTotals(this.#storage, this.name);
    const made = await this.#maker.make(processed.updates, totals);
    for (const window of this.#maker.totalled)
      await totals.forget(window.name, this.watermark - latenessOf(window, this.#latest));
    const numbers = await this.#numbers();
    const total = this.#redriving?.total;
    const updates = total === undefined ? made.updates : [...made.updates, total];
    const results = numbered(updates, numbers.results) as readonly StreamResult[];
    const late = numbered(processed.late.map(this.#fromSource), numbers.late);
    const open = await this.#letters.ids(AFTER_EVENTS);
    const handing = new Handing(this.#outbox, { at, room: this.#room, open });
    for (const bound of this.#outputs.results) handing.add(bound, results);
    for (const bound of this.#outputs.late) handing.add(bound, late);
    const failures = [
      ...(this.#redriving?.failures ?? this.#view.takeFailures()),
      ...processed.deadLetters.map(this.#failureOf),
      ...made.failures,
      ...handing.failures,
    ];
    const settled = open.size === 0 ? [] : settledBy(updates, handing.settled, open);
    const letters = this.#lettersOf(failures, settled, at);
    const next: Numbers = {
      results: numbers.results + results.length,
      late: numbers.late + late.length,
    };
    const counted = results.length + late.length > 0 ? [[this.#numbersKey, next] as const] : [];
    return { events: handing.events, put: [...handing.put, ...totals.put, ...letters, ...counted] };
  }

  /** The entries of new letters, and of those that come to their end. */
  #lettersOf(failures: readonly Failure[], settled: readonly string[], at: number): LetterEntry[] {
    const before = this.#redriving?.letter;
    this.#added = failures.map((failure) => {
      const letter = streamLetter(this.name, failure, at);
      return letter.id === before?.id ? failedAgain(before, letter) : letter;
    });
    const ended = before === undefined ? settled : [...settled, before.id];
    return [
      ...ended.map((id) => this.#letters.entry(id)),
      ...this.#added.map((letter) => this.#letters.entry(letter.id, letter)),
    ];
  }

  readonly #fromSource = (late: LateEvent): LateEvent => ({
    ...late,
    event: this.#flow.originOf(late.event).event ?? late.event,
  });

  readonly #failureOf = ({ event, error, family }: WindowDeadLetter): Failure =>
    eventFailure(this.#flow.originOf(event), 'window', error, family);

  /** As the operator has it: its windows are in a storage. */
  get #latest(): Parameters<typeof latenessOf>[1] {
    return { storage: this.#storage, retainMs: this.#options.retainMs };
  }

  async #numbers(): Promise<Numbers> {
    const kept = await this.#storage.get(this.#numbersKey);
    return (kept as Numbers | undefined) ?? { results: 0, late: 0 };
  }

  get #numbersKey(): string {
    return `stream/${this.name}`;
  }
}

function sourceOf({ sources }: StreamPlan): StoreSource {
  const [source, ...others] = sources.filter((source) => source.kind === 'store');
  const same = others.every((other) => other.store.storage === source?.store.storage);
  if (source === undefined || !same || others.length + 1 < sources.length) {
    const reason = 'must be of one store, or all of them live: pull one log into the other first';
    throw invalidWindow('source', sources.map(({ kind }) => kind).join(' and '), reason);
  }
  const all = [source, ...others].map(({ types }) => types);
  const types = all.includes(undefined) ? undefined : [...new Set(all.flatMap((own) => own ?? []))];
  return { ...source, types };
}
