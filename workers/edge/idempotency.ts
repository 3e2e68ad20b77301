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
}

export type Recalled<T> =
  | { readonly state: 'new' }
  | { readonly state: 'known'; readonly outcome: T }
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
  return kept.hash === hash ? { state: 'known', outcome: kept.outcome as T } : { state: 'other' };
}

/** What to put into the commit, so that the outcome is kept with it. */
export async function remember(
  storage: Storage,
  { key, hash }: IdempotentRequest,
  outcome: StoredValue,
  ports: Pick<Ports, 'now'>,
): Promise<(readonly [string, StoredValue | undefined])[]> {
  const now = ports.now();
  const kept = { hash, at: now, outcome };
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
