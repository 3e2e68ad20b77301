/**
 * Folds a log into tumbling windows of event time, by key, kept in the log's own storage.
 *
 * The view is a consumer that is its own producer: its sequence is the position that it has read to, and panes move in
 * the commit that moves it. So each event counts once, wherever a crash falls and however many views of the same name
 * run over one storage (one in each tab): the one that comes second is refused, and reads again.
 *
 * A late event of any age revises the window it belongs to, for panes are read back from storage. An event that is
 * damaged at rest is passed over, and counted: it stops no other.
 */
import { hasCode } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { Position } from '../storage/position.ts';
import type { JsonValue, Storage } from '../storage/storage.ts';
import type { Aggregation } from './aggregation.ts';
import { encodePane, PaneStore, type Pane, type PaneEntry } from './pane-store.ts';
import { readDecoded, type ReadOn } from './read-decoded.ts';
import { windowStart, type TumblingWindows, type Window } from './tumbling.ts';

export interface WindowDefinition<Value, State extends JsonValue = JsonValue> extends TumblingWindows {
  /** Names the view in its storage: lower-case words joined by dashes. Another definition needs another name. */
  readonly name: string;
  /** Any string. What groups a window's events. */
  readonly key: (event: Event) => string;
  readonly aggregation: Aggregation<State, Value>;
}

export interface WindowResult<Value> {
  /** Half open, in ms since the Unix epoch. */
  readonly window: Window;
  readonly key: string;
  readonly value: Value;
  /** How many events have changed this result: a reader that holds a smaller one is behind. Depends on no batching. */
  readonly revision: number;
}

export interface CatchUpOptions {
  readonly signal?: AbortSignal | undefined;
  /** The most events to fold in this call, a page more or less. Default: all there are. */
  readonly limit?: number | undefined;
}

/** In ms since the Unix epoch. Selects the windows that overlap [from, to). */
export interface WindowRange {
  /** Default: from the first window on. */
  readonly from?: number | undefined;
  /** Default: to the last window. */
  readonly to?: number | undefined;
}

const PAGE_EVENTS = 1000;
/** No window starts outside of these, whatever its size: beyond the times that an event can have. */
const EARLIEST = -100_000_000_000_000;
const LATEST = 300_000_000_000_000;

export class WindowFold<Value, State extends JsonValue = JsonValue> {
  readonly #storage: Storage;
  readonly #definition: WindowDefinition<Value, State>;
  readonly #producer: string;
  readonly #damagedKey: string;
  readonly #panes: PaneStore;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<readonly WindowResult<Value>[]> | undefined;

  /** The definition is known to be sound. */
  constructor(storage: Storage, definition: WindowDefinition<Value, State>) {
    this.#storage = storage;
    this.#definition = definition;
    this.#producer = `window/${definition.name}`;
    this.#damagedKey = `damaged/window/${definition.name}`;
    this.#panes = new PaneStore(storage, definition.name);
  }

  /**
   * Folds what was committed since the view's checkpoint, and resolves to the results that this call revised, each once
   * in its latest revision: none means that the view is caught up. Calls run one after another; one that waits for its
   * turn is shared by all who ask for the same.
   *
   * @throws MillraceError as `Storage` does; the signal's reason. What was committed before stays.
   */
  catchUp(options?: CatchUpOptions): Promise<readonly WindowResult<Value>[]> {
    if (options === undefined && this.#waiting !== undefined) return this.#waiting;
    const run = this.#running.then(() => {
      if (this.#waiting === run) this.#waiting = undefined;
      return this.#catchUp(options ?? {});
    });
    this.#running = run.catch(() => undefined);
    if (options === undefined) this.#waiting = run;
    return run;
  }

  /** The results of the windows that overlap the range, by start and then by key, as of the view's checkpoint. */
  async read(range: WindowRange = {}): Promise<readonly WindowResult<Value>[]> {
    const [from, to] = this.starts(range);
    const entries = await this.#panes.entriesIn(from, to);
    return entries.map(([start, entry]) => this.result(start, entry));
  }

