/** When a window's result is handed on. Whatever the trigger, the result that the watermark completes always is. */
import { invalidWindow } from './windows.ts';

export type Trigger =
  /** When the watermark passes the window's end. */
  | { readonly on: 'watermark' }
  /** At the end of every batch that has changed it. */
  | { readonly on: 'change' }
  /** What has changed since, every so many ms of the host's clock: looked at with every batch and every `tick`. */
  | { readonly on: 'interval'; readonly everyMs: number }
  /** At the end of a batch with which `every` events or more have changed it since its last result. */
  | { readonly on: 'count'; readonly every: number };

/** @throws MillraceError `query.invalid` */
export function checkTrigger(trigger: Trigger): void {
  const bound = trigger.on === 'interval' ? trigger.everyMs : trigger.on === 'count' ? trigger.every : 1;
  if (!Number.isInteger(bound) || bound < 1)
    throw invalidWindow('trigger', bound, 'must be a whole number from 1 on');
  if (!['watermark', 'change', 'interval', 'count'].includes(trigger.on))
    throw invalidWindow('trigger', trigger.on, 'is none that is known');
}
