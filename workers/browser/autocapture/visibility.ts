/** When a page is hidden and shown again, and how long it was. */
import { page } from './address.ts';
import type { Watch } from './watch.ts';

export function watchVisibility(watch: Watch): void {
  let since = performance.now();
  watch.on(document, 'visibilitychange', () => {
    const elapsed = Math.round(performance.now() - since);
    since = performance.now();
    if (document.visibilityState === 'hidden')
      watch.capture('page.hidden', { page: page(), visibleMs: elapsed });
    else watch.capture('page.shown', { page: page(), hiddenMs: elapsed });
  });
}
