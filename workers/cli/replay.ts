/**
 * `npm run replay -- FILE`: sends a file of events to an edge. Ends with 0 where every event is stored there, with 1
 * where one was rejected, or where it could not go on; the same command then goes on.
 */
import { stat } from 'node:fs/promises';
import { parseArguments, usage, type ReplayArguments } from './replay/arguments.ts';
import { openCheckpoint } from './replay/checkpoint.ts';
import { readLines } from './replay/lines.ts';
import { createProgressDisplay } from './replay/progress-display.ts';
import { replay, summary } from './replay/replay.ts';
import { LastingError } from './replay/request.ts';
import { createLookup, createSender } from './replay/sender.ts';

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) return 1;
  if (given === 'help') {
    console.log(usage);
    return 0;
  }
  const size = await sizeOf(given.file);
  if (typeof size === 'string') {
    console.error(size);
    return 1;
  }
  try {
    return await run(given, size);
  } catch (error) {
    const lasting = given.file === '-' || error instanceof LastingError;
    const goOn = lasting ? '' : ' Run the same command again to go on.';
    console.error(`${(error as Error).message}${goOn}`);
    return 1;
  }
}

function readArguments(): ReplayArguments | 'help' | undefined {
  try {
    return parseArguments(process.argv.slice(2));
  } catch (error) {
    const [sentence] = (error as Error).message.split('. ');
    console.error(`${sentence!.replace(/\.?$/, '.')}\n\n${usage}`);
    return undefined;
  }
}

async function run(given: ReplayArguments, size: number | undefined): Promise<number> {
  const { file, url, key, batch, restart } = given;
  const { signal } = interruption();
  const display = createProgressDisplay({ output: process.stderr, totalBytes: size });
  const onRetry = (reason: string, delayMs: number): void =>
    display.say(
      `${url.origin} is out of reach (${reason}); trying again in ${(delayMs / 1000).toFixed(1)} s`,
    );
  try {
    const progress = await replay({
      lines: () => readLines(file),
      send: createSender({ url, key, signal, onRetry }),
      knows: createLookup({ url, key, signal, onRetry }),
      checkpoint: openCheckpoint({ file, url }),
      display,
      batch,
      restart,
    });
    display.end();
    console.log(summary(progress));
    return progress.rejected === 0 ? 0 : 1;
  } catch (error) {
    display.end();
    throw signal.aborted ? new Error('Interrupted.', { cause: error }) : error;
  } finally {
    // What is left of the standard input would keep the process alive.
    if (file === '-') process.stdin.destroy();
  }
}

/** In bytes, unknown for the standard input; or a sentence that says why the file cannot be replayed. */
async function sizeOf(file: string): Promise<number | string | undefined> {
  if (file === '-') return undefined;
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return `There is no file ${file}.`;
  if (found.isDirectory()) return `${file} is a directory.`;
  return found.size;
}

/** The first Ctrl-C stops between two requests' answers, the second at once. */
function interruption(): AbortController {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller;
}

process.exitCode = await main();
