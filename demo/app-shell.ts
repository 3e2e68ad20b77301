/**
 * Keeps the page's own files on this device, so that it can be loaded again without a network. The list of files rides
 * in the service worker's address: a page of other files registers another worker, which replaces this one.
 */
import serviceWorkerUrl from './service-worker.ts?worker&url';

export type ShellState = 'unsupported' | 'preparing' | 'kept';

export interface AppShellOptions {
  /** Files that no element of the page names, such as the script of a Web Worker. */
  readonly files: readonly string[];
  readonly onState: (state: ShellState) => void;
}

const NAMED = 'script[src], link[rel="stylesheet"], link[rel="modulepreload"], link[rel="icon"]';

export async function keepAppShell({ files, onState }: AppShellOptions): Promise<void> {
  if (!('serviceWorker' in navigator)) return onState('unsupported');
  onState('preparing');
  const named = [...document.querySelectorAll(NAMED)].map(
    (element) => element.getAttribute('src') ?? element.getAttribute('href'),
  );
  const paths = [...named, ...files].flatMap((file) =>
    file === null ? [] : new URL(file, location.href).pathname,
  );
  const address = new URL(serviceWorkerUrl, location.href);
  for (const path of [...new Set(paths)].toSorted()) address.searchParams.append('file', path);
  try {
    const registration = await navigator.serviceWorker.register(address, { scope: '/' });
    await activated(registration);
    onState('kept');
  } catch (error) {
    // Without its network the page still runs on the worker that is there.
    const standing = await navigator.serviceWorker.getRegistration('/');
    onState(standing?.active ? 'kept' : 'unsupported');
    if (!standing?.active) console.warn('The page cannot be kept for offline use.', error);
  }
}

async function activated(registration: ServiceWorkerRegistration): Promise<void> {
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  if (worker === null) throw new Error('the registration has no worker');
  await new Promise<void>((done, fail) => {
    const check = (): void => {
      if (worker.state === 'activated') done();
      if (worker.state === 'redundant') fail(new Error('the files could not be kept'));
    };
    worker.addEventListener('statechange', check);
    check();
  });
}
