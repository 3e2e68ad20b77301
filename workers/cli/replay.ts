/**
 * `npm run replay -- FILE`: sends a file of events to an edge. Ends with 0 where every event is stored there, with 1
 * where one was rejected, or where it could not go on; the same command then goes on.
 */
import { parseArguments, usage, type ReplayArguments } from './replay/arguments.ts';
import { summary } from './replay/replay.ts';
import { LastingError } from './replay/request.ts';
import { sendFile, sizeOf } from './replay/send-file.ts';

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
  const progress = await sendFile({ ...given, size, signal: interruption().signal });
  console.log(summary(progress));
  return progress.rejected === 0 ? 0 : 1;
}

/** The first Ctrl-C stops between two requests' answers, the second at once. */
function interruption(): AbortController {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller;
}

process.exitCode = await main();
