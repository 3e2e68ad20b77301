/**
 * This device's windows, from its own log: what they are now, and each revision. A revision that another tab made may
 * not be told here, so the whole is read again now and then.
 */
import type { Client } from 'millrace/browser';
import type { Undo } from 'millrace';
import { shownRange } from './minute.ts';
import type { ShopSchemas } from './shop.ts';
import type { CountWindow } from './window-board.ts';

const POLL_MS = 5_000;

/** Answers at once; the windows follow as the log can be read. */
export function watchDeviceWindows(
  client: Client<ShopSchemas>,
  onWindows: (results: readonly CountWindow[], how: 'load' | 'merge') => void,
): Undo {
  let stopped = false;
  const load = async (): Promise<void> => {
    try {
      const results = await client.windows(shownRange(Date.now()));
      if (!stopped) onWindows(results, 'load');
    } catch {
      // The client's status says why its log cannot be read; the next reading tries again.
    }
  };
  const stopListening = client.onWindows((results) => {
    if (!stopped) onWindows(results, 'merge');
  });
  void load();
  const timer = setInterval(() => void load(), POLL_MS);
  return () => {
    stopped = true;
    clearInterval(timer);
    stopListening();
  };
}
