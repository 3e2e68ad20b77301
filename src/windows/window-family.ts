/** Windows that share their state: the operator has one family for each way of cutting a stream. */
import type { JsonValue, StoredValue } from '../storage/storage.ts';
import type { Output } from './window-plan.ts';

/** The events of a batch that are to be folded, where something of theirs may have to be read back. */
export interface Arrivals {
  readonly times: readonly number[];
  readonly keys: readonly string[];
}

export interface WindowFamily {
  /** Tells its state from that of other families of the operator. */
  readonly name: string;
  /** Of its windows. */
  readonly windowNames: readonly string[];
  /** Rows in memory, of all that there are. */
  readonly rows: number;
  /** Whether events of that time and later may meet a window whose state is not in memory. */
  mayBeCold(earliest: number): boolean;
  /** Reads back what the events need. */
  thaw(arrivals: Arrivals): Promise<void>;
  /** Reads back the next of what ends with the stream and lives in the storage. Whether more is left. */
  thawNext?(): Promise<boolean>;
  /** Whether an event of that time could be too late for a window at that watermark: then it is to be known exactly. */
  isExact(earliest: number, watermark: number): boolean;
  /** Folds the chunk that the operator has filled. */
  fold(output: Output): void;
  /** Hands on the complete windows that late events have changed, and those that the watermark has passed now. */
  advance(watermark: number, output: Output): void;
  /** Hands on what is due before its end. */
  settle(now: number, output: Output): void;
  /** Takes up what the storage holds. */
  open(state: JsonValue | undefined, watermark: number): Promise<void>;
  /** What is small and changes with every commit. */
  save(): JsonValue;
  /** What has changed since the last commit. */
  puts(): Promise<readonly (readonly [key: string, value: StoredValue | undefined])[]>;
  /** The puts are in: what no open window needs is let go. */
  committed(): void;
}
