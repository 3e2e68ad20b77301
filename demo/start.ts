/**
 * `npm start`: builds the demo's page, runs the edge that serves it, and stops both on Ctrl-C, or when whoever started
 * it is gone.
 */
import { join } from 'node:path';
import { build } from 'vite';
import { startEdge, type EdgeProcess } from './edge-process.ts';
import { lockState } from './state-lock.ts';

const root = join(import.meta.dirname, '..');
const PARENT_CHECK_MS = 250;

async function main(): Promise<void> {
  const signal = askedToEnd();
  const port = chosenPort();
  const stateDir = process.env['MILLRACE_STATE'] ?? join(root, '.millrace', 'state');
  // Before the page is built: another one that runs here serves the files that a build replaces.
  using _lock = lockState(stateDir, port);
  await buildPage();
  const edge = await startEdge({ port, stateDir, quiet: true, signal }).catch(unless(signal));
  if (edge === undefined) return;
  const { admin, publishable, read } = edge.keys;
  console.log(`Millrace is running at ${edge.url}`);
  console.log(`admin key: ${admin}\npublishable key: ${publishable}\nread key: ${read}`);
  const trouble = await firstTrouble(edge, signal);
  await edge.stop();
  if (trouble !== undefined) throw new Error(trouble);
}

/** What ended the edge, or `undefined` where we were asked to end it. */
function firstTrouble(edge: EdgeProcess, signal: AbortSignal): Promise<string | undefined> {
  const lastWords = (): string => `Its last words:\n${edge.output().trim()}`;
  return Promise.race([
    aborted(signal).then(() => undefined),
    edge.exited.then(() => (signal.aborted ? undefined : `The edge ended by itself. ${lastWords()}`)),
    edge.silent(signal).then((): string | undefined => {
      if (signal.aborted) return undefined;
      return `The edge at ${edge.url} answers no more and was stopped: start it again. ${lastWords()}`;
    }),
  ]);
}

function chosenPort(): number {
  const text = process.env['PORT'] ?? '8787';
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new Error(`PORT is ${JSON.stringify(text)}, which is not a port between 1 and 65535.`);
}

async function buildPage(): Promise<void> {
  try {
    await build({ configFile: join(root, 'demo', 'vite.config.ts'), logLevel: 'silent' });
  } catch (error) {
    throw new Error(
      `The demo could not be built: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Aborted by the first signal that asks us to end, and by our parent's end: npm passes a signal on to the shell between
 * us, which ends without telling us.
 */
function askedToEnd(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => controller.abort());
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent || !lives(parent)) controller.abort();
  }, PARENT_CHECK_MS).unref();
  return controller.signal;
}

/** On Windows, the parent's id stays the same after its end. */
function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** Being asked to end while starting is no error. */
function unless(signal: AbortSignal): (error: unknown) => undefined {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
