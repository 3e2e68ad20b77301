/** Addresses as they are captured: without what may name a person or hold a secret. */

const MOST = 500;

/** Without the page's own origin, the fragment, and a user's name; without the query, unless it is asked for. */
export function addressOf(url: string, query = false): string {
  try {
    const { origin, protocol, pathname, search } = new URL(url, location.href);
    // What stands behind `mailto:`, `tel:` or `data:` is nobody's address on the web.
    if (!protocol.startsWith('http')) return protocol;
    return cut((origin === location.origin ? '' : origin) + pathname + (query ? search : ''), MOST);
  } catch {
    return '';
  }
}

/** Where the visitor is. */
export function page(): string {
  return addressOf(location.href);
}

/** At most so many characters, and no half of one. */
export function cut(text: string, most: number): string {
  return text.length <= most
    ? text
    : text
        .slice(0, most)
        .toWellFormed()
        .replace(/\ufffd$/, '');
}
