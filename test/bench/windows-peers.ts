/** The same tumbling counts and sums in the libraries that a page would take for them. Neither ever lets a window go. */
import { D2, groupBy, groupByOperators, MultiSet, output } from '@electric-sql/d2ts';
import { groupBy as rxGroupBy, mergeMap, reduce, Subject, map } from 'rxjs';
import type { Event } from '../../src/event/event.ts';
import { keyOf, valueOf } from './windows-world.ts';

export interface Peer {
  readonly name: string;
  add(events: readonly Event[]): void;
  /** Count and sum by `start key`. */
  results(): ReadonlyMap<string, string>;
}

/** Groups by window and then by key, each reduced to one object. */
export function rxjs(sizeMs: number): Peer {
  const found = new Map<string, string>();
  const events = new Subject<Event>();
  events
    .pipe(
      rxGroupBy(({ timestamp }) => Math.floor(timestamp / sizeMs) * sizeMs),
      mergeMap((window) =>
        window.pipe(
          rxGroupBy(keyOf),
          mergeMap((group) =>
            group.pipe(
              reduce((all, event) => ({ count: all.count + 1, sum: all.sum + valueOf(event) }), {
                count: 0,
                sum: 0,
              }),
              map(({ count, sum }) => [`${window.key} ${group.key}`, `${count} ${sum}`] as const),
            ),
          ),
        ),
      ),
    )
    .subscribe(([place, sums]) => found.set(place, sums));
  return {
    name: 'RxJS',
    add: (batch) => {
      for (const event of batch) events.next(event);
    },
    results: () => {
      events.complete();
      return found;
    },
  };
}

interface Row {
  readonly start: number;
  readonly key: string;
  readonly value: number;
}

/** A version a batch, grouped by window and key. */
export function d2ts(sizeMs: number): Peer {
  const found = new Map<string, string>();
  const graph = new D2({ initialFrontier: 0 });
  const input = graph.newInput<Row>();
  input.pipe(
    groupBy(({ start, key }: Row) => ({ start, key }), {
      count: groupByOperators.count(),
      sum: groupByOperators.sum(({ value }: Row) => value),
    }),
    output((change) => {
      if (!('collection' in change.data)) return;
      for (const [[, { start, key, count, sum }], multiplicity] of change.data.collection.getInner())
        if (multiplicity > 0) found.set(`${start} ${key}`, `${count} ${sum}`);
    }),
  );
  graph.finalize();
  let version = 0;
  return {
    name: '@electric-sql/d2ts',
    add: (batch) => {
      const rows = batch.map((event): [Row, number] => {
        const start = Math.floor(event.timestamp / sizeMs) * sizeMs;
        return [{ start, key: keyOf(event), value: valueOf(event) }, 1];
      });
      input.sendData(version, new MultiSet(rows));
      input.sendFrontier(++version);
      graph.run();
    },
    results: () => found,
  };
}
