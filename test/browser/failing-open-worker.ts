/** The client's worker where the database fails to open three times, as when what was killed holds its files yet. */
let failures = 3;
const { open } = IDBFactory.prototype;
IDBFactory.prototype.open = function (this: IDBFactory, name: string, version?: number) {
  if (failures-- <= 0) return open.call(this, name, version);
  const error = new DOMException('Internal error opening backing store', 'UnknownError');
  const request = { error, onerror: () => {} };
  queueMicrotask(() => request.onerror());
  return request as unknown as IDBOpenDBRequest;
};
const early: MessageEvent[] = [];
const keep = (event: MessageEvent): void => void early.push(event);
addEventListener('message', keep);
await import('../../workers/browser/worker.ts');
removeEventListener('message', keep);
for (const event of early)
  dispatchEvent(new MessageEvent('message', { data: event.data, ports: [...event.ports] }));
