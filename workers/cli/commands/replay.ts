/** `millrace replay`: a file of events to the edge, or what the edge has to a subscription once more. */
import {
  exitCodes,
  numberOf,
  textOf,
  UsageError,
  type Command,
  type CommandContext,
  type ExitCode,
} from '../command.ts';
import { LastingError } from '../replay/request.ts';
import { sendFile as send, sizeOf } from '../replay/send-file.ts';

export const replay: Command = {
  name: 'replay',
  summary: 'sends a file of events to the edge, or has a subscription delivered to again',
  usage: `Usage: millrace replay FILE [--batch N] [--restart]
       millrace replay --subscription ID --after CURSOR [--to CURSOR]

Sends the events in FILE, one JSON object a line (NDJSON, gzipped or not; - for the standard input), to the edge. One that was
interrupted goes on where it was. Ends with 1 where an event was rejected.
With --subscription the edge delivers once more what stands after a cursor, under new sequences.
  --batch N            the most events in one request, 1 to 10000 (default: 500)
  --restart            begin at the first line, though an earlier replay was interrupted further on
  --after CURSOR       or start
  --to CURSOR          the last that is delivered again (default: what is the last now)`,
  options: {
    batch: { type: 'string' },
    restart: { type: 'boolean' },
    subscription: { type: 'string' },
    after: { type: 'string' },
    to: { type: 'string' },
  },
  async run(context) {
    const { values, positionals, client, output, signal } = context;
    const [file, ...others] = positionals;
    const subscription = textOf(values, 'subscription');
    if (subscription !== undefined) {
      const after = textOf(values, 'after');
      if (after === undefined)
        throw new UsageError('--subscription needs --after CURSOR, or --after start.');
      const to = textOf(values, 'to');
      await client.subscriptions.replay(subscription, { from: after, to }, { signal });
      output.note(`${subscription} is delivered to again`);
      return exitCodes.done;
    }
    if (file === undefined) throw new UsageError('No FILE is given.');
    if (others.length > 0)
      throw new UsageError(`One FILE is replayed at a time, and ${positionals.length} are given.`);
    const batch = numberOf(values, 'batch', { least: 1, most: 10_000, fallback: 500 });
    return sendFile(context, { file, batch, restart: values['restart'] === true });
  },
};

/** Also for `publish -`. */
export async function sendFile(
  { url, key, output, signal }: CommandContext,
  given: { readonly file: string; readonly batch: number; readonly restart: boolean },
): Promise<ExitCode> {
  const { file } = given;
  const size = await sizeOf(file);
  if (typeof size === 'string') throw new UsageError(size);
  try {
    const { accepted, duplicate, rejected } = await send({ ...given, url, key, size, signal });
    const counts = { sent: accepted + duplicate + rejected, accepted, duplicate, rejected };
    if (output.json) await output.value(counts);
    else
      await output.line(
        Object.entries(counts)
          .map(([name, count]) => `${name} ${count}`)
          .join(', '),
      );
    return rejected === 0 ? exitCodes.done : exitCodes.refused;
  } catch (error) {
    if (signal.aborted) return exitCodes.interrupted;
    const goOn =
      file === '-' || error instanceof LastingError ? '' : ' Run the same command again to go on.';
    output.note(`${(error as Error).message}${goOn}`);
    return error instanceof LastingError ? exitCodes.refused : exitCodes.unreachable;
  }
}
