/** Clicks, each with a description of what was clicked. */
import { page } from './address.ts';
import { describeElement, isIgnored } from './describe-element.ts';
import type { Watch } from './watch.ts';

export interface ClickOptions {
  /** Attributes whose values are told, and whose elements stand for what is in them. Default: `['data-capture']`. */
  readonly attributes?: readonly string[];
}

export function watchClicks(watch: Watch, { attributes = ['data-capture'] }: ClickOptions): void {
  watch.on(document, 'click', (event) => {
    // Into open shadow trees.
    const [target] = event.composedPath();
    if (!(target instanceof Element) || isIgnored(target) || isIgnored(event.target as Element)) return;
    watch.capture('element.clicked', { ...describeElement(target, attributes), page: page() });
  });
}
