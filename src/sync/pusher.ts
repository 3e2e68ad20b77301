/**
 * Pushes a log's events to the edge, in order, exactly once, for as long as it runs.
 *
 * A push may be lost on the way, or its answer may: it is repeated until it is answered, and the edge knows the repeat
 * by its sequence. Nothing is given up but an event that the edge refuses by itself, or that the log cannot read any
 * more: it becomes a dead letter.
 *
 * @example
 * const pusher = new Pusher({ storage, transport, ports: hostPorts, onStatus: (status) => show(status) });
 * pusher.start();
 * await pusher.stop();
 */
import { hasCode, type MillraceError } from '../errors.ts';
import type { Digest, Ports } from '../ports.ts';
import type { Position, Storage } from '../storage/storage.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import { chainOfAnswer } from './chain.ts';
import { pushDeadLetter } from './dead-letter.ts';
import { EdgeContact } from './edge-contact.ts';
import { readOutgoing, type Outgoing, type PushBounds } from './outgoing.ts';
import { Leadership } from './producer-state.ts';
import type { PushAnswer } from './protocol.ts';
import { damaged, emptied, nonsense } from './push-error.ts';
import { PushSize } from './push-size.ts';
import { PushStatusBoard, type PushState, type PushStatus } from './push-status.ts';
import { linked, readAhead } from './read-ahead.ts';
import { recover } from './recovery.ts';
import { isAboutEvents, lettersOf } from './refusal.ts';
import type { PushTransport } from './transport.ts';
import { abortable, Wake } from './wake.ts';

export interface PusherOptions {
  readonly storage: Storage;
  readonly transport: PushTransport;
  readonly ports: Ports;
  /** SHA-256, by which pushes are chained: see `chain.ts`. Default: they are not. */
  readonly digest?: Digest | undefined;
  /** The most in one push. Default: 2,000 events, 524,288 characters; the edge takes `pushLimits`. */
  readonly limits?: Partial<PushBounds>;
  readonly backoff?: BackoffOptions;
  /** How long the first event after a rest waits for others to go with it. Default: 0. */
  readonly gatherMs?: number | undefined;
  /** The least from a push to the next that comes after a rest. Default: 0. */
  readonly paceMs?: number | undefined;
  /** How often to look for events without a hint. Default: 30,000. */
  readonly pollMs?: number;
  /** Default: true. */
  readonly online?: boolean;
  readonly onStatus?: (status: PushStatus) => void;
}

export type { PushState, PushStatus } from './push-status.ts';

type Reason = 'event' | 'retry' | 'offline' | 'stop';

/** Recoveries that bring nothing forward before they are paced like failures. */
const FREE_RECOVERIES = 3;

export class Pusher implements AsyncDisposable {
  readonly #options: PusherOptions;
  readonly #backoff: Backoff;
  readonly #size: PushSize;
  readonly #wake: Wake<Reason>;
  readonly #board: PushStatusBoard;
  readonly #edge: EdgeContact;
  readonly #stopping = new AbortController();
  #request = new AbortController();
  #running: Promise<void> | undefined;
  #lead: Leadership | undefined;
  /** A storage error left open what came down. */
  #inDoubt = false;
  #hinted = false;
  #pushedAt = 0;
  #online: boolean;
  /** All up to this position is covered at the edge, if not by these events: a repeat proves it, a push must not pass it. */
  #edgeHas: Position | undefined;
  #furthest: Position = 0;
  #recoveries = 0;
  /** What comes behind the push that was taken last: read, and linked to it, while it was on its way. */
  #ahead: Outgoing | undefined;

  constructor(options: PusherOptions) {
    this.#options = options;
    this.#online = options.online ?? true;
    this.#board = new PushStatusBoard(options.onStatus);
    this.#edge = new EdgeContact(options.transport, options.ports);
    this.#backoff = new Backoff(options.ports, options.backoff);
    this.#wake = new Wake(options.ports);
    this.#size = new PushSize({ events: 2_000, characters: 524_288, ...options.limits });
  }

  get status(): PushStatus {
    return this.#board.status;
  }

