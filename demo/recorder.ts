/** The one door from the shop to the kernel: what a visitor does is captured here, and told to who shows it. */
import type { Client, Receipt } from 'millrace/browser';
import type { DataOf, EventOptions, Undo } from 'millrace';
import type { ShopEventType, ShopSchemas } from './shop.ts';

export interface Recorded {
  readonly id: string;
  readonly type: ShopEventType;
  readonly data: unknown;
  /** Event time, in ms since the Unix epoch. */
  readonly timestamp: number;
  readonly receipt: Receipt;
}

export interface Recorder {
  /** Captures at once, connected or not, and returns the event's id. */
  record<Type extends ShopEventType>(
    type: Type,
    data: DataOf<ShopSchemas, Type>,
    options?: EventOptions,
  ): string;
  onRecorded(listener: (recorded: Recorded) => void): Undo;
}

export function createRecorder(client: Client<ShopSchemas>): Recorder {
  const listeners = new Set<(recorded: Recorded) => void>();
  return {
    record(type, data, options = {}) {
      const timestamp = options.timestamp ?? Date.now();
      const receipt = client.capture(type, data, { ...options, timestamp });
      for (const listener of listeners) listener({ id: receipt.id, type, data, timestamp, receipt });
      return receipt.id;
    },
    onRecorded(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
