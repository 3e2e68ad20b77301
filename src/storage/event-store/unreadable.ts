/** An event that cannot be read: damaged at rest, sealed otherwise, or of an old version that no longer upcasts. */
import { hasCode } from '../../errors.ts';
import type { Position } from '../position.ts';
import type { MaybePromise, Page, Query } from '../storage.ts';

/** Where the event stands that the error is about; `undefined` for any other error. */
export function positionOf(error: unknown): Position | undefined {
  if (hasCode(error, 'storage.corrupt')) return error.details.position;
  if (hasCode(error, 'upcast.failed')) return error.details.position;
  if (hasCode(error, 'seal.broken')) return error.details.position;
  return undefined;
}

/** A page; where one of its events cannot be read, what stands before it, and the failure. */
export async function readReadable(
  store: { read(query: Query): MaybePromise<Page> },
  query: Query,
): Promise<{ readonly page: Page; readonly failure?: unknown }> {
  try {
    return { page: await store.read(query) };
  } catch (failure) {
    const position = positionOf(failure);
    if (position === undefined) throw failure;
    const bound = query.direction === 'backward' ? { after: position } : { before: position };
    return { page: await store.read({ ...query, ...bound }), failure };
  }
}