  /** Resolves when the pusher has ended: stopped, or fenced. Never rejects. */
  get finished(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Takes the lead and begins. Starting again does nothing. */
  start(): this {
    this.#running ??= this.#run();
    return this;
  }

  /** Ends at once: a request under way is aborted, and repeated by whoever leads next. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#request.abort();
    this.#wake.call('stop');
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Switched off, it sends nothing and aborts what is under way. */
  setOnline(online: boolean): void {
    const changed = this.#online !== online;
    this.#online = online;
    if (!online && changed) this.#request.abort();
    this.#wake.call(online ? 'retry' : 'offline');
  }

  /** A hint that it is worth trying now: the network is back. A wait that the edge asked for is kept all the same. */
  retry(): void {
    this.#wake.call('retry');
  }

  async #run(): Promise<void> {
    const undo = this.#options.storage.onCommit(() => this.#onCommit());
    let end: PushState = 'stopped';
    try {
      while (!this.#stopping.signal.aborted) await abortable(this.#turn(), this.#stopping.signal);
    } catch (error) {
      if (hasCode(error, 'producer.fenced')) end = 'fenced';
      if (!this.#stopping.signal.aborted) this.#board.note(error);
    } finally {
      undo();
      this.#stopping.abort();
      this.#show(end, true);
    }
  }

  /** One step. Rejects where nothing more can be done: another leader, or a closed log. */
  async #turn(): Promise<void> {
    if (!this.#online) {
      this.#ahead = undefined;
      this.#show('offline');
      return this.#wake.wait(['retry', 'stop']);
    }
    try {
      if (this.#inDoubt) await this.#lead?.reload();
      this.#inDoubt = false;
      await this.#advance((this.#lead ??= await this.#claim()));
    } catch (error) {
      if (hasCode(error, 'producer.fenced') || hasCode(error, 'storage.closed')) throw error;
      this.#inDoubt = true;
      await this.#pause(error);
    }
  }

  #claim(): Promise<Leadership> {
    const { storage, ports } = this.#options;
    return Leadership.claim(storage, ports, this.#stopping.signal);
  }

  async #advance(lead: Leadership): Promise<void> {
    this.#hinted = false;
    const until = Math.min(this.#size.until(lead.acked) ?? Infinity, this.#edgeLimit(lead));
    const { storage, digest } = this.#options;
    const ahead = this.#ahead;
    this.#ahead = undefined;
    // What was acknowledged since it was read says that the lead stands.
    if (ahead !== undefined && until === Infinity) return this.#push(lead, ahead);
    // While the edge is out of reach, one event finds out whether it is back.
    const bounds = this.#edge.down ? { ...this.#size.bounds, events: 1 } : this.#size.bounds;
    const query = { identity: lead.identity, acked: lead.acked, bounds, until };
    const read = await readOutgoing(storage, query);
    if (!(await lead.stands())) return this.#startAnew();
    if (read.damaged.length > 0) return this.#buryDamaged(lead, read.damaged);
    if (read.outgoing !== undefined)
      return this.#push(lead, await linked(digest, lead.chain, read.outgoing));
    this.#show('idle');
    await this.#rest();
  }

  /** Until there is something to push, and a little longer, for more that may go with it. */
  async #rest(): Promise<void> {
    const { gatherMs = 0, paceMs = 0, pollMs = 30_000, ports } = this.#options;
    if (!this.#hinted) await this.#wake.wait(['event', 'retry', 'offline', 'stop'], pollMs);
    // A clock that was set back must not stretch it.
    const paused = Math.min(paceMs, this.#pushedAt + paceMs - ports.now());
    const pauseMs = Math.max(gatherMs, paused);
    if (this.#hinted && pauseMs > 0 && !this.#stopping.signal.aborted)
      await this.#wake.wait(['retry', 'offline', 'stop'], pauseMs);
  }

  /** Another log stands in this one's place, whose own state says where it is. */
  #startAnew(): Promise<void> {
    this.#lead = undefined;
    this.#edgeHas = undefined;
    this.#furthest = 0;
    return this.#pause(emptied());
  }

  /** They are lost already: what can still be had is not held up by them. */
  async #buryDamaged(lead: Leadership, positions: readonly Position[]): Promise<void> {
    this.#board.note(damaged(positions));
    const at = this.#options.ports.now();
    await lead.bury(
      positions.map((position) => pushDeadLetter(position, '', damaged([position]).toWire(), at)),
    );
  }

  async #push(lead: Leadership, outgoing: Outgoing): Promise<void> {
    if (this.#stopping.signal.aborted || !this.#online) return;
    this.#show('pushing');
    this.#pushedAt = this.#options.ports.now();
    this.#request = new AbortController();
    const { push } = outgoing;
    const asked = this.#edge.push(push, this.#request.signal);
    const reading = this.#readAhead(lead, outgoing);
    let answer: PushAnswer;
    try {
      answer = await asked;
    } catch (error) {
      return this.#failed(lead, outgoing, error);
    }
    const { base } = lead.identity;
    const chain = chainOfAnswer(push, answer);
    if (!(base + answer.seq >= outgoing.last) || chain === undefined)
      return this.#pause(nonsense(answer));
    const ahead = await reading;
    await lead.acknowledge(outgoing.last, chain);
    if (chain === (push.chain?.value ?? '')) this.#ahead = ahead;
    this.#edgeHas = base + answer.seq;
    this.#size.accepted(outgoing);
    this.#succeeded(lead);
  }

  #readAhead(lead: Leadership, outgoing: Outgoing): Promise<Outgoing | undefined> | undefined {
    if (!outgoing.more || this.#edge.down || this.#size.searching) return undefined;
    const { storage, digest } = this.#options;
    return readAhead(storage, outgoing, { digest, identity: lead.identity, bounds: this.#size.bounds });
  }

  async #failed(lead: Leadership, outgoing: Outgoing, error: unknown): Promise<void> {
    if (this.#request.signal.aborted) return;
    if (hasCode(error, 'sync.refused') && isAboutEvents(error))
      return this.#isolate(lead, outgoing, error);
    const recovery = await recover(lead, this.#options.storage, error);
    if (recovery === undefined) return this.#pause(error);
    this.#edgeHas = recovery.edgeHas;
    if (++this.#recoveries > FREE_RECOVERIES) return this.#pause(error);
    this.#board.note(error);
  }

  async #isolate(
    lead: Leadership,
    outgoing: Outgoing,
    error: MillraceError<'sync.refused'>,
  ): Promise<void> {
    this.#board.note(error);
    this.#edge.refused();
    const letters = lettersOf(error, outgoing, this.#options.ports.now());
    if (letters === undefined) return this.#size.refused(outgoing);
    if (letters.length === 0) return this.#pause(error);
    if (error.details.rejected === undefined) {
      try {
        await this.#edge.proveWell(lead.identity.id, this.#request.signal);
      } catch (error) {
        return this.#request.signal.aborted ? undefined : this.#pause(error);
      }
    }
    await lead.bury(letters);
    this.#size.found();
  }

  #succeeded(lead: Leadership): void {
    this.#backoff.reset();
    this.#edge.succeeded();
    this.#board.set({ skewMs: this.#edge.skewMs });
    if (lead.acked > this.#furthest) {
      this.#furthest = lead.acked;
      this.#recoveries = 0;
      this.#board.set({ lastError: undefined });
    }
  }

  /** What the edge has may only be repeated, not mixed with what it has not: else it is a gap to the edge. */
  #edgeLimit(lead: Leadership): Position {
    return this.#edgeHas !== undefined && this.#edgeHas > lead.acked ? this.#edgeHas : Infinity;
  }

  async #pause(error: unknown): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const retryAfterMs = hasCode(error, 'sync.unreachable') ? error.details.retryAfterMs : undefined;
    const delayMs = this.#backoff.failed(retryAfterMs);
    this.#edge.failed(error);
    this.#board.note(error);
    this.#board.set({ nextAttemptAt: this.#options.ports.now() + delayMs });
    this.#show('backoff');
    await this.#wake.wait(
      retryAfterMs === undefined ? ['retry', 'offline', 'stop'] : ['offline', 'stop'],
      delayMs,
    );
    this.#board.set({ nextAttemptAt: undefined });
  }

  #onCommit(): void {
    this.#hinted = true;
    this.#wake.call('event');
  }

  #show(state: PushState, last = false): void {
    if (!this.#stopping.signal.aborted || last) this.#board.show(state);
  }
}
