/** The logs that subscriptions are fed from, as they are needed here. */
import type { Position } from '../../../src/storage/position.ts';
import type { Query } from '../../../src/storage/storage.ts';
import type { LinePage } from '../shard-calls.ts';

export interface Source {
  /** Names the cursor into it: never changes. */
  readonly name: string;
  /**
   * Which of the log's epochs it is of, from 0, and which of that epoch's shards. What belongs together may go on in a
   * later epoch: none is read before those earlier are read to their ends. Default: 0 each.
   */
  readonly epoch?: number;
  readonly index?: number;
  /** Where it ends for good. None: it may grow. */
  readonly end?: Position | undefined;
  /** @throws MillraceError as `Storage.read` does, `cursor.invalid` past the log's head, `timeout` */
  page(query: Query): Promise<LinePage>;
}
