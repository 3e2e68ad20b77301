/** A stream as plain data: what the fluent form and the `StreamProcessor` write down, and a run reads. */
import type { Event } from '../../event/event.ts';
import type { Ports } from '../../ports.ts';
import type { AnyAggregation, StreamWindow, WindowOperatorOptions } from '../operator-options.ts';
import type { Branch } from './flow.ts';
import type { StreamOutput } from './outputs.ts';
import type { StreamSource } from './sources.ts';
import type { StreamLate, StreamResult } from './stream-result.ts';
import type { AnyTotal } from './total.ts';

export interface PlannedWindow {
  readonly window: Omit<StreamWindow, 'aggregation'> & { readonly aggregation: AnyAggregation };
  /** Its results are totals over all keys, in place of each key's. */
  readonly total?: AnyTotal;
}

export interface StreamPlan {
  readonly sources: readonly StreamSource[];
  readonly branches: readonly Branch[];
  readonly key?: ((event: Event) => string) | undefined;
  readonly windows: readonly PlannedWindow[];
  readonly outputs: readonly StreamOutput<StreamResult<never>>[];
  readonly lateOutputs: readonly StreamOutput<StreamLate>[];
}

export interface StreamOptions extends Pick<
  WindowOperatorOptions,
  'watermark' | 'time' | 'source' | 'retainMs'
> {
  /**
   * Names the stream's state and checkpoint in its log: lower-case words joined by dashes, 64 characters at most. Another
   * definition needs another name.
   */
  readonly name: string;
  readonly ports: Ports;
  /** The most events that are folded, and committed, at a time. Default: 1,000. */
  readonly batchEvents?: number | undefined;
  /** How often a started stream looks at the clock, and at a log without a hint, in ms. Default: 5,000. */
  readonly pollMs?: number | undefined;
  /**
   * Of a bus or topics: the most events that wait to be folded. Beyond it, publishers wait; where 10,000 events do already,
   * the next is refused with `limit.exceeded`, and a dead letter of the bus. Default: 10,000.
   */
  readonly capacity?: number | undefined;
  /** Hears of failures that stop a started stream for a while: of its log, or of a storage that it hands on to. Default: a warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
}
