/**
 * Looks at every call that a host makes, as a profiler does, by standing in the call's place: while none is there, nothing
 * is asked and nothing is paid. `EventBus.stats` and `observe` are for what is always on.
 */
import type { Undo } from '../ports.ts';

/**
 * Asked for what is to be called in the place of `call`, which it answers the same as. `name` is the handler's, the rule's
 * or the stream's step. It must not throw.
 */
export type CallProbe = <Given extends readonly unknown[], Answer>(
  name: string,
  call: (...given: Given) => Answer,
  about?: CallAbout,
) => (...given: Given) => Answer;

export interface CallAbout {
  /** How many events one call is of. Default: one. */
  readonly events?: number;
}

/** The probe of a host, one at a time: another takes its place. */
export class ProbeSlot {
  #probe: CallProbe | undefined;
  readonly #changed: (probe: CallProbe | undefined) => void;

  constructor(changed: (probe: CallProbe | undefined) => void = () => {}) {
    this.#changed = changed;
  }

  get probe(): CallProbe | undefined {
    return this.#probe;
  }

  set(probe: CallProbe): Undo {
    this.#probe = probe;
    this.#changed(probe);
    return () => {
      if (this.#probe !== probe) return;
      this.#probe = undefined;
      this.#changed(undefined);
    };
  }
}
