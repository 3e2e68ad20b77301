/** The sessions in memory, of each key in order. */
import type { KeyIds } from './key-ids.ts';
import type { RowTable } from './row-table.ts';
import type { EmittedSession, Session } from './session-list.ts';
import { Timers } from './timers.ts';

const NONE: readonly EmittedSession[] = [];

export class SessionStore {
  readonly gapMs: number;
  readonly keys: KeyIds;
  readonly table: RowTable;
  /** When each is to be looked at: at its end, and where it is kept longer, at the end of that. */
  readonly timers: Timers<Session>;
  /** By the key's id. */
  readonly #lists: (Session[] | undefined)[] = [];

  constructor(gapMs: number, keys: KeyIds, table: RowTable) {
    this.gapMs = gapMs;
    this.keys = keys;
    this.table = table;
    this.timers = new Timers(gapMs);
  }

  /** The key's sessions by their starts: theirs to change who joins them. */
  of(key: number): Session[] | undefined {
    return this.#lists[key];
  }

  *all(): Generator<Session> {
    for (const list of this.#lists) if (list !== undefined) yield* list.slice();
  }

  add(key: number, start: number, last: number, row: number): Session {
    const session: Session = {
      key,
      start,
      last,
      row,
      emitted: NONE,
      closed: false,
      dirty: true,
      stored: undefined,
      gone: false,
    };
    let list = this.#lists[key];
    if (list === undefined) this.#lists[key] = list = [];
    let place = list.length;
    while (place > 0 && list[place - 1]!.start > start) place--;
    list.splice(place, 0, session);
    this.keys.hold(key);
    this.timers.set(session, this.endOf(session));
    return session;
  }

  endOf({ last }: Session): number {
    return last + this.gapMs;
  }

  letGo(session: Session): void {
    const list = this.#lists[session.key]!;
    list.splice(list.indexOf(session), 1);
    if (list.length === 0) this.#lists[session.key] = undefined;
    session.gone = true;
    this.table.free(session.row);
    this.keys.release(session.key);
  }
}
