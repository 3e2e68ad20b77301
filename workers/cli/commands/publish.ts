/** `millrace publish`: one event from the command line, or many from the standard input. */
import type { EventOptions } from '../../../src/event/factory.ts';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { isPriority, type Priority } from '../../../src/event/priority.ts';
import { startTrace } from '../../../src/event/trace-context.ts';
import { hostPorts } from '../../../src/ports.ts';
import { timeOf } from '../choice.ts';
import { exitCodes, numberOf, textOf, UsageError, type Command, type Values } from '../command.ts';
import { sendFile } from './replay.ts';

export const publish: Command = {
  name: 'publish',
  summary: 'publishes an event, or many from the standard input',
  usage: `Usage: millrace publish TYPE [DATA] [options]
       … | millrace publish -

Publishes one event; DATA is JSON (default: {}). With - the standard input is read, one event a line (NDJSON), as
query --json and tail --json write it. Ends with 1 where the edge took none, or not all.
  --id ID              the same id stores it once, however often it is published (default: a new one)
  --source TEXT        who says so (default: cli)
  --subject TEXT       --correlation ID      --causation ID
  --priority N         1 low, 2 normal, 3 high, 4 critical (default: 2)
  --time TIME          when it happened, ISO 8601 (default: now)
  --trace              begin a trace (W3C Trace Context), to be followed with: millrace trace`,
  options: {
    id: { type: 'string' },
    source: { type: 'string' },
    subject: { type: 'string' },
    correlation: { type: 'string' },
    causation: { type: 'string' },
    priority: { type: 'string' },
    time: { type: 'string' },
    trace: { type: 'boolean' },
  },
  async run(context) {
    const { client, values, positionals, output, signal } = context;
    const [type, data = '{}', ...others] = positionals;
    if (type === undefined)
      throw new UsageError('No TYPE is given, as in: millrace publish order.placed \'{"total":30}\'.');
    if (type === '-') return sendFile(context, { file: '-', batch: 500, restart: false });
    if (others.length > 0)
      throw new UsageError(
        `There are ${positionals.length} words, and TYPE DATA are two: put quotes around DATA.`,
      );
    const published = await client.publishEvent(type, readData(data), { ...optionsOf(values), signal });
    const { id, status, timestamp } = published;
    if (output.json) await output.value({ event_id: id, status, timestamp: formatTimestamp(timestamp) });
    else await output.line(`${output.paint('green', status)} ${id}`);
    return exitCodes.done;
  },
};

function readData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`DATA is no JSON (${(error as Error).message}): write it as '{"total":30}'.`);
  }
}

function optionsOf(values: Values): EventOptions {
  const priority: number = numberOf(values, 'priority', { least: 1, most: 4, fallback: 2 });
  return {
    id: textOf(values, 'id'),
    source: textOf(values, 'source'),
    subject: textOf(values, 'subject'),
    correlationId: textOf(values, 'correlation'),
    causationId: textOf(values, 'causation'),
    priority: isPriority(priority) ? priority : (2 satisfies Priority),
    timestamp: timeOf(values, 'time'),
    ...(values['trace'] === true && { traceparent: startTrace(hostPorts) }),
  };
}
