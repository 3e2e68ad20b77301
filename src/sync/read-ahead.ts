/** Makes the next push ready while one is on its way, so that the log and the network are waited for together. */
import type { Digest } from '../ports.ts';
import type { Storage } from '../storage/storage.ts';
import { chained } from './chain.ts';
import { readOutgoing, type Outgoing, type OutgoingQuery } from './outgoing.ts';

export interface ReadAheadOptions extends Pick<OutgoingQuery, 'identity' | 'bounds'> {
  readonly digest?: Digest | undefined;
}

/**
 * What is to be pushed behind `outgoing` if that is taken; `undefined` where there is nothing, or something stands in its
 * way: that is found when it is its turn. Never rejects.
 */
export async function readAhead(
  storage: Storage,
  { last, push }: Outgoing,
  { digest, identity, bounds }: ReadAheadOptions,
): Promise<Outgoing | undefined> {
  try {
    const { outgoing } = await readOutgoing(storage, { identity, acked: last, bounds });
    return outgoing && (await linked(digest, push.chain?.value ?? '', outgoing));
  } catch {
    return undefined;
  }
}

/** With the hash of all before it, where the host can hash. */
export async function linked(
  digest: Digest | undefined,
  previous: string,
  outgoing: Outgoing,
): Promise<Outgoing> {
  return { ...outgoing, push: await chained(digest, previous, outgoing.push) };
}
