/**
 * What a log knows of its own sync, kept in the log's values: who it is to the edge, and how far the edge has it.
 *
 * Only one leader may change it. Each change is a commit in the sequence of the producer `sync/leader` of the log
 * itself, so that the storage fences a leader that was taken over, in the transaction in which it would do harm.
 */
import { MillraceError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { Commit, Position, ProducerHead, Storage } from '../storage/storage.ts';
import { deadLetterEntry, type DeadLetter } from './dead-letter.ts';
import { randomId } from './random-id.ts';

/** The log as the edge knows it. An event at position p has the sequence p - base. */
export interface ProducerIdentity {
  readonly id: string;
  /** Rises with each leader. */
  readonly epoch: number;
  /** The last position before this producer's first sequence. */
  readonly base: Position;
}

export const syncKeys = {
  producer: 'sync/producer',
  acked: 'sync/acked',
  chain: 'sync/chain',
  rejected: 'sync/rejected',
  /** Before the ids of the producers that this log was earlier. */
  former: 'sync/former/',
} as const;
const LEADER = 'sync/leader';

/** A leader's hold on its log's sync. Every change rejects with `producer.fenced` once another leader has taken over. */
export class Leadership {
  readonly #storage: Storage;
  readonly #ports: Pick<Ports, 'fillRandom'>;
  #identity: ProducerIdentity;
  #acked: Position = 0;
  #chain = '';
  /** Dead letters so far. */
  #rejected = 0;
  /** Changes of the sync state so far: the sequence of `sync/leader`. */
  #changes = 0;

  private constructor(storage: Storage, ports: Pick<Ports, 'fillRandom'>, identity: ProducerIdentity) {
    this.#storage = storage;
    this.#ports = ports;
    this.#identity = identity;
  }

  /**
   * Takes the lead: raises the epoch, in a commit, so that whoever led before is fenced here and at the edge. One that
   * is aborted claims no more: it would fence a leader that has good reason to go on.
   */
  static async claim(
    storage: Storage,
    ports: Pick<Ports, 'fillRandom'>,
    signal?: AbortSignal,
  ): Promise<Leadership> {
    // A round is lost only to a leader that has claimed, or changed something, in between.
    for (;;) {
      const head = await leaderHead(storage);
      const stored = (await storage.get(syncKeys.producer)) as unknown as ProducerIdentity | undefined;
      const { id = randomId(ports), base = 0, epoch: lastEpoch = 0 } = stored ?? {};
      const lead = new Leadership(storage, ports, { id, base, epoch: Math.max(head.epoch, lastEpoch) });
      await lead.#readProgress(head);
      signal?.throwIfAborted();
      if (await lead.#tryChange(lead.#identity.epoch + 1, {})) return lead;
    }
  }

  get identity(): ProducerIdentity {
    return this.#identity;
  }

  /** Up to here the edge has everything: stored, or left out as a dead letter. */
  get acked(): Position {
    return this.#acked;
  }

  /** The hash of all up to `acked`: see `chain.ts`. '' where it is not known, or there is nothing yet. */
  get chain(): string {
    return this.#chain;
  }

  /** Whether the log still knows of this leader. One that does not was emptied since, and is another log. */
  async stands(): Promise<boolean> {
    const { epoch } = await leaderHead(this.#storage);
    if (epoch > this.#identity.epoch) throw this.#fenced(epoch);
    return epoch === this.#identity.epoch;
  }

  /** Reads the state again, after a storage error that leaves open whether a change came down. */
  async reload(): Promise<void> {
    const head = await leaderHead(this.#storage);
    if (head.epoch !== this.#identity.epoch) throw this.#fenced(head.epoch);
    this.#identity = (await this.#storage.get(syncKeys.producer)) as unknown as ProducerIdentity;
    await this.#readProgress(head);
  }

  async acknowledge(position: Position, chain = ''): Promise<void> {
    if (position > this.#acked) await this.#setAcked(position, chain);
  }

  /** Takes over the edge's hash of all up to `acked`, where this log does not know its own. */
  async adopt(chain: string): Promise<void> {
    await this.#setAcked(this.#acked, chain);
  }

  /** Goes back: the edge has lost what it had acknowledged. */
  async rewind(position: Position): Promise<void> {
    if (position < this.#acked) await this.#setAcked(position, '');
  }

  /** Keeps the events as dead letters; their sequences are sent as holes from now on. */
  async bury(letters: readonly DeadLetter[]): Promise<void> {
    const rejected = this.#rejected + letters.length;
    await this.#change({ put: [...letters.map(deadLetterEntry), [syncKeys.rejected, rejected]] });
    this.#rejected = rejected;
  }

  /** Goes on as a new producer, from the position after `base`. */
  async renew(base: Position): Promise<void> {
    const former = [syncKeys.former + this.#identity.id, true] as const;
    const identity = { id: randomId(this.#ports), base, epoch: this.#identity.epoch };
    await this.#setAcked(base, '', identity, [former]);
  }

  /** Raises the epoch above one that only the edge knows: this log has lost its own record of it. */
  async raise(epoch: number): Promise<void> {
    if (!(await this.#tryChange(epoch, {}))) throw this.#fenced(epoch);
  }

  async #readProgress(head: ProducerHead): Promise<void> {
    this.#changes = head.seq;
    this.#acked =
      ((await this.#storage.get(syncKeys.acked)) as Position | undefined) ?? this.#identity.base;
    this.#chain = ((await this.#storage.get(syncKeys.chain)) as string | undefined) ?? '';
    this.#rejected = ((await this.#storage.get(syncKeys.rejected)) as number | undefined) ?? 0;
  }

  async #setAcked(
    position: Position,
    chain: string,
    identity = this.#identity,
    more: NonNullable<Commit['put']> = [],
  ): Promise<void> {
    const put: Commit['put'] = [
      ...more,
      [syncKeys.acked, position],
      [syncKeys.chain, chain === '' ? undefined : chain],
    ];
    await this.#change({ put }, identity);
    this.#acked = position;
    this.#chain = chain;
  }

  async #change(change: Pick<Commit, 'put'>, identity = this.#identity): Promise<void> {
    if (!(await this.#tryChange(this.#identity.epoch, change, identity)))
      throw this.#fenced(this.#identity.epoch);
  }

  /** Whether the change came down as the next one. It did not if another leader has made one since. */
  async #tryChange(
    epoch: number,
    change: Pick<Commit, 'put'>,
    identity = this.#identity,
  ): Promise<boolean> {
    const next = { ...identity, epoch };
    const [result] = await this.#storage.commit([
      {
        events: [],
        producer: { id: LEADER, epoch, seq: this.#changes + 1, count: 1 },
        put: [...(change.put ?? []), [syncKeys.producer, { ...next }]],
      },
    ]);
    if (result?.ok !== true || result.repeated) return false;
    this.#changes++;
    this.#identity = next;
    return true;
  }

  #fenced(current: number): MillraceError<'producer.fenced'> {
    const { id, epoch } = this.#identity;
    return new MillraceError(
      'producer.fenced',
      `another leader has taken over producer ${id}: this one stops`,
      {
        producer: id,
        epoch,
        current,
      },
    );
  }
}

async function leaderHead(storage: Storage): Promise<ProducerHead> {
  return (await storage.producer(LEADER)) ?? { epoch: 0, seq: 0 };
}
