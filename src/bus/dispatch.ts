/**
 * Brings one event to a list of subscribers and reports what each did. Where all are synchronous the report is there at
 * once, and holds nothing but the list: an outcome is written down only where it is not plain success.
 */
import type { Event } from '../event/event.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { Attempt, HandlerFunction, HandlerOutcome } from './event-handler.ts';
import type { Failures } from './failures.ts';
import type { Sampling } from './sampling.ts';
import { isThenable } from './thenable.ts';

export interface Subscriber {
  readonly name: string;
  readonly priority: number;
  /** Rises with each subscription: among equals the first comes first. */
  readonly order: number;
  /** Answers an `Outcome` where it is not plain success, if `guarded`; else it is the handler itself. */
  call: HandlerFunction;
  readonly guarded: boolean;
  /** Not once it is unsubscribed: a dispatch that runs passes it over. */
  live: boolean;
  readonly counts: LiveCounts;
}

/** Whole numbers since the subscription. What was neither skipped nor failed was handled, or still is. */
export interface HandlerCounts {
  /** Events that were brought to it. */
  received: number;
  /** Its filter, `canHandle` or its end said no. */
  skipped: number;
  /** Given up: dead letters. */
  failed: number;
  /** Attempts beyond the first of an event. */
  retried: number;
}

/** What a handler counts, and once it has ended also where all that have ended are counted. */
export interface LiveCounts extends HandlerCounts {
  ended: HandlerCounts | undefined;
}

export const noCounts: Readonly<HandlerCounts> = { received: 0, skipped: 0, failed: 0, retried: 0 };

export interface PublishReport {
  /** As the handlers got it: a middleware may have changed it. */
  readonly event: Event;
  /** `dropped`: a middleware did not pass it on. `failed`: a middleware failed before it did. */
  readonly status: 'delivered' | 'dropped' | 'failed';
  readonly handled: number;
  readonly skipped: number;
  readonly failed: number;
  /** In the order of the calls. */
  readonly outcomes: readonly HandlerOutcome[];
  /** What the middleware failed with. */
  readonly error?: unknown;
}

/** A class, so that no handler's own answer can be taken for it. */
export class Outcome implements HandlerOutcome {
  readonly handler: string;
  readonly status: HandlerOutcome['status'];
  readonly attempts: number;
  readonly error?: unknown;

  constructor({ handler, status, attempts, error }: HandlerOutcome) {
    this.handler = handler;
    this.status = status;
    this.attempts = attempts;
    if (status === 'failed') this.error = error;
  }
}

const FIRST_ATTEMPT: Attempt = Object.freeze({ attempt: 1, signal: undefined });

/**
 * Calls them in their order, one after another, and waits for none: the report comes when the last has answered. What
 * they received is counted by the caller.
 */
export function dispatch(
  subscribers: readonly Subscriber[],
  event: Event,
  failures: Failures,
): MaybePromise<PublishReport> {
  const report = new DispatchReport(event, subscribers);
  const pending = callAll({ report, subscribers, failures }, 0, subscribers.length, undefined);
  return pending === undefined ? report : pending.settled();
}

/** As `dispatch`, with one of the calls timed. */
export function dispatchTimed(
  subscribers: readonly Subscriber[],
  event: Event,
  failures: Failures,
  sampling: Sampling,
): MaybePromise<PublishReport> {
  if (subscribers.length === 0) return dispatch(subscribers, event, failures);
  const run: Run = { report: new DispatchReport(event, subscribers), subscribers, failures };
  const timed = sampling.pick(subscribers.length);
  const before = callAll(run, 0, timed, undefined);
  const then = callTimed(run, timed, before, sampling);
  const pending = callAll(run, timed + 1, subscribers.length, then);
  return pending === undefined ? run.report : pending.settled();
}

interface Run {
  readonly report: DispatchReport;
  readonly subscribers: readonly Subscriber[];
  readonly failures: Failures;
}

function callAll(run: Run, from: number, to: number, before: Pending | undefined): Pending | undefined {
  const { report, subscribers, failures } = run;
  const { event } = report;
  let pending = before;
  for (let index = from; index < to; index++) {
    const subscriber = subscribers[index]!;
    if (!subscriber.live) {
      report.skip(index);
      continue;
    }
    try {
      const { call } = subscriber;
      const answer = call(event, FIRST_ATTEMPT);
      if (answer !== undefined) pending = take(run, index, answer, pending);
    } catch (error) {
      report.fail(index, error, failures);
    }
  }
  return pending;
}

