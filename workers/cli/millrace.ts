#!/usr/bin/env node
/**
 * `npx millrace`: an edge from the command line, on the client that programs use. Arguments are read by Node's own
 * `util.parseArgs`, which knows all that is needed here.
 */
import { parseArgs } from 'node:util';
import { hasCode } from '../../src/errors.ts';
import { hostFetch, hostPorts } from '../../src/ports.ts';
import { EventClient } from '../../src/service/client.ts';
import { EdgeRequests } from '../../src/service/edge-requests.ts';
import { exitCodes, textOf, UsageError, type Command, type ExitCode, type Values } from './command.ts';
import { deadLetters } from './commands/dead-letters.ts';
import { publish } from './commands/publish.ts';
import { query } from './commands/query.ts';
import { replay } from './commands/replay.ts';
import { tail } from './commands/tail.ts';
import { trace } from './commands/trace.ts';
import { windows } from './commands/windows.ts';
import { createOutput } from './output/output.ts';

const commands: readonly Command[] = [tail, publish, query, trace, replay, deadLetters, windows];

const shared = {
  url: { type: 'string' },
  key: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const sharedUsage = `For every command:
  --url URL            the edge's address (MILLRACE_URL; default: http://localhost:8787)
  --key KEY            an API key of the edge (better MILLRACE_KEY: others on this machine can see a command's words)
  --json               one JSON value a line, for programs
  --help
NO_COLOR=1 goes without colours. Ends with 0: done; 1: refused, or not there; 2: the command line makes no sense;
3: the edge is out of reach; 130: interrupted.`;

const usage = `Usage: millrace COMMAND [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(14)} ${summary}`).join('\n')}

millrace COMMAND --help tells more. ${sharedUsage}`;

const DEFAULT_URL = 'http://localhost:8787';
/** Tries of one request: a person waits. */
const ATTEMPTS = 3;

async function main(words: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = words;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const wanted = commands.find((command) => command.name === rest[0]);
    console.log(wanted === undefined ? usage : `${wanted.usage}\n\n${sharedUsage}`);
    return name === undefined ? exitCodes.usage : exitCodes.done;
  }
  const command = commands.find((command) => command.name === name);
  if (command === undefined) return misuse(`There is no command ${JSON.stringify(name)}.`, usage);
  const signal = interruption();
  try {
    const { values, positionals } = read(command, rest);
    if (values['help'] === true) {
      console.log(`${command.usage}\n\n${sharedUsage}`);
      return exitCodes.done;
    }
    return await run(command, { values, positionals, signal });
  } catch (error) {
    if (signal.aborted) return exitCodes.interrupted;
    if (error instanceof UsageError) return misuse(error.message, command.usage);
    return explain(error);
  }
}

function read(command: Command, words: readonly string[]): { values: Values; positionals: string[] } {
  try {
    // What follows a type may be data that begins with a dash: a number.
    const options = { ...command.options, ...shared };
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    const [sentence] = (error as Error).message.split('. ');
    throw new UsageError(sentence!.replace(/\.?$/, '.'), { cause: error });
  }
}

interface Given {
  readonly values: Values;
  readonly positionals: readonly string[];
  readonly signal: AbortSignal;
}

async function run(command: Command, { values, positionals, signal }: Given): Promise<ExitCode> {
  const url = urlOf(textOf(values, 'url') ?? (process.env['MILLRACE_URL'] || DEFAULT_URL));
  const key = keyOf(textOf(values, 'key') ?? (process.env['MILLRACE_KEY'] || undefined));
  const endpoint = url.href.replace(/\/+$/, '');
  const asked = { endpoint, attempts: ATTEMPTS, ...(key !== undefined && { key }) };
  const client = new EventClient({ ...asked, source: 'cli' });
  const edge = new EdgeRequests({ ...asked, fetch: hostFetch, ports: hostPorts });
  const { stdout: out, stderr: err } = process;
  const output = createOutput({ json: values['json'] === true, out, err });
  try {
    return await command.run({ values, positionals, client, edge, url, key, output, signal });
  } finally {
    client.disconnect();
    edge.end();
  }
}

/** Without a query and a fragment, which would end up in the middle of addresses. */
function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new UsageError(`${JSON.stringify(text)} is no http address, such as ${DEFAULT_URL}.`);
  url.search = '';
  url.hash = '';
  return url;
}

/** Into a header goes nothing but visible ASCII. */
function keyOf(text: string | undefined): string | undefined {
  if (text === undefined || /^[\x21-\x7e]+$/.test(text)) return text;
  throw new UsageError('The key is no API key: keys are mr_…, without spaces.');
}

function misuse(sentence: string, usage: string): ExitCode {
  console.error(`${sentence}\n\n${usage}`);
  return exitCodes.usage;
}

/** What happened, and what to do. */
function explain(error: unknown): ExitCode {
  if (hasCode(error, 'sync.unreachable')) {
    console.error(`${error.message}. Is it running, and is --url (MILLRACE_URL) its address?`);
    return exitCodes.unreachable;
  }
  if (hasCode(error, 'sync.refused')) {
    const { status, reason } = error.details;
    console.error(`The edge refuses it: ${reason}${remedies[status] ?? ''}`);
    return exitCodes.refused;
  }
  console.error((error as Error).message);
  return exitCodes.refused;
}

const remedies: Readonly<Record<number, string>> = {
  401: '. Give a key of this edge with --key or MILLRACE_KEY.',
  403: '. Give a key with the scope that this needs: publish to publish, read to read, admin for dead letters.',
};

/** The first Ctrl-C ends what is under way in good order, the second at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** Whoever reads has read enough, as `head` does: that is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.done);
  throw error;
});
process.stderr.on('error', () => undefined);

process.exitCode = await main(process.argv.slice(2));
