/**
 * Session windows: each key's events in runs with less than a gap between them. A late event may extend a session that
 * is complete, or join two into one; what was handed on of them is then taken back.
 * (Akidau et al., The Dataflow Model, 2015, section 2.2: merging windows.)
 */
import type { JsonValue, StoredValue } from '../storage/storage.ts';
import type { EventBatch } from './aggregation.ts';
import type { Chunk } from './chunk.ts';
import type { ColdSessions } from './cold-sessions.ts';
import type { KeyIds } from './key-ids.ts';
import type { AnyAggregation, StreamWindow } from './operator-options.ts';
import { OneEvent } from './one-event.ts';
import { RowTable } from './row-table.ts';
import { SessionAssigner } from './session-assigner.ts';
import type { Session } from './session-list.ts';
import { SessionStore } from './session-store.ts';
import type { Arrivals, WindowFamily } from './window-family.ts';
import { WindowPlan, type Output } from './window-plan.ts';

export interface SessionWindowsOptions {
  readonly window: StreamWindow;
  readonly gapMs: number;
  /** How long after its end a session takes events. */
  readonly latenessMs: number;
  readonly keys: KeyIds;
  readonly chunk: Chunk;
  readonly cold?: ColdSessions | undefined;
}

export class SessionWindows implements WindowFamily {
  readonly name: string;
  readonly #plan: WindowPlan;
  readonly #gapMs: number;
  readonly #keys: KeyIds;
  readonly #chunk: Chunk;
  readonly #table: RowTable;
  readonly #batches: readonly EventBatch[];
  /** For an aggregation that may refuse an event. */
  readonly #one: OneEvent | undefined;
  readonly #cold: ColdSessions | undefined;
  readonly #store: SessionStore;
  readonly #assigner: SessionAssigner;
  /** To be handed on, or taken back, at the end of the batch. */
  #changed = new Set<Session>();
  #watermark = -Infinity;

