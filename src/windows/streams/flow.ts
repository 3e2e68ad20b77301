/** What events pass through on their way from the source to the windows: filters and maps, in one branch or in two. */
import type { CallProbe } from '../../bus/call-probe.ts';
import type { Event } from '../../event/event.ts';
import type { Origin } from './dead-letters.ts';

/** One step: the event, another in its place, or nothing. */
export interface FlowStep {
  /** As a dead letter names it. */
  readonly name: string;
  apply(event: Event): Event | undefined;
}

/** Steps that follow on one another. */
export type Branch = readonly FlowStep[];

/** What a step threw. */
export interface FlowFailure {
  readonly step: string;
  readonly error: unknown;
  readonly origin: Origin;
}

const SIDES = ['left', 'right'];

/** All branches see each event. What comes out of one knows what it came from. */
export class Flow {
  readonly #steps: readonly Branch[];
  #branches: readonly Branch[];
  readonly #origins = new WeakMap<Event, Origin>();

  constructor(branches: readonly Branch[]) {
    this.#steps = branches;
    this.#branches = branches;
  }

  /** Has every call of a step looked at, until it is `undefined`. */
  probe(probe: CallProbe | undefined): void {
    this.#branches =
      probe === undefined
        ? this.#steps
        : this.#steps.map((branch, place) => {
            const side = this.#steps.length === 1 ? '' : `${SIDES[place]} `;
            return branch.map((step) => {
              const apply = probe(`${side}${step.name}`, (event: Event) => step.apply(event));
              return { name: step.name, apply };
            });
          });
  }

  /** The events that come out. Of branches that fail, `failed` is told. `origin.branch` says that only that one is to see it. */
  take(event: Event, origin: Origin, out: Event[], failed: (failure: FlowFailure) => void): void {
    const isOne = this.#branches.length === 1;
    for (const [place, branch] of this.#branches.entries()) {
      if (origin.branch !== undefined && origin.branch !== place) continue;
      const own = isOne ? origin : { ...origin, branch: place };
      const end = passed(event, branch, ({ step, error }) =>
        failed({ step: isOne ? step : `${SIDES[place]} ${step}`, error, origin: own }),
      );
      if (end === undefined) continue;
      this.#origins.set(end, own);
      out.push(end);
    }
  }

  originOf(event: Event): Origin {
    return this.#origins.get(event) ?? { event };
  }
}

function passed(
  event: Event,
  branch: Branch,
  failed: (failure: Omit<FlowFailure, 'origin'>) => void,
): Event | undefined {
  let passing: Event | undefined = event;
  for (const step of branch) {
    try {
      passing = step.apply(passing);
    } catch (error) {
      failed({ step: step.name, error });
      return undefined;
    }
    if (passing === undefined) return undefined;
  }
  return passing;
}
