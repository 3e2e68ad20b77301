/** How many events. */
import type { Aggregation } from './aggregation.ts';

export interface Count {
  readonly count: number;
}

export const count: Aggregation<number, Count> = {
  initial: () => 0,
  add: (state) => state + 1,
  merge: (left, right) => left + right,
  result: (state) => ({ count: state }),
};
