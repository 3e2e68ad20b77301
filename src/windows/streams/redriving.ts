/** How a dead letter of a stream over a store is driven again: what its step takes, and which letters newer results end. */
import type { DeadLetter } from '../../storage/dead-letters/dead-letter.ts';
import type { LetterEntry } from '../../storage/dead-letters/stored-dead-letters.ts';
import type { WindowOperator } from '../window-operator.ts';
import type { Processed, WindowUpdate } from '../window-update.ts';
import { invalidWindow } from '../windows.ts';
import type { BoundOutputs } from './bound-outputs.ts';
import type { Again, DeadResult, Failure } from './dead-letters.ts';
import type { LogView } from './log-view.ts';
import type { Outbox } from './outbox.ts';
import { resultPlace, type ResultMaker } from './results.ts';

export const NOTHING: Processed = { updates: [], late: [], deadLetters: [] };

/** A letter that is driven again, in the step that is under way. */
export interface Redriving {
  readonly letter: DeadLetter;
  /** Of steps before the windows. */
  readonly failures: readonly Failure[];
  /** A total that was made after all: it is handed on as it is. */
  readonly total?: WindowUpdate;
}

/** @throws MillraceError `query.invalid` where the stream has no such window any more; what making the total throws */
export async function takeAgain(
  operator: WindowOperator,
  letter: DeadLetter,
  again: Exclude<Again, { readonly kind: 'item' }>,
  view: LogView,
  maker: ResultMaker,
): Promise<{ readonly processed: Processed; readonly redriving: Redriving }> {
  if (again.kind !== 'event') {
    const made = maker.remake(letter.result as unknown as DeadResult, again);
    if (again.kind === 'total')
      return { processed: NOTHING, redriving: { letter, failures: [], total: made } };
    return { processed: { ...NOTHING, updates: [made] }, redriving: { letter, failures: [] } };
  }
  const { position, line } = letter;
  const { branch, family } = again;
  checkFamily(operator, family);
  const { events, failures } = await view.again({ position: position!, line, branch });
  const processed = await operator.process(events, family);
  return { processed, redriving: { letter, failures } };
}

/** @throws MillraceError `query.invalid` where none of the windows has the name any more */
export function checkFamily(operator: WindowOperator, family: string | undefined): void {
  if (family !== undefined && !operator.hasFamily(family))
    throw invalidWindow('name', family, 'must be a window of the stream still');
}

/** @throws MillraceError `query.invalid` where there is no such output any more; what it is refused for */
export async function handAgain(
  outbox: Outbox,
  { results, late }: BoundOutputs,
  { firstAt: at }: DeadLetter,
  { output, item }: Extract<Again, { readonly kind: 'item' }>,
  { end, signal }: { readonly end: LetterEntry; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const result = results.find(({ name }) => name === output);
  const other = late.find(({ name }) => name === output);
  if (result !== undefined)
    return outbox.again(result, { items: [result.decode(item)], at }, end, signal);
  if (other !== undefined) return outbox.again(other, { items: [other.decode(item)], at }, end, signal);
  throw invalidWindow('output', output, 'must be an output of the stream still');
}

/** The open letters of results that these updates are newer ones of, besides those that the outputs have ended. */
export function settledBy(
  updates: readonly WindowUpdate[],
  handed: ReadonlySet<string>,
  open: ReadonlySet<string>,
): readonly string[] {
  const settled = [...handed];
  for (const update of updates) {
    const place = resultPlace(update);
    for (const id of [`result/${place}`, `total/${place}`]) if (open.has(id)) settled.push(id);
  }
  return settled;
}
