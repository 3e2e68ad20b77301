/** The shop's three pages, told apart by the address's fragment, so that they all work without a network. */
import { find } from './element.ts';

/** Shows the page that the address names, now and on each change. `onView` gets its path. */
export function openPages(root: HTMLElement, onView: (path: string) => void): void {
  const sections = [...root.querySelectorAll<HTMLElement>('[data-view]')];
  const links = [...root.querySelectorAll<HTMLElement>('[data-page]')];

  function show(moveFocus: boolean): void {
    // An anchor inside the page, such as #cart, is no page.
    if (moveFocus && !location.hash.startsWith('#/') && location.hash !== '') return;
    const asked = location.hash.slice(1) || '/';
    const path = sections.some((section) => section.dataset['view'] === asked) ? asked : '/';
    for (const section of sections) section.hidden = section.dataset['view'] !== path;
    for (const link of links) {
      if (link.dataset['page'] === path) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (moveFocus) focusTitle(find(root, `[data-view="${path}"] h1`, HTMLElement));
    onView(path);
  }

  addEventListener('hashchange', () => show(true));
  show(false);
}

function focusTitle(title: HTMLElement): void {
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
  scrollTo({ top: 0 });
}
