/** `millrace dead-letters`: deliveries that were given up: shown, attempted again, or dropped. */
import type { EdgeSubscription } from '../../../src/service/subscriptions.ts';
import {
  exitCodes,
  numberOf,
  UsageError,
  type Command,
  type CommandContext,
  type ExitCode,
} from '../command.ts';
import { safeText } from '../output/safe-text.ts';

/** As the edge shows one. */
interface ShownLetter {
  readonly sequence: number;
  readonly event_ids: readonly string[];
  readonly attempts: number;
  readonly created_at?: string;
  readonly settled_at?: string;
  readonly trail?: readonly {
    readonly status?: number;
    readonly error?: string;
    readonly excerpt?: string;
  }[];
}

export const deadLetters: Command = {
  name: 'dead-letters',
  summary: 'lists, shows, redrives and drops what could not be delivered',
  usage: `Usage: millrace dead-letters [list] [SUBSCRIPTION] [--limit N]
       millrace dead-letters show SUBSCRIPTION SEQUENCE
       millrace dead-letters redrive SUBSCRIPTION [SEQUENCE…]
       millrace dead-letters drop SUBSCRIPTION SEQUENCE…

Deliveries that a subscription has given up, of one subscription or of all. Needs a key with the scope admin.
  redrive              delivers again: those that are named, or up to a thousand, the oldest first
  drop                 gives up for good
  --limit N            the most of each subscription, 1 to 1000 (default: 100)`,
  options: { limit: { type: 'string' } },
  async run(context) {
    const [first = 'list', ...rest] = context.positionals;
    const act = acts[first];
    // A subscription alone: the list is meant.
    if (act === undefined && first.startsWith('sub_')) return list(context, context.positionals);
    if (act === undefined)
      throw new UsageError(`${JSON.stringify(first)} is none of list, show, redrive and drop.`);
    return act(context, rest);
  },
};

type Act = (context: CommandContext, words: readonly string[]) => Promise<ExitCode>;

const acts: Readonly<Record<string, Act | undefined>> = { list, show, redrive, drop };

async function list(context: CommandContext, [only]: readonly string[]): Promise<ExitCode> {
  const { client, edge, values, output, signal } = context;
  const limit = numberOf(values, 'limit', { least: 1, most: 1_000, fallback: 100 });
  const all = await client.subscriptions.list({ signal });
  const chosen = all.filter(({ id }) => only === undefined || id === only);
  if (chosen.length === 0 && only !== undefined)
    throw new UsageError(`There is no subscription ${only}.`);
  const rows: (readonly string[])[] = [];
  for (const subscription of chosen) {
    if (subscription.deadLetters === 0) continue;
    const path = `/subscriptions/${subscription.id}/dead-letters?limit=${limit}`;
    for (const letter of await edge.ask({ path, signal }, readLetters))
      if (output.json) await output.value({ subscription: subscription.id, ...letter });
      else rows.push(rowOf(subscription, letter));
  }
  if (output.json) return exitCodes.done;
  if (rows.length === 0) output.note('There are no dead letters.');
  else await output.table([...columns], rows);
  return exitCodes.done;
}

const columns = [
  { name: 'SUBSCRIPTION' },
  { name: 'SERVICE' },
  { name: 'SEQUENCE', align: 'right' },
  { name: 'ATTEMPTS', align: 'right' },
  { name: 'EVENTS' },
  { name: 'REASON' },
] as const;

function rowOf({ id, serviceName }: EdgeSubscription, letter: ShownLetter): readonly string[] {
  const { sequence, attempts, event_ids: events } = letter;
  const others = events.length > 1 ? ` +${events.length - 1}` : '';
  return [
    id,
    safeText(serviceName),
    String(sequence),
    String(attempts),
    safeText(events[0] ?? '') + others,
    reasonOf(letter),
  ];
}

function reasonOf({ trail = [] }: ShownLetter): string {
  const { status, error, excerpt } = trail.at(-1) ?? {};
  return safeText([status, error, excerpt].filter((part) => part !== undefined).join(' '));
}

async function show(
  { edge, output, signal }: CommandContext,
  words: readonly string[],
): Promise<ExitCode> {
  const [subscription, [sequence]] = subscriptionAnd(words, 1);
  const path = `/subscriptions/${subscription}/deliveries/${sequence}`;
  const letter = await edge.ask({ path, signal }, (text) => JSON.parse(text) as Record<string, unknown>);
  if (output.json) await output.value(letter);
  else for (const line of JSON.stringify(letter, null, 2).split('\n')) await output.line(safeText(line));
  return exitCodes.done;
}

async function redrive(
  { client, output, signal }: CommandContext,
  words: readonly string[],
): Promise<ExitCode> {
  const [subscription, sequences] = subscriptionAnd(words, 0);
  const some = sequences.length === 0 ? undefined : sequences;
  const redriven = await client.subscriptions.redrive(subscription, some, { signal });
  if (output.json) await output.value({ redriven });
  else await output.line(`${redriven} redriven`);
  return exitCodes.done;
}

async function drop(
  { edge, output, signal }: CommandContext,
  words: readonly string[],
): Promise<ExitCode> {
  const [subscription, sequences] = subscriptionAnd(words, 1);
  for (const sequence of sequences) {
    const path = `/subscriptions/${subscription}/dead-letters/${sequence}`;
    await edge.ask({ method: 'DELETE', path, signal }, () => true);
  }
  if (output.json) await output.value({ dropped: sequences.length });
  else await output.line(`${sequences.length} dropped`);
  return exitCodes.done;
}

function subscriptionAnd(words: readonly string[], least: number): readonly [string, readonly number[]] {
  const [subscription, ...given] = words;
  if (subscription === undefined || given.length < least)
    throw new UsageError(`A SUBSCRIPTION${least > 0 ? ' and a SEQUENCE' : ''} must be given.`);
  const wrong = given.find((text) => !/^[1-9]\d{0,14}$/.test(text));
  if (wrong !== undefined)
    throw new UsageError(`${JSON.stringify(wrong)} is no SEQUENCE: it is a whole number.`);
  return [encodeURIComponent(subscription), given.map(Number)];
}

function readLetters(text: string): readonly ShownLetter[] | undefined {
  const { dead_letters: letters } = (JSON.parse(text) ?? {}) as { readonly dead_letters?: unknown };
  return Array.isArray(letters) ? (letters as ShownLetter[]) : undefined;
}
