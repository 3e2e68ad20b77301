/**
 * One tab pushes for all. Where there are Web Locks it is the one that holds the log's lock: when it dies the browser
 * gives the lock to the next at once. A holder that is frozen would keep it for ever, so the others ask whether anybody
 * leads, and one that hears no answer steals the lock. Without locks, silence alone decides.
 *
 * Two may lead at a time, for a moment: the newer one's epoch fences the older, which follows from then on.
 */
import { hostDigest, hostPorts, type Undo } from '../../src/ports.ts';
import { Pusher, type PusherOptions } from '../../src/sync/pusher.ts';
import { abortable, Wake } from '../../src/sync/wake.ts';

export interface LeaderOptions extends Pick<
  PusherOptions,
  'storage' | 'transport' | 'gatherMs' | 'paceMs' | 'onStatus'
> {
  readonly log: string;
  /** Asked when the lead is won. */
  readonly offline: () => Promise<boolean>;
  readonly onLead: (leading: boolean) => void;
  /** Asks the leader, in whatever tab, to be `heard`. */
  readonly ask: () => void;
}

/**
 * How often one that follows looks whether it has heard of a leader. The third look in a row without is silence: three
 * seconds after a freeze, and, where no lock tells of a crash, three quarters of one.
 */
const LOOK_MS = { locks: 1_000, none: 250 };

export class Leader {
  readonly #options: LeaderOptions;
  readonly #lookMs = navigator.locks ? LOOK_MS.locks : LOOK_MS.none;
  readonly #wake = new Wake<'stop'>(hostPorts);
  #leave = new AbortController();
  #stopped = false;
  #pusher: Pusher | undefined;
  /** Looks since a leader was heard. */
  #looks = 0;
  readonly #running: Promise<void>;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  setOffline(offline: boolean): void {
    this.#pusher?.setOnline(!offline);
  }

  retry(): void {
    this.#pusher?.retry();
  }

  /** Another tab says that it leads. If this one does too, its pusher looks whether it still stands. */
  heard(): void {
    this.#looks = 0;
    this.retry();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leave.abort();
    this.#wake.call('stop');
    await this.#pusher?.stop();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const leave = (this.#leave = new AbortController());
      try {
        await this.#turn(leave.signal);
      } catch {
        // The lock was stolen, or the lead could not be taken up. A lead that has begun ends here.
        leave.abort();
        await this.#pusher?.stop();
      }
      if (!this.#stopped) await this.#wake.wait(['stop'], this.#lookMs);
    }
  }

  /** Follows until the lead falls to this tab, then leads until that ends. Rejects where the lock is taken away. */
  async #turn(leave: AbortSignal): Promise<void> {
    const silence = new AbortController();
    let leads = false;
    const unwatch = this.#watch(() => silence.abort());
    const lead = (): Promise<void> => {
      leads = true;
      unwatch();
      return this.#lead(leave);
    };
    try {
      await this.#lock({ signal: AbortSignal.any([leave, silence.signal]) }, lead);
    } catch (error) {
      if (leads) throw error;
    } finally {
      unwatch();
    }
    if (!leads && !leave.aborted) await this.#lock({ steal: true }, lead);
  }

  /** Runs it with the lock; without locks, at once where it is to steal, and else never. */
  async #lock(options: LockOptions, lead: () => Promise<void>): Promise<void> {
    const name = `millrace:${this.#options.log}:sync`;
    if (navigator.locks) await navigator.locks.request(name, options, lead);
    else if (options.signal === undefined) await lead();
    else await abortable(new Promise(() => {}), options.signal);
  }

  /** Counts looks, not time: to one that was frozen itself no time has passed. */
  #watch(onSilence: () => void): Undo {
    let undo: Undo;
    const look = (): void => {
      if (++this.#looks > 2) return onSilence();
      if (this.#looks > 1) this.#options.ask();
      undo = hostPorts.after(this.#lookMs, look);
    };
    this.#looks = 0;
    this.#options.ask();
    undo = hostPorts.after(this.#lookMs, look);
    return () => undo();
  }

  async #lead(leave: AbortSignal): Promise<void> {
    const { offline, onLead } = this.#options;
    const online = !(await abortable(offline(), leave));
    this.#pusher = new Pusher({
      ...this.#options,
      ports: hostPorts,
      digest: hostDigest,
      online,
    }).start();
    onLead(true);
    try {
      await this.#pusher.finished;
    } finally {
      this.#pusher = undefined;
      onLead(false);
    }
  }
}