  /** Up to here the view has read its log. */
  async checkpoint(): Promise<Position> {
    return (await this.#storage.producer(this.#producer))?.seq ?? 0;
  }

  /** How many events it has passed over because they were damaged at rest. */
  async damaged(): Promise<number> {
    return ((await this.#storage.get(this.#damagedKey)) as number | undefined) ?? 0;
  }

  /** Between which starts the windows lie that overlap the range. */
  protected starts({ from = EARLIEST, to = LATEST }: WindowRange): readonly [from: number, to: number] {
    const first = Math.floor(from) - this.#definition.sizeMs + 1;
    return [Math.min(Math.max(first, EARLIEST), LATEST), to];
  }

  async #catchUp({ signal, limit = Infinity }: CatchUpOptions): Promise<readonly WindowResult<Value>[]> {
    // By window and key: the latest of each.
    const revised = new Map<string, WindowResult<Value>>();
    for (let folded = 0; folded < limit;) {
      signal?.throwIfAborted();
      const cursor = await this.checkpoint();
      const page = await readDecoded(this.#storage, {
        after: cursor,
        limit: Math.min(PAGE_EVENTS, limit - folded),
      });
      if (page.next <= cursor) break;
      const { panes, results } = await this.#fold(page.events);
      // Not committed: another view has folded these events. Its panes are read in the next round.
      if (!(await this.#commit(cursor, page, panes))) continue;
      for (const result of results) revised.set(`${result.window.start} ${result.key}`, result);
      folded += page.events.length;
    }
    return [...revised.values()];
  }

  async #fold(events: readonly Event[]): Promise<Folded<Value>> {
    const windows = new Map<number, Map<string, Event[]>>();
    for (const event of events) {
      const start = windowStart(event.timestamp, this.#definition);
      const keys = setDefault(windows, start, () => new Map<string, Event[]>());
      setDefault(keys, this.#definition.key(event), () => []).push(event);
    }
    const panes = new Set<Pane>();
    const folds = [...windows].map(([start, keys]) => this.#foldWindow(start, keys, panes));
    return { panes, results: (await Promise.all(folds)).flat() };
  }

  /** The results that it revises. Their panes are added to `changed`. */
  async #foldWindow(
    start: number,
    keys: ReadonlyMap<string, readonly Event[]>,
    changed: Set<Pane>,
  ): Promise<WindowResult<Value>[]> {
    const { aggregation } = this.#definition;
    const panes = await this.#panes.load(start, keys.keys());
    return [...keys].map(([key, events]) => {
      const pane = panes.get(key)!;
      const [, before, revision] = pane.entries.get(key) ?? [key, aggregation.initial(), 0];
      const state = events.reduce((sum, event) => aggregation.add(sum, event), before as State);
      const entry: PaneEntry = [key, state, revision + events.length];
      pane.entries.set(key, entry);
      changed.add(pane);
      return this.result(start, entry);
    });
  }

  /** Whether panes and checkpoint are in; not, where another view of the same name came first. */
  async #commit(
    cursor: Position,
    { next, damaged }: ReadOn,
    panes: ReadonlySet<Pane>,
  ): Promise<boolean> {
    const lost: [string, JsonValue][] =
      damaged === 0 ? [] : [[this.#damagedKey, (await this.damaged()) + damaged]];
    const [result] = await this.#storage.commit([
      {
        events: [],
        producer: { id: this.#producer, epoch: 1, seq: cursor + 1, count: next - cursor },
        put: [...[...panes].map((pane) => [pane.storageKey, encodePane(pane)] as const), ...lost],
      },
    ]);
    if (result?.ok) return !result.repeated;
    if (hasCode(result?.error, 'producer.gap')) return false;
    throw result!.error;
  }

  protected result(start: number, [key, state, revision]: PaneEntry): WindowResult<Value> {
    const { sizeMs, aggregation } = this.#definition;
    return {
      window: { start, end: start + sizeMs },
      key,
      value: aggregation.result(state as State),
      revision,
    };
  }
}

interface Folded<Value> {
  /** Those to be stored anew. */
  readonly panes: ReadonlySet<Pane>;
  readonly results: readonly WindowResult<Value>[];
}

function setDefault<Key, Item>(map: Map<Key, Item>, key: Key, make: () => Item): Item {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
