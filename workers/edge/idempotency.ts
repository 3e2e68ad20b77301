/**
 * Requests that may come again (`Idempotency-Key`, draft-ietf-httpapi-idempotency-key-header): the first outcome is kept
 * in the commit of its events, and is what every repeat is told. It is forgotten after a day.
 */
import type { Storage, StoredValue } from '../../src/storage/storage.ts';
import type { Ports } from '../../src/ports.ts';

export const IDEMPOTENCY_MS = 86_400_000;
/** Outcomes past their age that one request removes: more than the one that it adds, so that they end. */
const REMOVALS = 10;

export interface IdempotentRequest {
  /** Of one client, and of one tenant's shard. */
  readonly key: string;
  /** Of the whole request, body and query: another one with the key is refused. */
  readonly hash: string;
}

interface Kept {
  readonly hash: string;
  readonly at: number;
  readonly outcome: StoredValue;
  /** Not all of it may be stored yet. */
  readonly begun?: true;
}

/** `begun`: it may have been cut off; the outcome is what it is to come to. `other`: the key is another request's. */
export type Recalled<T> =
  | { readonly state: 'new' }
  | { readonly state: 'begun' | 'known'; readonly outcome: T }
  | { readonly state: 'other' };

const keyOf = (key: string): string => `idempotency/key/${key}`;
const AGE_PREFIX = 'idempotency/age/';
const ageOf = (at: number, key: string): string => `${AGE_PREFIX}${String(at).padStart(16, '0')}/${key}`;

export async function recall<T>(
  storage: Storage,
  { key, hash }: IdempotentRequest,
  ports: Pick<Ports, 'now'>,
): Promise<Recalled<T>> {
  const kept = (await storage.get(keyOf(key))) as unknown as Kept | undefined;
  if (kept === undefined || kept.at <= ports.now() - IDEMPOTENCY_MS) return { state: 'new' };
  if (kept.hash !== hash) return { state: 'other' };
  return { state: kept.begun ? 'begun' : 'known', outcome: kept.outcome as T };
}

export interface RememberOptions {
  /** It is to be done yet. Default: it is done. */
  readonly begun?: boolean;
}

/** What to put into the commit, so that the outcome is kept with it. */
export async function remember(
  storage: Storage,
  { key, hash }: IdempotentRequest,
  outcome: StoredValue,
  ports: Pick<Ports, 'now'>,
  { begun = false }: RememberOptions = {},
): Promise<(readonly [string, StoredValue | undefined])[]> {
  const now = ports.now();
  const kept = { hash, at: now, outcome, ...(begun && { begun }) };
  return [
    ...(await removals(storage, now - IDEMPOTENCY_MS)),
    [keyOf(key), kept as StoredValue],
    [ageOf(now, key), key],
  ];
}

/** A key may have been kept again since: then its older age goes alone. */
async function removals(storage: Storage, until: number): Promise<[string, undefined][]> {
  const past = ageOf(until + 1, '');
  const ages = (await storage.list(AGE_PREFIX, { limit: REMOVALS })).filter(([age]) => age < past);
  const removed: [string, undefined][] = [];
  for (const [age, key] of ages) {
    removed.push([age, undefined]);
    const kept = (await storage.get(keyOf(key as string))) as unknown as Kept | undefined;
    if (kept !== undefined && kept.at <= until) removed.push([keyOf(key as string), undefined]);
  }
  return removed;
}

/**
 * Requests whose events several logs store, in as many commits. What one is to come to is put down before any of them:
 * so a repeat of one that was cut off gives its events the ids and times that they had, and each is stored once.
 */
export class BegunRequests<T extends StoredValue> {
  readonly #storage: Storage;
  readonly #ports: Pick<Ports, 'now'>;
  readonly #turns = new Turns();

  constructor(storage: Storage, ports: Pick<Ports, 'now'>) {
    this.#storage = storage;
    this.#ports = ports;
  }

  recall(request: IdempotentRequest): Promise<Recalled<T>> {
    return recall<T>(this.#storage, request, this.#ports);
  }

  /** What it was before. Where that is `new`, it has begun now, and is on disk. */
  begin(request: IdempotentRequest, expected: T): Promise<Recalled<T>> {
    return this.#turns.take(request.key, async () => {
      const recalled = await this.recall(request);
      if (recalled.state === 'new')
        await this.#put(await remember(this.#storage, request, expected, this.#ports, { begun: true }));
      return recalled;
    });
  }

  /** Keeps what it came to. The first outcome stays. */
  end(request: IdempotentRequest, outcome: T): Promise<void> {
    return this.#turns.take(request.key, async () => {
      const { state } = await this.recall(request);
      if (state === 'begun' || state === 'new')
        await this.#put(await remember(this.#storage, request, outcome, this.#ports));
    });
  }

  async #put(put: Awaited<ReturnType<typeof remember>>): Promise<void> {
    const [result] = await this.#storage.commit([{ events: [], put }]);
    if (!result!.ok) throw result!.error;
  }
}

/** One at a time of each key: a repeat that overtakes the first request waits for its outcome. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(key: string, run: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = (before ?? Promise.resolve()).then(run, run);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
