/** The keys that this page uses at its edge, which says them; kept for when the page loads without a network. */

export interface PageKeys {
  readonly publishable?: string;
  readonly read?: string;
}

/** Longer than an edge on this machine takes, and short enough for a page to wait. */
const PATIENCE_MS = 1_500;
/** A cache, for what is in local storage is lost when the browser is killed soon after. */
const KEPT = 'aldermere-keys';

export async function loadPageKeys(endpoint: string): Promise<PageKeys> {
  const url = new URL('page-keys', `${endpoint}/`).href;
  const answer = await ask(url);
  if (answer !== undefined) await keep(url, answer.clone());
  const known = answer ?? (await recall(url));
  return known === undefined ? {} : ((await known.json()) as PageKeys);
}

async function ask(url: string): Promise<Response | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' });
    return answer.ok ? answer : undefined;
  } catch {
    return undefined;
  }
}

async function recall(url: string): Promise<Response | undefined> {
  try {
    return await caches.match(url, { cacheName: KEPT });
  } catch {
    return undefined;
  }
}

async function keep(url: string, answer: Response): Promise<void> {
  try {
    await (await caches.open(KEPT)).put(url, answer);
  } catch {
    // The next load without a network then finds none, and the one after it that has a network does.
  }
}
