/** Postings in memory: for each value, the positions that have it, rising. */
import type { Position } from './position.ts';

export function post(postings: Map<string, Position[]>, value: string, position: Position): void {
  const positions = postings.get(value);
  if (positions === undefined) postings.set(value, [position]);
  else positions.push(position);
}

export function* inRange(
  positions: readonly Position[],
  first: Position,
  last: Position,
  direction: 'forward' | 'backward',
): Generator<Position> {
  const from = firstAbove(positions, first - 1);
  const to = firstAbove(positions, last);
  if (direction === 'forward') for (let i = from; i < to; i++) yield positions[i]!;
  else for (let i = to - 1; i >= from; i--) yield positions[i]!;
}

/** The index of the first position greater than `bound`: binary search. */
export function firstAbove(positions: readonly Position[], bound: Position): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (positions[middle]! > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}
