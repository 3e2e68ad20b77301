/**
 * A log of segments in memory: what a device falls back on where there is no database. It is slower than `memory.ts`, and
 * much smaller beside a database's driver, with which it shares all but its tables.
 */
import { runScript, type Script } from './segments/script.ts';
import { SegmentStorage } from './segments/segment-storage.ts';
import type { Segment } from './segments/segment.ts';
import type { LogChange, SegmentHead, SegmentScan, SegmentTables } from './segments/tables.ts';
import type { Position } from './position.ts';
import type { ProducerHead, Storage, StoredValue } from './storage.ts';

/** Each call opens a new log. Everything is gone with it. */
export function openMemorySegments(log: string): Storage {
  const tables = new MemoryTables();
  // A script writes once, at its end: one that throws has changed nothing.
  const transact = <T>(_: unknown, script: (tables: SegmentTables) => Script<T>) =>
    runScript(script(tables));
  return new SegmentStorage({ log, transact, close: () => {} });
}

class MemoryTables implements SegmentTables {
  #head: SegmentHead | undefined;
  /** By their first positions, and so by their first ids. */
  #segments: Segment[] = [];
  readonly #unordered = new Map<string, Position>();
  readonly #versions = new Map<string, number>();
  readonly #producers = new Map<string, ProducerHead>();
  readonly #values = new Map<string, StoredValue>();

  head(): SegmentHead | undefined {
    return this.#head;
  }

  startOf(position: Position): Position {
    return this.#segments.findLast(({ first }) => first <= position)?.first ?? 0;
  }

  header(at: Position): Segment | undefined {
    return this.#segments.find(({ first }) => first === at);
  }

  headerOfId(id: string): Segment | undefined {
    return this.#segments.findLast(({ firstId }) => firstId !== '' && firstId <= id);
  }

  headers({ terms, from, to, direction, minTime = -Infinity, limit }: SegmentScan): readonly Segment[] {
    const found = this.#segments.filter(
      (segment) =>
        segment.first >= from &&
        segment.first < to &&
        segment.maxTime >= minTime &&
        (terms.length === 0 || terms.some((term) => segment.terms.includes(term))),
    );
    return (direction === 'forward' ? found : found.toReversed()).slice(0, limit);
  }

  lines(header: Segment, start: number, end?: number): Uint8Array<ArrayBuffer> {
    return header.lines.subarray(start, end);
  }

  unordered(ids: readonly string[]): ReadonlyMap<string, Position> {
    return pick(this.#unordered, ids);
  }

  versions(subjects: readonly string[]): ReadonlyMap<string, number> {
    return pick(this.#versions, subjects);
  }

  producers(ids: readonly string[]): ReadonlyMap<string, ProducerHead> {
    return pick(this.#producers, ids);
  }

  value(key: string): StoredValue | undefined {
    return structuredClone(this.#values.get(key));
  }

  values(prefix: string, after: string, limit: number): readonly (readonly [string, StoredValue])[] {
    const keys = [...this.#values.keys()].filter((key) => key.startsWith(prefix) && key > after);
    return keys
      .toSorted()
      .slice(0, limit)
      .map((key) => [key, this.value(key)!]);
  }

  write({ head, removed, added, unordered, forgotten, ...change }: LogChange): void {
    this.#head = head;
    const gone = new Set([...removed, ...added].map(({ first }) => first));
    this.#segments = [...this.#segments.filter(({ first }) => !gone.has(first)), ...added];
    if (removed.length > 0) this.#segments.sort((a, b) => a.first - b.first);
    for (const [id, position] of unordered) this.#unordered.set(id, position);
    for (const id of forgotten) this.#unordered.delete(id);
    for (const [subject, version] of change.versions) this.#versions.set(subject, version);
    for (const [id, producer] of change.producers) this.#producers.set(id, producer);
    for (const [key, value] of change.values) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, structuredClone(value));
    }
  }
}

function pick<T>(map: ReadonlyMap<string, T>, keys: readonly string[]): ReadonlyMap<string, T> {
  return new Map(keys.flatMap((key) => (map.has(key) ? [[key, map.get(key)!] as const] : [])));
}
