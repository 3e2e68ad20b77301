/** What the chain is tested in: the edge's own code on `node:sqlite`, and a way there that alters what goes over it. */
import { createHash } from 'node:crypto';
import { hasCode, MillraceError } from '../../src/errors.ts';
import type { Digest } from '../../src/ports.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import { checkLink, type ChainHead } from '../../src/sync/chain.ts';
import { decodePush, encodePush, type Push, type PushAnswer } from '../../src/sync/protocol.ts';
import type { SyncTransport } from '../../src/sync/transport.ts';
import { openCommitLog } from '../../workers/edge/commit-log.ts';
import { push as ingest } from '../../workers/edge/ingest.ts';
import { forgetProducer, stateProducer, type ProducerStatement } from '../../workers/edge/producers.ts';
import { checkLine } from '../../workers/edge/pushed-line.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';

export const digest: Digest = async (bytes) => {
  const hash = createHash('sha256').update(bytes).digest();
  return hash.buffer.slice(hash.byteOffset, hash.byteOffset + hash.byteLength);
};

/** The oracle: the links again, from the pushes that were applied. */
export function recompute(pushes: readonly Push[]): string {
  return pushes.reduce((previous, { producer, seq, count, holes, lines }) => {
    const text = [JSON.stringify([previous, producer, seq, count, holes]), ...lines].join('\n');
    return createHash('sha256').update(text).digest('hex');
  }, '');
}

/** The edge, from the body of a push on, as the route and the shard have it. */
export class ChainEdge {
  readonly database = nodeSqlite(':memory:');
  readonly storage = openSqlite(this.database);
  readonly #log = openCommitLog(this.storage, async () => {});
  /** As they were applied for the first time. */
  readonly applied: Push[] = [];
  readonly broken: MillraceError<'chain.broken'>[] = [];

  async push(body: string): Promise<PushAnswer> {
    try {
      const push = decodePush(body);
      await checkLink(digest, push);
      const rejected = push.lines.map(checkLine).findIndex((checked) => 'reason' in checked);
      if (rejected >= 0) throw new Error(`line ${rejected} was let through and is no event`);
      const outcome = await ingest(this.#log, push);
      if ('adopt' in outcome || 'conflicts' in outcome)
        throw new Error('an event was let through with other content');
      if (!outcome.repeated) this.applied.push(push);
      return { ...outcome, time: '2026-01-31T09:30:00.000Z' };
    } catch (error) {
      if (hasCode(error, 'chain.broken')) this.broken.push(error);
      throw error;
    }
  }

  state(producer: string): Promise<ProducerStatement> {
    return stateProducer(this.storage, producer);
  }

  async chain(producer: string): Promise<ChainHead | undefined> {
    return (await this.state(producer)).chain;
  }

  forget(producer: string): Promise<unknown> {
    return forgetProducer(this.#log, producer);
  }

  async lines(): Promise<string[]> {
    const { events } = await this.storage.read({ limit: 10_000 });
    return events.map(({ line }) => line);
  }
}

/** What becomes of a push on its way: the body as it arrives, and whether the answer does. */
export interface Passage {
  readonly alter: (body: string) => string;
  readonly answers: boolean;
}

export const safely: Passage = { alter: (body) => body, answers: true };

/** Each push takes the next of the passages, and goes safely when they are used up. */
export function transportOver(edge: ChainEdge, passages: readonly Passage[] = []): SyncTransport {
  const queue = [...passages];
  return {
    async push(push) {
      const { alter, answers } = queue.shift() ?? safely;
      const answer = await edge.push(alter(encodePush(push)));
      if (answers) return answer;
      throw new MillraceError('sync.unreachable', 'the answer was lost', { endpoint: 'edge' });
    },
    head: async (producer) => {
      const { epoch, seq } = await edge.state(producer);
      return { epoch, seq };
    },
    pull: () => Promise.reject(new Error('nothing is pulled here')),
  };
}
