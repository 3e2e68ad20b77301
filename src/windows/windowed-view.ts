/**
 * A windowed view over a log: tumbling windows of event time, by key, kept in the log's own storage.
 *
 * The view is a consumer that is its own producer: its sequence is the position that it has read to, and panes move in
 * the commit that moves it. So each event counts once, wherever a crash falls and however many views of the same name
 * run over one storage (one in each tab): the one that comes second is refused, and reads again.
 *
 * A late event of any age revises the window it belongs to, for panes are read back from storage. An event that is
 * damaged at rest is passed over, and counted: it stops no other.
 *
 * @example
 * const view = new WindowedView(storage, eventsPerMinute);
 * await view.catchUp();
 * await view.read({ from: Date.parse('2026-01-31T09:00Z'), to: Date.parse('2026-01-31T10:00Z') });
 */
import { hasCode, MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { Position } from '../storage/position.ts';
import type { JsonValue, Storage } from '../storage/storage.ts';
import type { StoredEvent } from '../storage/stored-event.ts';
import type { Aggregation } from './aggregation.ts';
import { encodePane, Panes, type Pane, type PaneEntry, type PanePlace } from './panes.ts';
import { checkTumbling, windowStart, type TumblingWindows, type Window } from './tumbling.ts';

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

export interface WindowPageOptions extends WindowRange {
  /** Where the page before ended. */
  readonly after?: PanePlace | undefined;
  /** The most results. Default: 1,000. */
  readonly limit?: number | undefined;
}

export interface WindowPage<Value> {
  readonly results: readonly WindowResult<Value>[];
  /** To go on, ask again with it as `after`. None: these were the last. */
  readonly next?: PanePlace;
}

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const MAX_NAME_LENGTH = 64;
const PAGE_EVENTS = 1000;
const PAGE_RESULTS = 1000;
/** No window starts outside of these, whatever its size: beyond the times that an event can have. */
const EARLIEST = -100_000_000_000_000;
const LATEST = 300_000_000_000_000;

type Revised<Value> = Map<number, Map<string, WindowResult<Value>>>;

export class WindowedView<Value, State extends JsonValue = JsonValue> {
  readonly #storage: Storage;
  readonly #definition: WindowDefinition<Value, State>;
  readonly #producer: string;
  readonly #damagedKey: string;
  readonly #panes: Panes;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<readonly WindowResult<Value>[]> | undefined;

  /** @throws MillraceError `query.invalid` for a definition that cannot be. */
  constructor(storage: Storage, definition: WindowDefinition<Value, State>) {
    checkTumbling(definition);
    checkName(definition.name);
    this.#storage = storage;
    this.#definition = definition;
    this.#producer = `window/${definition.name}`;
    this.#damagedKey = `damaged/window/${definition.name}`;
    this.#panes = new Panes(storage, definition.name);
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
    const results: WindowResult<Value>[] = [];
    for await (const result of this.#results(range)) results.push(result);
    return results;
  }

  /** As `read`, a bounded page at a time. */
  async page(options: WindowPageOptions = {}): Promise<WindowPage<Value>> {
    const { limit = PAGE_RESULTS } = options;
    const results: WindowResult<Value>[] = [];
    for await (const result of this.#results(options)) {
      const last = results.at(-1);
      if (results.length >= limit && last !== undefined) {
        return { results, next: { start: last.window.start, key: last.key } };
      }
      results.push(result);
    }
    return { results };
  }

  /** Up to here the view has read its log. */
  async checkpoint(): Promise<Position> {
    return (await this.#storage.producer(this.#producer))?.seq ?? 0;
  }

  /** How many events it has passed over because they were damaged at rest. */
  async damaged(): Promise<number> {
    return ((await this.#storage.get(this.#damagedKey)) as number | undefined) ?? 0;
  }

  async *#results(options: WindowPageOptions): AsyncGenerator<WindowResult<Value>> {
    const { from = EARLIEST, to = LATEST, after } = options;
    const first = Math.min(Math.max(Math.floor(from) - this.#definition.sizeMs + 1, EARLIEST), LATEST);
    for await (const [start, entry] of this.#panes.entries(first, to, after))
      yield this.#result(start, entry);
  }

  async #catchUp({ signal, limit = Infinity }: CatchUpOptions): Promise<readonly WindowResult<Value>[]> {
    const revised: Revised<Value> = new Map();
    for (let folded = 0; folded < limit;) {
      signal?.throwIfAborted();
      const cursor = await this.checkpoint();
      const page = await this.#readOn(cursor, Math.min(PAGE_EVENTS, limit - folded));
      if (page.next <= cursor) break;
      const panes = await this.#fold(page.events);
      // Not committed: another view has folded these events. Its panes are read in the next round.
      if (!(await this.#commit(cursor, page, panes))) continue;
      for (const [start, pane] of panes) this.#collect(revised, start, pane);
      folded += page.events.length;
    }
    return [...revised.values()].flatMap((results) => [...results.values()]);
  }

  /** A read ends before a damaged event, and fails where it starts with one: then it starts behind it. */
  async #readOn(cursor: Position, limit: number): Promise<ReadOn> {
    let next = cursor;
    for (let damaged = 0; damaged < PAGE_EVENTS; damaged++) {
      try {
        const page = await this.#storage.read({ after: next, limit });
        const events = page.events.flatMap(decoded);
        return { events, next: page.next, damaged: damaged + page.events.length - events.length };
      } catch (error) {
        if (!hasCode(error, 'storage.corrupt') || error.details.position <= next) throw error;
        next = error.details.position;
      }
    }
    return { events: [], next, damaged: PAGE_EVENTS };
  }

  async #fold(page: readonly Event[]): Promise<readonly (readonly [start: number, pane: FoldedPane])[]> {
    const windows = new Map<number, Map<string, Event[]>>();
    for (const event of page) {
      const keys = setDefault(
        windows,
        windowStart(event.timestamp, this.#definition),
        () => new Map<string, Event[]>(),
      );
      setDefault(keys, this.#definition.key(event), () => []).push(event);
    }
    const folded = await Promise.all([...windows].map(([start, keys]) => this.#foldWindow(start, keys)));
    return folded.flat();
  }

  async #foldWindow(start: number, keys: ReadonlyMap<string, readonly Event[]>) {
    const { aggregation } = this.#definition;
    const panes = await this.#panes.load(start, keys.keys());
    const folded = new Map<Pane, string[]>();
    for (const [key, events] of keys) {
      const pane = panes.get(key)!;
      const [, before, revision] = pane.entries.get(key) ?? [key, aggregation.initial(), 0];
      const state = events.reduce((sum, event) => aggregation.add(sum, event), before as State);
      pane.entries.set(key, [key, state, revision + events.length]);
      setDefault(folded, pane, () => []).push(key);
    }
    return [...folded].map(([pane, changed]) => [start, { pane, changed }] as const);
  }

  /** Whether panes and checkpoint are in; not, where another view of the same name came first. */
  async #commit(
    cursor: Position,
    { next, damaged }: ReadOn,
    panes: readonly (readonly [number, FoldedPane])[],
  ): Promise<boolean> {
    const lost: [string, JsonValue][] =
      damaged === 0 ? [] : [[this.#damagedKey, (await this.damaged()) + damaged]];
    const [result] = await this.#storage.commit([
      {
        events: [],
        producer: { id: this.#producer, epoch: 1, seq: cursor + 1, count: next - cursor },
        put: [...panes.map(([, { pane }]) => [pane.storageKey, encodePane(pane)] as const), ...lost],
      },
    ]);
    if (result?.ok) return !result.repeated;
    if (hasCode(result?.error, 'producer.gap')) return false;
    throw result!.error;
  }

  #collect(revised: Revised<Value>, start: number, { pane, changed }: FoldedPane): void {
    const results = setDefault(revised, start, () => new Map<string, WindowResult<Value>>());
    for (const key of changed) results.set(key, this.#result(start, pane.entries.get(key)!));
  }

  #result(start: number, [key, state, revision]: PaneEntry): WindowResult<Value> {
    const { sizeMs, aggregation } = this.#definition;
    return {
      window: { start, end: start + sizeMs },
      key,
      value: aggregation.result(state as State),
      revision,
    };
  }
}

/** What one read has brought: all up to `next` is in `events`, or damaged, or trimmed. */
interface ReadOn {
  readonly events: readonly Event[];
  readonly next: Position;
  readonly damaged: number;
}

function decoded(stored: StoredEvent): readonly Event[] {
  try {
    return [stored.event];
  } catch {
    return [];
  }
}

interface FoldedPane {
  readonly pane: Pane;
  /** The keys whose entries the fold has changed. */
  readonly changed: readonly string[];
}

function setDefault<Key, Item>(map: Map<Key, Item>, key: Key, make: () => Item): Item {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function checkName(name: string): void {
  if (NAME.test(name) && name.length <= MAX_NAME_LENGTH) return;
  const reason = `must be lower-case words joined by dashes, ${MAX_NAME_LENGTH} characters at most`;
  throw new MillraceError('query.invalid', `windows: name ${reason}: got ${JSON.stringify(name)}`, {
    path: '/name',
    value: name,
    reason,
  });
}
