/** `millrace query`: what the log has. */
import type { Event } from '../../../src/event/event.ts';
import { toWire } from '../../../src/event/wire.ts';
import { readEvents } from '../../../src/service/answer.ts';
import { queryOf, remainderOf, type EventChoice } from '../../../src/service/choice.ts';
import { choiceOf, choiceOptions, choiceUsage } from '../choice.ts';
import {
  exitCodes,
  numberOf,
  textOf,
  UsageError,
  type Command,
  type CommandContext,
} from '../command.ts';
import { eventColumns, eventRow } from '../output/event-rows.ts';

/** Of JSON, which is written page by page; a table is held until it is whole. */
const MOST = 1_000_000;
const PAGE = 1_000;

export const query: Command = {
  name: 'query',
  summary: 'shows what the log has',
  usage: `Usage: millrace query [TYPE…] [options]
       millrace query --id ID

Shows events in the log's order. Ends with 1 where there is no event of that id.
${choiceUsage}
  --id ID              the one event with this id
  --last               the newest, newest first
  --after CURSOR       go on after a cursor
  --limit N            the most events, 1 to ${MOST} (default: 100)`,
  options: {
    ...choiceOptions,
    id: { type: 'string' },
    last: { type: 'boolean' },
    after: { type: 'string' },
    limit: { type: 'string' },
  },
  async run(context) {
    const { values, positionals, output, client, signal } = context;
    const id = textOf(values, 'id');
    if (id !== undefined) {
      const event = await client.getEvent(id, { signal });
      if (event !== undefined) return show(context, [event]);
      output.note(`There is no event ${JSON.stringify(id)}.`);
      return exitCodes.refused;
    }
    const limit = numberOf(values, 'limit', { least: 1, most: MOST, fallback: 100 });
    const choice = choiceOf(positionals, values);
    const after = textOf(values, 'after');
    if (values['last'] !== true) return forward(context, choice, { limit, after });
    if (after !== undefined) throw new UsageError('--last and --after do not go together.');
    return show(context, await latest(context, choice, limit));
  },
};

async function forward(
  context: CommandContext,
  choice: EventChoice,
  { limit, after }: { readonly limit: number; readonly after: string | undefined },
): Promise<0> {
  const { edge, output, signal } = context;
  const matches = remainderOf(choice);
  const found: Event[] = [];
  let cursor = after;
  let count = 0;
  for (;;) {
    const path = pathOf(choice, { after: cursor, limit: Math.min(PAGE, limit - count) });
    const page = await edge.ask({ path, signal }, readEvents);
    const events = page.events.filter(matches);
    count += events.length;
    if (output.json) await show(context, events);
    else found.push(...events);
    cursor = page.next ?? cursor;
    if (page.more !== true) break;
    if (count < limit) continue;
    output.note(`there is more: --after ${cursor}`);
    break;
  }
  return output.json ? exitCodes.done : show(context, found);
}

async function latest(
  { edge, signal }: CommandContext,
  choice: EventChoice,
  limit: number,
): Promise<readonly Event[]> {
  const matches = remainderOf(choice);
  const found: Event[] = [];
  for (let before: string | undefined; ;) {
    const path = `${pathOf(choice, { before, limit: Math.min(PAGE, limit - found.length) })}&direction=backward`;
    const page = await edge.ask({ path, signal }, readEvents);
    found.push(...page.events.filter(matches));
    before = page.next;
    if (page.more !== true || found.length >= limit) return found.slice(0, limit);
  }
}

function pathOf(
  choice: EventChoice,
  given: {
    readonly after?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  },
): string {
  const members = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return `/events?${[queryOf(choice), ...members].filter((part) => part !== '').join('&')}`;
}

async function show({ output }: CommandContext, events: readonly Event[]): Promise<0> {
  if (output.json) for (const event of events) await output.value(toWire(event));
  else if (events.length === 0) output.note('There are no such events.');
  else
    await output.table(
      eventColumns,
      events.map((event) => eventRow(event, output)),
    );
  return exitCodes.done;
}
