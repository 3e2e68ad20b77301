/** What a stream of windows is made of: the windows, the key, the time and the watermark. */
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import type { JsonValue, Storage } from '../storage/storage.ts';
import type { Aggregation } from './aggregation.ts';
import { checkTrigger, type Trigger } from './trigger.ts';
import type { WatermarkOptions } from './watermark.ts';
import { checkWindowKind, invalidWindow, type WindowKind } from './windows.ts';

export type AnyAggregation = Aggregation<JsonValue, unknown>;

/** One of the windows that share a stream. Windows that are given the same aggregation object share its state, too. */
export interface StreamWindow<Value = unknown, State extends JsonValue = JsonValue> {
  /** Names its results. Unique in the stream. */
  readonly name: string;
  readonly windows: WindowKind;
  readonly aggregation: Aggregation<State, Value>;
  /** Default: `{ on: 'watermark' }`. A late event is answered at the end of its batch, whatever the trigger. */
  readonly trigger?: Trigger | undefined;
  /**
   * How long after its end, by the watermark, a window takes events. Later ones are `late`, and not counted. Default: for
   * ever, where there is a storage; 0 without one, for then a window that has ended is forgotten.
   */
  readonly allowedLatenessMs?: number | undefined;
  /** `deltas` say with each result which one it takes the place of (`retract`). Default: `accumulated`. */
  readonly results?: 'accumulated' | 'deltas' | undefined;
}

export interface WindowOperatorOptions {
  readonly windows: readonly StreamWindow[];
  /** What groups a window's events: any string. Default: all are of the key `''`. */
  readonly key?: ((event: Event) => string) | undefined;
  /** `processing`: the host's clock when the event is taken. Default: `event`, its timestamp. */
  readonly time?: 'event' | 'processing' | undefined;
  /** Whose clock the event's timestamp is of. Default: the event's `source`. */
  readonly source?: ((event: Event) => string) | undefined;
  readonly watermark?: WatermarkOptions | undefined;
  /** Where windows are kept that memory need not hold. Default: nowhere; a restart begins anew. */
  readonly storage?: Storage | undefined;
  /**
   * How long after its end, by the watermark, a complete window stays in the storage. An event that comes later is `late`
   * there, as beyond `allowedLatenessMs`, which takes a window out of the storage as well, where it is shorter. Windows of
   * counts and global ones, which end at no time, stay. Default: for ever.
   */
  readonly retainMs?: number | undefined;
  /**
   * With so many rows of state in memory (a row is a key in a slice of time, or a session), an event that is ahead of the
   * host's clock by more than `maxAheadMs` is a dead letter with the code `limit.exceeded`. All other state is of windows
   * that the watermark comes to within `maxAheadMs` and their size, and has as many rows as those have keys. Default:
   * 1,000,000.
   */
  readonly maxRows?: number | undefined;
  /** Names its state in the storage: lower-case words joined by dashes. Other windows need another name. Default: `windows`. */
  readonly name?: string | undefined;
  readonly ports: Pick<Ports, 'now'>;
}

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const MAX_NAME_LENGTH = 64;

/** @throws MillraceError `query.invalid` */
export function checkOperator({
  windows,
  name = 'windows',
  storage,
  retainMs = Infinity,
  maxRows = 1,
}: WindowOperatorOptions): void {
  if (!NAME.test(name) || name.length > MAX_NAME_LENGTH) {
    const reason = `must be lower-case words joined by dashes, ${MAX_NAME_LENGTH} characters at most`;
    throw invalidWindow('name', JSON.stringify(name), reason);
  }
  if (windows.length === 0) throw invalidWindow('windows', '[]', 'must be one at least');
  if (!(retainMs === Infinity || (Number.isInteger(retainMs) && retainMs >= 0)))
    throw invalidWindow('retainMs', retainMs, 'must be a whole number of ms from 0 on, or Infinity');
  if (!Number.isInteger(maxRows) || maxRows < 1)
    throw invalidWindow('maxRows', maxRows, 'must be a whole number from 1 on');
  const names = new Set<string>();
  for (const window of windows) {
    if (names.has(window.name)) throw invalidWindow('windows', window.name, 'must have a name each');
    names.add(window.name);
    checkWindowKind(window.windows);
    checkTrigger(window.trigger ?? { on: 'watermark' });
    checkLateness(window, storage !== undefined);
  }
}

/** How long after its end the window takes events: `Infinity` is for ever. */
export function latenessOf(
  { allowedLatenessMs }: StreamWindow,
  { storage, retainMs = Infinity }: Pick<WindowOperatorOptions, 'storage' | 'retainMs'>,
): number {
  return Math.min(allowedLatenessMs ?? (storage === undefined ? 0 : Infinity), retainMs);
}

function checkLateness({ allowedLatenessMs: given }: StreamWindow, stored: boolean): void {
  if (given === undefined || (Number.isInteger(given) && given >= 0)) return;
  if (given === Infinity && stored) return;
  const reason = 'must be a whole number of ms from 0 on; for ever needs a storage';
  throw invalidWindow('allowedLatenessMs', given, reason);
}
