/** Publishing at the shard: once for each request that says it may come again, and in part where that is asked for. */
import type { Ports } from '../../src/ports.ts';
import type { Storage, StoredValue } from '../../src/storage/storage.ts';
import { recall, remember, Turns, type IdempotentRequest } from './idempotency.ts';
import { publish } from './ingest.ts';
import { packed, unpacked, type KeptOutcome } from './kept-outcome.ts';
import type { Published, PublishOutcome, PublishRequest } from './shard-calls.ts';

type Put = readonly (readonly [string, StoredValue | undefined])[];

/** Conflicts may come to light after others were left out: an id that stands twice in one request. */
const MOST_ATTEMPTS = 10;

export class Publishing {
  readonly #storage: Storage;
  readonly #ports: Pick<Ports, 'now'>;
  readonly #turns = new Turns();

  constructor(storage: Storage, ports: Pick<Ports, 'now'>) {
    this.#storage = storage;
    this.#ports = ports;
  }

  publish(request: PublishRequest): Promise<PublishOutcome> {
    const { idempotent } = request;
    if (idempotent === undefined) return this.#store(request);
    return this.#turns.take(idempotent.key, () => this.#once(request, idempotent));
  }

  async #once(request: PublishRequest, idempotent: IdempotentRequest): Promise<PublishOutcome> {
    const recalled = await recall<KeptOutcome>(this.#storage, idempotent, this.#ports);
    if (recalled.state === 'other') return { reused: true };
    if (recalled.state === 'known') return { published: recalled.outcome.map(unpacked), replayed: true };
    const outcome = await this.#store(request, (lines) =>
      remember(this.#storage, idempotent, lines.map(packed) as StoredValue, this.#ports),
    );
    // What was known before shows only by the commit. Until this is down, a repeat is told that it was published.
    if ('published' in outcome && outcome.published.some((one) => one === null || one.duplicate)) {
      const kept = outcome.published.map(packed) as StoredValue;
      const put = await remember(this.#storage, idempotent, kept, this.#ports);
      await this.#storage.commit([{ events: [], put }]);
    }
    return outcome;
  }

  /** All of the lines; in part, all but those whose ids are known with other content. */
  async #store(
    { lines, untimed, partial }: PublishRequest,
    putFor: (expected: readonly Published[]) => Promise<Put> = async () => [],
  ): Promise<PublishOutcome> {
    let kept = lines.map((line, index) => ({ line, index }));
    const late = new Set(untimed);
    for (let attempt = 1; ; attempt++) {
      const settled = kept.flatMap(({ index }, at) => (late.has(index) ? [at] : []));
      const outcome = await publish(
        this.#storage,
        kept.map(({ line }) => line),
        settled,
        putFor,
      );
      if ('published' in outcome) {
        const places = new Map(kept.map(({ index }, at) => [index, outcome.published[at]!]));
        return { published: lines.map((_, index) => places.get(index) ?? null) };
      }
      if (!partial || attempt === MOST_ATTEMPTS || !('conflicts' in outcome)) return outcome;
      const conflicts = new Set(outcome.conflicts);
      kept = kept.filter((_, at) => !conflicts.has(at));
    }
  }
}
