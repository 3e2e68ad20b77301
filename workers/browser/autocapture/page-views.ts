/** Pages as they are viewed: the one that was loaded, and those that a single-page application goes to. */
import { addressOf, cut } from './address.ts';
import type { AutocapturedData } from './events.ts';
import type { Watch } from './watch.ts';

export interface PageViewOptions {
  /** Tell the query too. Default: false, for it often names a person. */
  readonly query?: boolean;
}

type View = AutocapturedData['page.viewed'];

/** What tells one page from another: its address, without the fragment. */
const currentPage = (): string => location.pathname + location.search;

export function watchPageViews(watch: Watch, { query = false }: PageViewOptions): void {
  let viewed = currentPage();
  let path = addressOf(location.href, query);
  const view = (kind: View['kind'], referrer: string): void => {
    path = addressOf(location.href, query);
    const from = referrer === '' ? {} : { referrer };
    watch.capture('page.viewed', { path, title: cut(document.title, 200), ...from, kind });
  };
  const look = (): void => {
    if (currentPage() === viewed) return;
    viewed = currentPage();
    view('navigation', path);
  };
  view('load', document.referrer === '' ? '' : addressOf(document.referrer));
  // An application sets its title right after it has gone somewhere: it has had its turn then.
  watchNavigation(watch, () => void setTimeout(() => watch.run(look)));
  watch.on(window, 'pageshow', (event) => {
    if ((event as PageTransitionEvent).persisted) view('restored', '');
  });
}

function watchNavigation(watch: Watch, look: () => void): void {
  const { navigation } = window as { readonly navigation?: EventTarget };
  if (navigation !== undefined) return watch.on(navigation, 'currententrychange', look);
  watch.on(window, 'popstate', look);
  for (const name of ['pushState', 'replaceState'] as const) patch(watch, name, look);
}

/** Browsers before the Navigation API tell of a push by no event. */
function patch(watch: Watch, name: 'pushState' | 'replaceState', look: () => void): void {
  const own = Object.hasOwn(history, name);
  const before = history[name];
  const patched: History['pushState'] = function (this: History, ...given) {
    before.apply(this, given);
    look();
  };
  history[name] = patched;
  watch.defer(() => {
    // Who has patched it since keeps ours, which captures nothing any more.
    if (history[name] !== patched) return;
    if (own) history[name] = before;
    else Reflect.deleteProperty(history, name);
  });
}
