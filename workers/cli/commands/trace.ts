/** `millrace trace`: what caused what, when, and where it was delivered. */
import { exitCodes, UsageError, type Command } from '../command.ts';
import type { Output } from '../output/output.ts';
import { safeText } from '../output/safe-text.ts';
import { formatTrace, type ShownTrace } from '../output/trace-tree.ts';

export const trace: Command = {
  name: 'trace',
  summary: 'shows what caused what, and where it was delivered',
  usage: `Usage: millrace trace ID

Shows the events of a correlation, or of the one that the event with this id belongs to, as a tree of causes: each with the time
from the first of them, and with its deliveries. Ends with 1 where nothing is known of it.`,
  options: {},
  async run({ edge, positionals, output, signal }) {
    const [id, ...others] = positionals;
    if (id === undefined || others.length > 0)
      throw new UsageError('One ID is to be given, of a correlation or of an event.');
    const path = `/trace/${encodeURIComponent(id)}`;
    const found = await edge.ask({ path, signal }, readTrace);
    if (output.json) await output.value(found);
    else await show(id, found, output);
    return exitCodes.done;
  },
};

async function show(id: string, found: ShownTrace, output: Output): Promise<void> {
  const { paint } = output;
  const { events, started_at: from = '', ended_at: to = '', trace_ids: traces, truncated } = found;
  const lasted = from === '' ? '' : `  ${Date.parse(to) - Date.parse(from)} ms from ${from}`;
  await output.line(
    `${paint('bold', safeText(id))}  ${events.filter(({ missing }) => !missing).length} events${lasted}`,
  );
  for (const traceId of traces) await output.line(paint('dim', `trace ${safeText(traceId)}`));
  await output.line(formatTrace(found, output));
  if (truncated) output.note('There is more: a trace shows 10,000 events.');
}

function readTrace(text: string): ShownTrace | undefined {
  const answer = JSON.parse(text) as Partial<ShownTrace> | null;
  return Array.isArray(answer?.events) ? (answer as ShownTrace) : undefined;
}
