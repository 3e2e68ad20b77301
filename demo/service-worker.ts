/**
 * Serves the page's own files, and nothing else: a request for anything that is not on its list goes its own way, so
 * no answer of the edge's is ever kept. The page itself comes from the network while there is one.
 */

/** What this file uses of a service worker's scope: the platform's types for it do not live beside the page's. */
interface Scope {
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: Lasting) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
}
interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Lasting {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const scope = globalThis as unknown as Scope;
const PAGE = '/';
const PREFIX = 'aldermere-shell/';
/** How long a page waits for a network that is there and does not answer. */
const PATIENCE_MS = 2_500;

const files = new Set(new URL(scope.location.href).searchParams.getAll('file'));
/** One cache a list of files: the files' names carry hashes, so the list is the version. */
const cacheName = PREFIX + [...files].join('|');

scope.addEventListener('install', (event) => {
  event.waitUntil(keepFiles().then(() => scope.skipWaiting()));
});

scope.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => scope.clients.claim()));
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== scope.location.origin) return;
  if (request.mode === 'navigate' && (url.pathname === PAGE || url.pathname === '/index.html')) {
    event.respondWith(answerPage(request));
  } else if (files.has(url.pathname)) {
    event.respondWith(answerFile(request));
  }
});

async function keepFiles(): Promise<void> {
  const cache = await caches.open(cacheName);
  const page = await fetch(PAGE, { cache: 'no-store' });
  const text = await page.clone().text();
  // Another version may have been put up meanwhile: its page would ask for files that are not in this cache.
  const script = [...files].find((file) => /\/index-[^/]+\.js$/.test(file));
  if (!page.ok || (script !== undefined && !text.includes(script))) throw new Error('the page is of another version');
  await cache.addAll([...files]);
  await cache.put(PAGE, page);
}

async function forgetOthers(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== cacheName).map((name) => caches.delete(name)));
}

async function answerPage(request: Request): Promise<Response> {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok) return answer;
  } catch {
    // No network: the page as it was kept.
  }
  return (await caches.match(PAGE, { cacheName })) ?? fetch(request);
}

async function answerFile(request: Request): Promise<Response> {
  return (await caches.match(request, { cacheName, ignoreSearch: true })) ?? fetch(request);
}
