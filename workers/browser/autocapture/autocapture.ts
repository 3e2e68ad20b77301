/**
 * Captures what a page's visitor does, by kind, each asked for by name: a chunk of its own, which a page that does not want
 * it never loads. It reads no value that a visitor has typed, and no query of an address unless told to. An element with
 * `data-millrace-ignore`, and all within it, is not seen.
 *
 * @example
 * import { autocapture, autocaptured } from 'millrace/browser/autocapture';
 * const shop = defineEvents({ ...autocaptured, 'order.placed': order });
 * const client = connect({ endpoint, catalogue: shop });
 * const stop = autocapture(client, { pageViews: true, clicks: true, vitals: true });
 */
import type { Undo } from '../../../src/ports.ts';
import { watchClicks, type ClickOptions } from './clicks.ts';
import { watchErrors, type ErrorOptions } from './page-errors.ts';
import type { AutocapturedData, AutocapturedType } from './events.ts';
import { watchForms } from './forms.ts';
import { watchPageViews, type PageViewOptions } from './page-views.ts';
import { watchVisibility } from './visibility.ts';
import { watchVitals } from './vitals.ts';
import { Watch } from './watch.ts';

export { autocaptured, type AutocapturedData, type AutocapturedType } from './events.ts';
export type { ClickOptions } from './clicks.ts';
export type { ErrorOptions } from './page-errors.ts';
export type { PageViewOptions } from './page-views.ts';

/** The part of a client that is needed. */
export interface Capturing {
  capture(type: AutocapturedType, data: AutocapturedData[AutocapturedType]): unknown;
}

/** What is not named is not captured. */
export interface AutocaptureOptions {
  /** `page.viewed`: the page as it is now, and each one that is come to without a load. */
  readonly pageViews?: boolean | PageViewOptions;
  /** `element.clicked` */
  readonly clicks?: boolean | ClickOptions;
  /** `form.submitted`: which form, never what was filled in. */
  readonly forms?: boolean;
  /** `page.hidden` and `page.shown` */
  readonly visibility?: boolean;
  /** `error.thrown`: errors that nobody caught, and promises whose rejection nobody handled. */
  readonly errors?: boolean | ErrorOptions;
  /** `vital.measured`: Core Web Vitals and two more, by `web-vitals`, which is loaded for it. */
  readonly vitals?: boolean;
}

/** Begins at once. Nothing that goes wrong in it reaches the page. The undo ends all of it, and leaves nothing behind. */
export function autocapture(client: Capturing, options: AutocaptureOptions): Undo {
  const { pageViews, clicks, forms, visibility, errors, vitals } = options;
  const watch = new Watch((type, data) => void client.capture(type, data));
  if (pageViews) watch.run(() => watchPageViews(watch, asOptions(pageViews)));
  if (clicks) watch.run(() => watchClicks(watch, asOptions(clicks)));
  if (forms) watch.run(() => watchForms(watch));
  if (visibility) watch.run(() => watchVisibility(watch));
  if (errors) watch.run(() => watchErrors(watch, asOptions(errors)));
  if (vitals) watch.run(() => watchVitals(watch));
  return () => watch.stop();
}

function asOptions<Options extends object>(given: true | Options): Options {
  return given === true ? ({} as Options) : given;
}
