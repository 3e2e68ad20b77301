/** `npm start`: builds the demo's page, runs the edge that serves it, and stops both on Ctrl-C. */
import { join } from 'node:path';
import { build } from 'vite';
import { startEdge } from './edge-process.ts';

const root = join(import.meta.dirname, '..');

async function main(): Promise<void> {
  const signal = firstSignal();
  const port = chosenPort();
  await buildPage();
  const stateDir = process.env['MILLRACE_STATE'] ?? join(root, '.millrace', 'state');
  const edge = await startEdge({ port, stateDir, quiet: true, signal }).catch(unless(signal));
  if (edge === undefined) return;
  console.log(`Millrace is running at ${edge.url}`);
  await Promise.race([edge.exited, aborted(signal)]);
  await edge.stop();
  if (!signal.aborted)
    throw new Error(`The edge ended by itself. Its last words:\n${edge.output().trim()}`);
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

/** Aborted by the first signal that asks us to end. */
function firstSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => controller.abort());
  return controller.signal;
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
