/** The page: a shop whose visitor clicks, and beside it the mill that carries the clicks to the edge. */
import { connect } from 'millrace/browser';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import workerUrl from '../workers/browser/worker.ts?worker&url';
import { openDock } from './dock.ts';
import { keepAppShell, type ShellState } from './app-shell.ts';
import { find, write } from './element.ts';
import { openMill } from './mill.ts';
import { loadPageKeys } from './page-keys.ts';
import { createRecorder } from './recorder.ts';
import { shop } from './shop.ts';
import { openStorefront } from './storefront.ts';
import { openVisit } from './visit.ts';

const keys = await loadPageKeys(location.origin);
const client = connect({
  endpoint: location.origin,
  ...(keys.publishable !== undefined && { key: keys.publishable }),
  catalogue: shop,
  worker: () => new Worker(workerUrl, { type: 'module' }),
});
const recorder = createRecorder(client);

const announcer = find(document, '[data-part="announcer"]', HTMLElement);
const mill = openMill({ client, recorder, endpoint: location.origin, readKey: keys.read });
openStorefront(find(document, '#shop', HTMLElement), {
  client,
  recorder,
  visit: openVisit(),
  announce: (text) => write(announcer, text),
});

openDock(find(document, '[data-part="dock"]', HTMLAnchorElement), find(document, '#mill', HTMLElement));

const shellWords: Readonly<Record<ShellState, string>> = {
  unsupported: 'This page needs the network to load',
  preparing: 'Keeping this page for offline use',
  kept: 'This page loads without a network',
};
const shellNote = find(document, '[data-part="shell"]', HTMLElement);
void keepAppShell({
  files: [workerUrl],
  onState(state) {
    shellNote.dataset['state'] = state;
    write(shellNote, shellWords[state]);
  },
});

/** For who wants to look inside, by hand or in a test. */
const millraceDemo = { client, deviceWindows: mill.deviceWindows, edgeWindows: mill.edgeWindows };
export type MillraceDemo = typeof millraceDemo;

declare global {
  interface Window {
    millraceDemo: MillraceDemo;
  }
}
window.millraceDemo = millraceDemo;
