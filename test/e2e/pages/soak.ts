/** A tab that captures for as long as it lives, and reports each receipt to the site as soon as it has it. */
import { connect, type ClientStatus } from '../../../workers/browser/client.ts';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import workerUrl from '../../../workers/browser/worker.ts?worker&url';

/** `[id, tab, number, position]` */
export type ReportedReceipt = readonly [string, string, number, number];

const query = new URLSearchParams(location.search);
const tab = query.get('tab') ?? '';
const client = connect({
  endpoint: query.get('endpoint')!,
  key: query.get('key')!,
  log: 'soak',
  // What a page does at leisure: most of it would wait for a timer that a kill does not wait for.
  flushMs: 20,
  worker: () => new Worker(workerUrl, { type: 'module' }),
});

let captured = 0;
/** Of events whose receipts are awaited together, later. */
const later: (() => Promise<ReportedReceipt>)[] = [];

/** Gives what asks for the receipt, so that it can be asked for later. */
function capture(): () => Promise<ReportedReceipt> {
  const number = ++captured;
  const receipt = client.capture('soak.ticked', { tab, number });
  return async () => {
    const { id, position } = await receipt;
    return [id, tab, number, position];
  };
}

async function report(receipts: readonly ReportedReceipt[]): Promise<void> {
  await fetch('/receipts', { method: 'POST', body: JSON.stringify(receipts) });
}

/** At a visitor's pace and in bursts; some receipts are awaited at once, and most when there is time. */
function run(): void {
  const many = Math.random() < 0.05 ? 150 : 1;
  for (let i = 0; i < many; i++) {
    const asked = capture();
    if (Math.random() < 0.2) void asked().then((receipt) => report([receipt]));
    else later.push(asked);
  }
  setTimeout(run, Math.random() * 20);
}

async function collect(): Promise<void> {
  const asked = later.splice(0);
  if (asked.length > 0) await report(await Promise.all(asked.map((one) => one())));
  setTimeout(() => void collect(), 25);
}

// What goes wrong is told, to be looked into. A log in memory outlives nothing, and says so.
let told = '';
let wipedTold = '';
client.onStatus(({ storage, state, lastError, wiped }) => {
  const wipe = JSON.stringify(wiped ?? {});
  if (wiped !== undefined && wipe !== wipedTold)
    void fetch('/wiped', { method: 'POST', body: (wipedTold = wipe) });
  const trouble = lastError && `${storage} ${state} ${lastError.code} ${lastError.message}`;
  if (trouble === undefined || trouble === told) return;
  told = trouble;
  void fetch('/trouble', { method: 'POST', body: `${tab} ${trouble}` });
});

if (query.has('captures')) {
  run();
  void collect();
}

const soak = { status: (): ClientStatus => client.status() };
export type SoakPage = typeof soak;
Object.assign(globalThis, { soak });
