/** `millrace tail`: events as they come. */
import { toWire } from '../../../src/event/wire.ts';
import { choiceOf, choiceOptions, choiceUsage } from '../choice.ts';
import { exitCodes, numberOf, textOf, type Command } from '../command.ts';
import { eventLine } from '../output/event-rows.ts';

export const tail: Command = {
  name: 'tail',
  summary: 'shows events as they come',
  usage: `Usage: millrace tail [TYPE…] [options]

Shows events as they come, until Ctrl-C, which ends it with 0. It says then where to go on.
${choiceUsage}
  --after CURSOR       begin after a cursor, or with start: at the log's beginning (default: now)
  --limit N            end after so many`,
  options: { ...choiceOptions, after: { type: 'string' }, limit: { type: 'string' } },
  async run({ client, values, positionals, output, signal }) {
    const most = numberOf(values, 'limit', {
      least: 1,
      most: Number.MAX_SAFE_INTEGER,
      fallback: Infinity,
    });
    const choice = choiceOf(positionals, values);
    const after = textOf(values, 'after') ?? 'now';
    let cursor: string | undefined;
    try {
      let count = 0;
      for await (const placed of client.subscribeToEvents(choice, { after, signal })) {
        if (output.json) await output.value(toWire(placed.event));
        else await output.line(eventLine(placed.event, output));
        ({ cursor } = placed);
        if (++count >= most) break;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (cursor !== undefined) output.note(`go on with: --after ${cursor}`);
    return exitCodes.done;
  },
};
