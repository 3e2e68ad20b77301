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
    event.respondWith(answerPage(event));
  } else if (files.has(url.pathname)) {
    event.respondWith(answerFile(request));
  }
});

async function keepFiles(): Promise<void> {
  const page = await fetch(PAGE, { cache: 'no-store' });
  if (!(await keepPage(page))) throw new Error('the page is of another version');
  const cache = await caches.open(cacheName);
  await cache.addAll([...files]);
}

/** Keeps the page if it goes with these files: the page of another version would ask for files that are not kept. */
async function keepPage(page: Response): Promise<boolean> {
  const text = await page.clone().text();
  const script = [...files].find((file) => /\/index-[^/]+\.js$/.test(file)) ?? '';
  if (!page.ok || !text.includes(script)) return false;
  const cache = await caches.open(cacheName);
  await cache.put(PAGE, page);
  return true;
}

async function forgetOthers(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(
    names
      .filter((name) => name.startsWith(PREFIX) && name !== cacheName)
      .map((name) => caches.delete(name)),
  );
}

async function answerPage(event: Fetching): Promise<Response> {
  const fromNetwork = fetch(event.request);
  const kept = await caches.match(PAGE, { cacheName });
  if (kept === undefined) return fromNetwork;
  const patience = new Promise<Response>((done) => setTimeout(done, PATIENCE_MS, kept));
  const answer = await Promise.race([fromNetwork.catch(() => kept), patience]);
  if (answer === kept || !answer.ok) return kept;
  event.waitUntil(keepPage(answer.clone()));
  return answer;
}

async function answerFile(request: Request): Promise<Response> {
  return (await caches.match(request, { cacheName, ignoreSearch: true })) ?? fetch(request);
}
