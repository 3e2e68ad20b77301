/**
 * A windowed view over a log: tumbling windows of event time, by key, kept in the log's own storage (`window-fold.ts`),
 * and read whole or by bounded pages.
 *
 * @example
 * const view = new WindowedView(storage, eventsPerMinute);
 * await view.catchUp();
 * await view.read({ from: Date.parse('2026-01-31T09:00Z'), to: Date.parse('2026-01-31T10:00Z') });
 */
import { MillraceError } from '../errors.ts';
import type { JsonValue, Storage } from '../storage/storage.ts';
import { Panes, type PanePlace } from './panes.ts';
import { checkTumbling } from './tumbling.ts';
import {
  WindowFold,
  type WindowDefinition,
  type WindowRange,
  type WindowResult,
} from './window-fold.ts';

export type { CatchUpOptions, WindowDefinition, WindowRange, WindowResult } from './window-fold.ts';

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
const PAGE_RESULTS = 1000;

export class WindowedView<Value, State extends JsonValue = JsonValue> extends WindowFold<Value, State> {
  readonly #panes: Panes;

  /** @throws MillraceError `query.invalid` for a definition that cannot be. */
  constructor(storage: Storage, definition: WindowDefinition<Value, State>) {
    checkTumbling(definition);
    checkName(definition.name);
    super(storage, definition);
    this.#panes = new Panes(storage, definition.name);
  }

  /** As `read`, a bounded page at a time. */
  async page(options: WindowPageOptions = {}): Promise<WindowPage<Value>> {
    const { limit = PAGE_RESULTS, after } = options;
    const results: WindowResult<Value>[] = [];
    const [from, to] = this.starts(options);
    for await (const [start, entry] of this.#panes.entries(from, to, after)) {
      const last = results.at(-1);
      if (results.length >= limit && last !== undefined) {
        return { results, next: { start: last.window.start, key: last.key } };
      }
      results.push(this.result(start, entry));
    }
    return { results };
  }
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
