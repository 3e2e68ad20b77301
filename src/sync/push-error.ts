/** What a pusher says of what went wrong. */
import { isWireError, MillraceError } from '../errors.ts';
import type { Position } from '../storage/storage.ts';
import type { PushAnswer } from './protocol.ts';

export function damaged(positions: readonly Position[]): MillraceError<'storage.corrupt'> {
  const position = positions[0]!;
  const text = `events of the log are damaged, ${positions.length} from position ${position} on: they are dead letters, and the others go on`;
  return new MillraceError('storage.corrupt', text, { log: '', position });
}

export function emptied(): MillraceError<'storage.failed'> {
  const text =
    'the log was emptied beneath its sync, as when site data are cleared: it goes on as a new one';
  return new MillraceError('storage.failed', text, { log: '', operation: 'sync' });
}

export function nonsense(answer: PushAnswer): MillraceError<'sync.unreachable'> {
  const text = `the edge acknowledged sequence ${answer.seq}, less than was pushed: the push is repeated later`;
  return new MillraceError('sync.unreachable', text, { endpoint: '' });
}

export function asMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  if (isWireError(error)) return MillraceError.fromWire(error);
  const text = `the edge cannot be reached: ${String((error as Error)?.message ?? error)}`;
  return new MillraceError('sync.unreachable', text, { endpoint: '' }, { cause: error });
}
