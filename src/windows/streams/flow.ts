/** What events pass through on their way from the source to the windows: filters and maps, in one branch or in two. */
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
}

/** All branches see each event. What comes out of one knows what it came from. */
export class Flow {
  readonly #branches: readonly Branch[];
  readonly #origins = new WeakMap<Event, Origin>();

  constructor(branches: readonly Branch[]) {
    this.#branches = branches;
  }

  /** The events that come out. Of branches that fail, `failed` is told. */
  take(event: Event, origin: Origin, out: Event[], failed: (failure: FlowFailure) => void): void {
    for (const branch of this.#branches) {
      const end = passed(event, branch, failed);
      if (end === undefined) continue;
      this.#origins.set(end, origin);
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
  failed: (failure: FlowFailure) => void,
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
