/** How long handlers take, from calls that are timed now and then. */
import type { CallObserver } from '../bus/sampling.ts';
import type { Histogram } from './histogram.ts';

export const samplingLimits = {
  /** So many calls are timed one after another, at the start and after each reading: at a person's pace, all are. */
  fresh: 64,
  /** After those, one call of so many events. */
  every: 1_024,
  /** Histograms that are kept at hand by their names. */
  names: 1_000,
} as const;

export class CallTimes implements CallObserver {
  readonly clock: () => number;
  readonly #histogramOf: (name: string) => Histogram;
  readonly #histograms = new Map<string, Histogram>();
  #fresh: number = samplingLimits.fresh;

  constructor(clock: () => number, histogramOf: (name: string) => Histogram) {
    this.clock = clock;
    this.#histogramOf = histogramOf;
  }

  readonly gap = (): number => {
    if (this.#fresh === 0) return samplingLimits.every;
    this.#fresh--;
    return 1;
  };

  readonly timed = (name: string, ms: number): void => {
    this.#histogram(name).observe(ms / 1000);
  };

  /** To be called when the histograms are read. */
  refresh(): void {
    this.#fresh = samplingLimits.fresh;
  }

  #histogram(name: string): Histogram {
    const known = this.#histograms.get(name);
    if (known !== undefined) return known;
    const histogram = this.#histogramOf(name);
    if (this.#histograms.size < samplingLimits.names) this.#histograms.set(name, histogram);
    return histogram;
  }
}
