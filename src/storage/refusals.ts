/** What a commit is refused for, and what its sender is told to do. */
import { MillraceError, type ExpectedVersion } from '../errors.ts';
import type { ProducerHead, ProducerRange } from './storage.ts';

export function versionConflict(
  subject: string,
  expected: ExpectedVersion,
  actual: number,
): MillraceError<'version.conflict'> {
  return new MillraceError(
    'version.conflict',
    `${subject} is at version ${actual}, expected ${expected}: read it again and decide anew`,
    { subject, expected, actual },
  );
}

export function gap(range: ProducerRange, head: ProducerHead): MillraceError<'producer.gap'> {
  const expected = head.seq + 1;
  return new MillraceError(
    'producer.gap',
    `producer ${range.id} sent from sequence ${range.seq}, expected ${expected}: go on from there`,
    { producer: range.id, expected, received: range.seq },
  );
}

export function fenced(range: ProducerRange, head: ProducerHead): MillraceError<'producer.fenced'> {
  return new MillraceError(
    'producer.fenced',
    `producer ${range.id} wrote with epoch ${range.epoch}, epoch ${head.epoch} has taken over: stop writing`,
    { producer: range.id, epoch: range.epoch, current: head.epoch },
  );
}

export function diverged(range: ProducerRange, id: string): MillraceError<'producer.diverged'> {
  return new MillraceError(
    'producer.diverged',
    `producer ${range.id} repeats sequence ${range.seq} with event ${id}, which was never stored: its log has lost its tail; go on as a new producer`,
    { producer: range.id, seq: range.seq, id },
  );
}

export function idConflict(id: string): MillraceError<'event.conflict'> {
  return new MillraceError(
    'event.conflict',
    `an event with id ${id} is stored with other content: give the new event an id of its own`,
    { id },
  );
}
