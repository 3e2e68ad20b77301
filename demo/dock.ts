/** On a phone shop and mill are one below the other: the dock leads to the one that is out of sight. */
import { find, write } from './element.ts';

export function openDock(dock: HTMLAnchorElement, mill: HTMLElement): void {
  const words = find(dock, '[data-dock="go"]', HTMLElement);
  const watch = new IntersectionObserver(
    (entries) => {
      const inMill = entries.at(-1)?.isIntersecting ?? false;
      dock.hash = inMill ? '#shop' : '#mill';
      write(words, inMill ? 'The shop ↑' : 'The mill ↓');
    },
    { rootMargin: '-45% 0px -45% 0px' },
  );
  watch.observe(mill);
}
