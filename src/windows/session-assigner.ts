/** Finds each event's session, and extends it: an event may join several into one. */
import type { Chunk } from './chunk.ts';
import type { OneEvent } from './one-event.ts';
import { SCRAP_ROW } from './row-table.ts';
import { sessionsAt, type Session } from './session-list.ts';
import type { SessionStore } from './session-store.ts';
import type { Output, WindowPlan } from './window-plan.ts';

export interface SessionChanges {
  /** The session has changed. */
  touched(session: Session): void;
  /** The session has become a part of another. */
  joined(session: Session): void;
}

/** Where an event belongs: a run [from, to) of the key's sessions, which it joins. */
interface Place {
  readonly list: Session[];
  readonly from: number;
  readonly to: number;
}

export class SessionAssigner {
  readonly #chunk: Chunk;
  readonly #store: SessionStore;
  readonly #plan: WindowPlan;
  readonly #changes: SessionChanges;

  constructor(chunk: Chunk, store: SessionStore, plan: WindowPlan, changes: SessionChanges) {
    this.#chunk = chunk;
    this.#store = store;
    this.#plan = plan;
    this.#changes = changes;
  }

  /** Gives each event of the chunk its row. */
  assign(output: Output): void {
    const { keys, times, rows, length } = this.#chunk;
    const { table } = this.#store;
    /** Rows whose sessions have joined others, and where their events go now. */
    const moved = new Map<number, number>();
    const move = (row: number, to: number): void => void moved.set(row, to);
    for (let i = 0; i < length; i++) {
      const place = this.#place(i, output);
      if (place === undefined) rows[i] = SCRAP_ROW;
      else if (place.from === place.to) rows[i] = this.#begin(keys[i]!, times[i]!, table.allocate());
      else rows[i] = this.#extend(place, times[i]!, move).row;
    }
    if (moved.size > 0) this.#move(moved);
  }

  /** Folds each event by itself, and lets it extend its session only then: one that is refused changes nothing. */
  foldEach(one: OneEvent, output: Output): void {
    const { keys, times, length } = this.#chunk;
    const { table } = this.#store;
    const move = (row: number, to: number): void => {
      table.merge(to, table, row);
      table.free(row);
    };
    for (let i = 0; i < length; i++) {
      const place = this.#place(i, output);
      if (place === undefined) continue;
      const { list, from, to } = place;
      const row = to - from === 1 ? list[from]!.row : table.allocate();
      const isTaken = one.fold(i, table, row);
      if (!isTaken && to - from !== 1) table.free(row);
      if (!isTaken) continue;
      if (from === to) this.#begin(keys[i]!, times[i]!, row);
      else {
        const session = this.#extend(place, times[i]!, move);
        if (session.row !== row) move(row, session.row);
      }
    }
  }

  /** Nowhere, if it comes too late. */
  #place(i: number, output: Output): Place | undefined {
    const { events, times, keys, watermarks, exact } = this.#chunk;
    const { gapMs } = this.#store;
    const { latenessMs, name } = this.#plan;
    const time = times[i]!;
    const list = this.#store.of(keys[i]!) ?? [];
    if (!exact || latenessMs === Infinity) {
      const [from, to] = sessionsAt(list, time, gapMs);
      return { list, from, to };
    }
    const watermark = watermarks[i]!;
    const isOver = ({ last }: Session): boolean => last + gapMs + latenessMs <= watermark;
    const [from, to] = sessionsAt(list, time, gapMs, isOver);
    const last = to > from ? Math.max(time, list[to - 1]!.last) : time;
    if (last + gapMs + latenessMs > watermark) return { list, from, to };
    output.late.push({ event: events[i]!, name, watermark });
    return undefined;
  }

  #begin(key: number, time: number, row: number): number {
    this.#changes.touched(this.#store.add(key, time, time, row));
    return row;
  }

  #extend({ list, from, to }: Place, time: number, move: (row: number, to: number) => void): Session {
    const session = list[from]!;
    for (const other of list.splice(from + 1, to - from - 1)) {
      session.last = Math.max(session.last, other.last);
      session.emitted = [...session.emitted, ...other.emitted];
      other.gone = true;
      move(other.row, session.row);
      this.#changes.joined(other);
      this.#store.keys.release(other.key);
    }
    if (time < session.start) session.start = time;
    if (time > session.last) session.last = time;
    this.#changes.touched(session);
    return session;
  }

  /** Sends the chunk's events on to where their sessions have gone, and the rows after them. */
  #move(moved: ReadonlyMap<number, number>): void {
    const { rows, length } = this.#chunk;
    const { table } = this.#store;
    const target = (row: number): number => {
      let to = row;
      for (let next = moved.get(to); next !== undefined; next = moved.get(to)) to = next;
      return to;
    };
    for (let i = 0; i < length; i++) rows[i] = target(rows[i]!);
    for (const row of moved.keys()) table.merge(target(row), table, row);
    for (const row of moved.keys()) table.free(row);
  }
}
