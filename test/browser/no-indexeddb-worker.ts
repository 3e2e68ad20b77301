/** The client's worker where there is no IndexedDB. */
Object.defineProperty(globalThis, 'indexedDB', { value: undefined });
const early: MessageEvent[] = [];
const keep = (event: MessageEvent): void => void early.push(event);
addEventListener('message', keep);
await import('../../workers/browser/worker.ts');
removeEventListener('message', keep);
for (const event of early)
  dispatchEvent(new MessageEvent('message', { data: event.data, ports: [...event.ports] }));