/** From a place of its own: the engine knows the calls of the loop by what they call. */
function callTimed(
  run: Run,
  index: number,
  pending: Pending | undefined,
  sampling: Sampling,
): Pending | undefined {
  const { report, failures } = run;
  const subscriber = run.subscribers[index]!;
  if (!subscriber.live) report.skip(index);
  else
    try {
      const call = (): unknown => subscriber.call(report.event, FIRST_ATTEMPT);
      return take(run, index, sampling.time(subscriber.name, call), pending);
    } catch (error) {
      report.fail(index, error, failures);
    }
  return pending;
}

function take(
  { report, subscribers, failures }: Run,
  index: number,
  answer: unknown,
  before: Pending | undefined,
): Pending | undefined {
  const subscriber = subscribers[index]!;
  if (isThenable(answer)) {
    const pending = before ?? new Pending(report, failures);
    pending.add(index, subscriber, answer);
    return pending;
  }
  if (subscriber.guarded) report.note(index, answer);
  return before;
}

class DispatchReport implements PublishReport {
  readonly event: Event;
  readonly #subscribers: readonly Subscriber[];
  /** By the place in the list, those that are not plain success. */
  #noted: Map<number, HandlerOutcome> | undefined;

  constructor(event: Event, subscribers: readonly Subscriber[]) {
    this.event = event;
    this.#subscribers = subscribers;
  }

  get status(): PublishReport['status'] {
    return 'delivered';
  }

  get handled(): number {
    return this.#subscribers.length - this.skipped - this.failed;
  }

  get skipped(): number {
    return this.#count('skipped');
  }

  get failed(): number {
    return this.#count('failed');
  }

  get outcomes(): readonly HandlerOutcome[] {
    return this.#subscribers.map(
      ({ name }, index) => this.#noted?.get(index) ?? { handler: name, status: 'handled', attempts: 1 },
    );
  }

  note(index: number, answer: unknown): void {
    if (!(answer instanceof Outcome)) return;
    (this.#noted ??= new Map()).set(index, answer);
    const { counts } = this.#subscribers[index]!;
    count(counts, answer);
    if (counts.ended !== undefined) count(counts.ended, answer);
  }

  skip(index: number): void {
    this.note(index, new Outcome({ handler: this.#name(index), status: 'skipped', attempts: 0 }));
  }

  fail(index: number, error: unknown, failures: Failures): void {
    const handler = this.#name(index);
    this.note(index, new Outcome({ handler, status: 'failed', attempts: 1, error }));
    failures.add({ event: this.event, handler, error, attempts: 1, final: true });
  }

  #name(index: number): string {
    return this.#subscribers[index]!.name;
  }

  #count(status: HandlerOutcome['status']): number {
    let count = 0;
    for (const outcome of this.#noted?.values() ?? []) if (outcome.status === status) count++;
    return count;
  }
}

function count(counts: HandlerCounts, { status, attempts }: Outcome): void {
  if (status !== 'handled') counts[status]++;
  if (attempts > 1) counts.retried += attempts - 1;
}

/** The answers that are still to come. */
class Pending {
  readonly #report: DispatchReport;
  readonly #failures: Failures;
  #left = 0;
  #resolve: ((report: PublishReport) => void) | undefined;
  /** One function for all: most answers say nothing but that they are there. */
  readonly #done = (): void => {
    if (--this.#left === 0) this.#resolve?.(this.#report);
  };

  constructor(report: DispatchReport, failures: Failures) {
    this.#report = report;
    this.#failures = failures;
  }

  add(index: number, { guarded }: Subscriber, answer: PromiseLike<unknown>): void {
    this.#left++;
    const done = guarded
      ? (outcome: unknown): void => {
          this.#report.note(index, outcome);
          this.#done();
        }
      : this.#done;
    answer.then(done, (error: unknown) => {
      this.#report.fail(index, error, this.#failures);
      this.#done();
    });
  }

  settled(): MaybePromise<PublishReport> {
    // Thenables of other libraries may have answered at once.
    if (this.#left === 0) return this.#report;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}
