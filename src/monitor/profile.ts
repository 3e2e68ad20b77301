/**
 * Where the time goes: each handler, rule and window for itself, over a stretch. It looks at every call while it runs, which
 * costs two looks at a clock a call; before and after, nothing.
 *
 * @example
 * const profile = startProfile({ bus, router, sales: run });
 * await load();
 * console.table(profile.stop().entries);
 */
import type { CallProbe } from '../bus/call-probe.ts';
import { invalidOption } from '../bus/event-handler.ts';
import { isThenable } from '../bus/thenable.ts';
import { hostClock, hostPorts, type Ports, type Undo } from '../ports.ts';
import { Durations } from './durations.ts';

/** A bus, topics, a router, a stream that runs: whatever has its calls looked at. */
export interface Profiled {
  probe(probe: CallProbe): Undo;
}

export interface ProfileOptions {
  /** In ms since any point; never goes back. Default: the host's. */
  readonly clock?: (() => number) | undefined;
  readonly ports?: Pick<Ports, 'after'> | undefined;
}

export interface StretchOptions extends ProfileOptions {
  /** Ends it early: what it has seen by then is the profile. */
  readonly signal?: AbortSignal | undefined;
}

export interface ProfileEntry {
  /** As the host is called in what is profiled. */
  readonly host: string;
  /** The handler's name, the rule's id; of a stream `map`, `fold` and the windows' names, `output` and its name. */
  readonly name: string;
  readonly calls: number;
  /** More than the calls where one takes several. */
  readonly events: number;
  /** Calls that threw, or rejected. */
  readonly failures: number;
  /** Calls that have not answered yet: they are in no figure but `calls`. */
  readonly running: number;
  /** In ms from the call to its answer, waits included: of calls side by side more than the stretch. */
  readonly totalMs: number;
  /** Within 1 % of the true ones. 0 where no call has ended. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Profile {
  readonly durationMs: number;
  /** What took the most time comes first. */
  readonly entries: readonly ProfileEntry[];
  /** Calls of names beyond the first thousand of a host: they are in no entry. */
  readonly unnamed: number;
}

export interface RunningProfile {
  /** What it has seen so far. */
  read(): Profile;
  /** Ends it, and lets the hosts go. Stopping again gives the same. */
  stop(): Profile;
  [Symbol.dispose](): void;
}

const MOST_NAMES = 1_000;

/**
 * Profiles the hosts, under the names that they are given by, until it is stopped. A host has one profile at a time: a
 * second takes its place.
 *
 * @throws MillraceError `query.invalid` for what cannot be profiled
 */
export function startProfile(
  hosts: Readonly<Record<string, Profiled>>,
  { clock = hostClock }: ProfileOptions = {},
): RunningProfile {
  for (const [name, host] of Object.entries(hosts)) {
    if (typeof host?.probe !== 'function')
      throw invalidOption(name, host, 'must be a bus, topics, a router or a stream that runs');
  }
  const start = clock();
  const seen = Object.entries(hosts).map(([name, host]) => ({
    host,
    calls: new HostCalls(name, clock),
  }));
  const undos = seen.map(({ host, calls }) => host.probe(calls.probe));
  let stopped: Profile | undefined;
  const read = (): Profile => {
    const entries = seen.flatMap(({ calls }) => calls.entries());
    entries.sort((a, b) => b.totalMs - a.totalMs);
    const unnamed = seen.reduce((sum, { calls }) => sum + calls.unnamed, 0);
    return { durationMs: clock() - start, entries, unnamed };
  };
  const stop = (): Profile => {
    for (const undo of undos.splice(0)) undo();
    return (stopped ??= read());
  };
  return { read: () => stopped ?? read(), stop, [Symbol.dispose]: () => void stop() };
}

/** Profiles the hosts for so long. @throws MillraceError `query.invalid` as `startProfile` */
export async function profile(
  hosts: Readonly<Record<string, Profiled>>,
  durationMs: number,
  options: StretchOptions = {},
): Promise<Profile> {
  const { ports = hostPorts, signal } = options;
  if (!(durationMs >= 0)) throw invalidOption('durationMs', durationMs, 'must be ms from 0 on');
  using running = startProfile(hosts, options);
  if (signal?.aborted !== true) {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        undo();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const undo = ports.after(durationMs, end);
      signal?.addEventListener('abort', end);
    });
  }
  return running.stop();
}

/** One name's calls. */
class Calls {
  readonly durations = new Durations();
  calls = 0;
  events = 0;
  failures = 0;
  running = 0;
}

class HostCalls {
  readonly #host: string;
  readonly #clock: () => number;
  readonly #byName = new Map<string, Calls>();
  unnamed = 0;

  constructor(host: string, clock: () => number) {
    this.#host = host;
    this.#clock = clock;
  }

  readonly probe: CallProbe =
    (name, call, { events = 1 } = {}) =>
    (...given) => {
      const calls = this.#calls(name);
      if (calls === undefined) return call(...given);
      return this.#timed(calls, events, () => call(...given));
    };

  entries(): ProfileEntry[] {
    return Array.from(this.#byName, ([name, { durations, calls, events, failures, running }]) => ({
      ...{ host: this.#host, name, calls, events, failures, running },
      totalMs: durations.total,
      p50Ms: durations.quantile(0.5),
      p99Ms: durations.quantile(0.99),
      maxMs: durations.greatest,
    }));
  }

  #timed<Answer>(calls: Calls, events: number, call: () => Answer): Answer {
    calls.calls++;
    calls.events += events;
    calls.running++;
    const start = this.#clock();
    const end = (): void => {
      calls.running--;
      calls.durations.add(this.#clock() - start);
    };
    const fail = (): void => {
      calls.failures++;
      end();
    };
    let answer: Answer;
    try {
      answer = call();
    } catch (error) {
      fail();
      throw error;
    }
    if (!isThenable(answer)) {
      end();
      return answer;
    }
    // Some begin their work each time that they are waited for: once, here.
    const settled = Promise.resolve(answer);
    settled.then(end, fail);
    return settled as Answer;
  }

  #calls(name: string): Calls | undefined {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    if (this.#byName.size >= MOST_NAMES) {
      this.unnamed++;
      return undefined;
    }
    const calls = new Calls();
    this.#byName.set(name, calls);
    return calls;
  }
}