  constructor({ window, gapMs, latenessMs, keys, chunk, cold }: SessionWindowsOptions) {
    const aggregation = window.aggregation as AnyAggregation;
    this.name = `session-${window.name}`;
    this.#plan = new WindowPlan(window, latenessMs);
    this.#gapMs = gapMs;
    this.#keys = keys;
    this.#chunk = chunk;
    this.#table = new RowTable([aggregation]);
    this.#batches = [chunk.batchOf(aggregation)];
    if (this.#table.tables[0]!.fallible) this.#one = new OneEvent(chunk, this.#batches[0]!);
    this.#cold = cold;
    this.#store = new SessionStore(gapMs, keys, this.#table);
    this.#assigner = new SessionAssigner(chunk, this.#store, this.#plan, {
      touched: (session) => this.#touch(session),
      joined: (session) => cold?.forget(session, keys),
    });
  }

  get windowNames(): readonly string[] {
    return [this.#plan.name];
  }

  get rows(): number {
    return this.#table.size;
  }

  isExact(earliest: number, watermark: number): boolean {
    return this.#plan.latenessMs < Infinity && earliest + this.#plan.latenessMs < watermark;
  }

  fold(output: Output): void {
    if (this.#one !== undefined) return this.#assigner.foldEach(this.#one, output);
    this.#assigner.assign(output);
    this.#table.addAll(this.#chunk, this.#batches);
  }

  advance(watermark: number, output: Output): void {
    for (const session of this.#changed) {
      if (session.closed && !session.gone) this.#emit(session, true, output);
      if (session.closed || session.gone) this.#changed.delete(session);
    }
    this.#watermark = watermark;
    const due = this.#store.timers.due(watermark);
    for (const session of due.toSorted((a, b) => a.last - b.last)) {
      if (session.gone) continue;
      const end = session.last + this.#gapMs;
      if (end > watermark) this.#store.timers.set(session, end);
      else if (!session.closed) this.#complete(session, output);
      else if (this.#cold === undefined) this.#keepOrLetGo(session);
    }
  }

  settle(now: number, output: Output): void {
    const isDue = this.#plan.early && this.#plan.isDue(now);
    const waiting = new Set<Session>();
    for (const session of this.#changed) {
      if (this.#plan.early) {
        if (isDue && this.#isEnough(session)) this.#emit(session, false, output);
        else waiting.add(session);
      }
      this.#retract(session, output);
    }
    this.#changed = waiting;
  }

  mayBeCold(earliest: number): boolean {
    return earliest < this.#watermark;
  }

  async thaw({ times, keys }: Arrivals): Promise<void> {
    const late = [...times.keys()].filter((i) => times[i]! < this.#watermark);
    await Promise.all(
      late.map(async (i) => {
        const found = await this.#cold!.around(keys[i]!, times[i]!, this.#gapMs);
        for (const { stored, start, last, states, revision } of found) {
          const key = this.#keys.of(keys[i]!);
          if (this.#store.of(key)?.some((session) => session.stored === stored) === true) continue;
          if (this.#cold!.isTaken(stored)) continue;
          this.#thawOne(key, { stored, start, last, states, revision });
        }
      }),
    );
  }

  async open(state: JsonValue | undefined, watermark: number): Promise<void> {
    this.#watermark = watermark;
    const changed = new Set((state as readonly string[] | undefined) ?? []);
    for await (const [name, sessions] of this.#cold!.open()) {
      for (const { start, last, states, revision, emitted } of sessions) {
        const session = this.#store.add(this.#keys.of(name), start, last, this.#table.allocate());
        session.emitted = emitted;
        this.#table.load(session.row, [states], revision);
        if (changed.has(`${start}/${name}`)) this.#changed.add(session);
      }
    }
  }

  /** What is to be handed on yet. */
  save(): readonly string[] {
    return [...this.#changed]
      .filter(({ gone }) => !gone)
      .map(({ key, start }) => `${start}/${this.#keys.name(key)}`);
  }

  async puts(): Promise<readonly (readonly [key: string, value: StoredValue | undefined])[]> {
    const puts = this.#cold!.puts(this.#store.all(), this.#table, this.#keys);
    const keptMs = this.#gapMs + this.#plan.latenessMs;
    return [...puts, ...(await this.#cold!.prune((last) => last + keptMs <= this.#watermark, puts))];
  }

  committed(): void {
    this.#cold!.committed();
    for (const session of this.#store.all()) {
      this.#table.saved(session.row);
      session.dirty = false;
      if (session.closed) this.#store.letGo(session);
      // It stands among the open ones again.
      else session.stored = undefined;
    }
  }

  /** Notes what is to be done for a session that has changed, beyond waiting for its end. */
  #touch(session: Session): void {
    if (session.closed && session.last + this.#gapMs > this.#watermark) this.#reopen(session);
    else if (!session.closed && session.last + this.#gapMs <= this.#watermark) session.closed = true;
    if (session.closed || this.#plan.early || session.emitted.length > 0) this.#changed.add(session);
  }

  #reopen(session: Session): void {
    session.closed = false;
    this.#store.timers.set(session, session.last + this.#gapMs);
  }

  #complete(session: Session, output: Output): void {
    session.closed = true;
    this.#emit(session, true, output);
    this.#changed.delete(session);
    if (this.#cold === undefined) this.#keepOrLetGo(session);
  }

  /** Without a storage, a session is kept as long as an event of it may come. */
  #keepOrLetGo(session: Session): void {
    const until = session.last + this.#gapMs + this.#plan.latenessMs;
    if (until > this.#watermark) this.#store.timers.set(session, until);
    else this.#store.letGo(session);
  }

  #isEnough({ row, emitted }: Session): boolean {
    const before = emitted.reduce((sum, { revision }) => sum + revision, 0);
    return this.#plan.isEnough(this.#table.revisions[row]!, { revision: before });
  }

  #emit(session: Session, complete: boolean, output: Output): void {
    const { start, row, emitted } = session;
    const revision = this.#table.revisions[row]!;
    if (revision === 0) return;
    const end = session.last + this.#gapMs;
    const value = this.#table.tables[0]!.result(row);
    const before = emitted.find((one) => one.start === start && one.end === end);
    const name = this.#keys.name(session.key);
    output.updates.push(this.#plan.update({ start, end }, name, revision, value, complete, before));
    const now = { ...this.#plan.emitted(this.#table, row), start, end };
    session.emitted = [...emitted.filter((one) => one !== before), now];
    session.dirty = true;
    this.#retract(session, output);
  }

  /** Takes back what was handed on of sessions that are no more as they were. */
  #retract(session: Session, output: Output): void {
    const { start, emitted, row } = session;
    const end = session.last + this.#gapMs;
    const stale = emitted.filter((one) => one.start !== start || one.end !== end);
    if (stale.length === 0) return;
    const key = this.#keys.name(session.key);
    const revision = this.#table.revisions[row]!;
    for (const one of stale) {
      const window = { start: one.start, end: one.end };
      output.updates.push(this.#plan.removal(window, key, revision, one));
    }
    session.emitted = emitted.filter((one) => !stale.includes(one));
    session.dirty = true;
  }

  #thawOne(key: number, cold: ColdSession): void {
    const session = this.#store.add(key, cold.start, cold.last, this.#table.allocate());
    this.#table.load(session.row, [cold.states], cold.revision);
    const end = cold.last + this.#gapMs;
    session.closed = true;
    session.stored = cold.stored;
    session.emitted = [{ ...this.#plan.emitted(this.#table, session.row), start: cold.start, end }];
  }
}

interface ColdSession {
  readonly stored: string;
  readonly start: number;
  readonly last: number;
  readonly states: JsonValue;
  readonly revision: number;
}
