/** `millrace windows`: events per type and minute, as the edge has counted them. */
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { timeOf } from '../choice.ts';
import { exitCodes, type Command } from '../command.ts';
import { safeText } from '../output/safe-text.ts';

/** As `GET /windows/events-per-minute` has it. */
interface ShownWindow {
  readonly window: { readonly start: string; readonly end: string };
  readonly key: string;
  readonly value: { readonly count: number };
  readonly revision: number;
}

export const windows: Command = {
  name: 'windows',
  summary: 'shows events per type and minute',
  usage: `Usage: millrace windows [TYPE…] [--from TIME] [--to TIME]

Shows how many events of each type fell into each minute of event time. REVISION counts the events that changed it.
  --from TIME          --to TIME             ISO 8601`,
  options: { from: { type: 'string' }, to: { type: 'string' } },
  async run({ edge, values, positionals, output, signal }) {
    const members = ['from', 'to'].flatMap((name) => {
      const time = timeOf(values, name);
      return time === undefined ? [] : [`${name}=${encodeURIComponent(formatTimestamp(time))}`];
    });
    const path = `/windows/events-per-minute?${members.join('&')}`;
    const all = await edge.ask({ path, signal }, readWindows);
    const shown = all.filter(({ key }) => positionals.length === 0 || positionals.includes(key));
    if (output.json) for (const one of shown) await output.value(one);
    else if (shown.length === 0) output.note('There are no such windows.');
    else
      await output.table(
        [
          { name: 'START' },
          { name: 'TYPE' },
          { name: 'COUNT', align: 'right' },
          { name: 'REVISION', align: 'right' },
        ],
        shown.map(({ window, key, value, revision }) => [
          output.paint('dim', window.start),
          output.paint('cyan', safeText(key)),
          String(value.count),
          String(revision),
        ]),
      );
    return exitCodes.done;
  },
};

function readWindows(text: string): readonly ShownWindow[] | undefined {
  const answer: unknown = JSON.parse(text);
  return Array.isArray(answer) ? (answer as ShownWindow[]) : undefined;
}
