/**
 * A projection folded in the commit of the events themselves: who reads it after an append reads what was appended.
 *
 * It starts on an empty log by itself. On a log that has events already, a `Projector` of it with `inline` builds it
 * first; until then it is not there, and appends do not fold it. That `Projector` also folds it anew after an erasure,
 * where it has no `onErased`.
 *
 * @example
 * const store = new EventStore(storage, { inline: [inlineProjection(stock)] });
 */
import { isWireError, MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { InlineFold } from '../storage/event-store/inline.ts';
import type { JsonValue, ProducerRange, Storage } from '../storage/storage.ts';
import {
  checkProjection,
  foldDocuments,
  generationsKey,
  readGenerations,
  typesOf,
  type Generations,
  type Projection,
} from './projection.ts';

/** @throws MillraceError `query.invalid` for a name that cannot be. */
export function inlineProjection<State extends JsonValue>(projection: Projection<State>): InlineFold {
  checkProjection(projection as unknown as Projection<never>);
  const { name, version = 1 } = projection;
  const types = typesOf(projection as unknown as Projection<never>);
  return {
    name,
    selects: ({ type }) => types === undefined || types.includes(type),
    async fold(events, storage) {
      const start = await startWhereEmpty(storage, projection);
      const generations = start?.generations ?? (await readGenerations(storage, name));
      // Documents of another definition are not folded by this one: they are built anew, and read as they are meanwhile.
      if (generations.serving === 0 || generations.version !== version) return {};
      const put = await foldDocuments(
        projection,
        generations.serving,
        events,
        (key) => storage.get(key),
        (event, cause) => failure(name, event, cause),
      );
      if (start === undefined) return { put };
      return { put: [...put, [generationsKey(name), { ...generations }]], advance: [start.range] };
    },
  };
}

/** The first generation, to be begun with these events; nothing where the projection, or the log, has begun before. */
async function startWhereEmpty(
  storage: Storage,
  { name, version = 1 }: Pick<Projection, 'name' | 'version'>,
): Promise<{ generations: Generations; range: ProducerRange } | undefined> {
  const id = generationsKey(name);
  if ((await storage.producer(id)) !== undefined || (await storage.stats()).head > 0) return undefined;
  return { generations: { serving: 1, building: 0, version }, range: { id, epoch: 1, seq: 1 } };
}

function failure(projection: string, event: Event, cause: unknown): unknown {
  if (isWireError(cause)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `the projection ${projection} could not fold event ${event.id} (${event.type}): ${reason}; nothing was stored`;
  const details = { projection, id: event.id, reason };
  return new MillraceError('projection.failed', message, details, { cause });
}
