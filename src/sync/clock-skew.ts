/**
 * How far the edge's clock is ahead of this device's, from the round trips of requests that are made anyway: NTP's clock
 * filter (RFC 5905, section 10), where of the last samples the one with the shortest round trip tells best.
 */

interface Sample {
  readonly offsetMs: number;
  /** The truth lies within, on either side: half the round trip. */
  readonly errorMs: number;
}

const SAMPLES = 8;
/** What the edge's clock may stand still for, or be rounded by. */
const GRAIN_MS = 5;

export class ClockSkew {
  #samples: Sample[] = [];

  /** In ms; `undefined` until the first round trip. */
  get ms(): number | undefined {
    const [first, ...rest] = this.#samples;
    if (first === undefined) return undefined;
    const best = rest.reduce((best, sample) => (sample.errorMs < best.errorMs ? sample : best), first);
    return Math.round(best.offsetMs);
  }

  /** All in ms since the Unix epoch: the request and its answer by this clock, the answer by the edge's. */
  sample(sentAt: number, receivedAt: number, edgeTime: number): void {
    const errorMs = (receivedAt - sentAt) / 2;
    // This clock was set back meanwhile.
    if (errorMs < 0) return;
    const sample = { offsetMs: edgeTime - sentAt - errorMs, errorMs };
    // Two that cannot both be true: one of the clocks was set in between.
    const agree = (old: Sample): boolean =>
      Math.abs(old.offsetMs - sample.offsetMs) <= old.errorMs + errorMs + GRAIN_MS;
    this.#samples = [...this.#samples.filter(agree), sample].slice(-SAMPLES);
  }
}
