/** What the command line says: `npm run replay -- FILE [options]`. */
import { parseArgs } from 'node:util';

export interface ReplayArguments {
  /** A path, or `-` for the standard input. */
  readonly file: string;
  readonly url: URL;
  /** An API key of the edge. */
  readonly key: string | undefined;
  /** The most events in one request. */
  readonly batch: number;
  /** Whether to begin anew where an earlier replay was interrupted. */
  readonly restart: boolean;
}

export const usage = `Usage: npm run replay -- FILE [--url URL] [--key KEY] [--batch N] [--restart]

Sends the events in FILE, one JSON object a line (NDJSON, gzipped or not; - for the standard input), to an edge.
  --url URL    the edge's address (default: http://localhost:8787)
  --key KEY    an API key of the edge that may publish and read (default: the environment's MILLRACE_KEY)
  --batch N    the most events in one request, 1 to 10000 (default: 500)
  --restart    begin at the first line, though an earlier replay was interrupted further on`;

const options = {
  url: { type: 'string', default: 'http://localhost:8787' },
  key: { type: 'string' },
  batch: { type: 'string', default: '500' },
  restart: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** @throws Error with one sentence that says what is wrong. `help` where only the usage is asked for. */
export function parseArguments(given: readonly string[]): ReplayArguments | 'help' {
  const { values, positionals } = parseArgs({ args: [...given], options, allowPositionals: true });
  if (values.help) return 'help';
  const [file, ...others] = positionals;
  if (file === undefined) throw new Error('No FILE is given.');
  if (others.length > 0)
    throw new Error(`One FILE is replayed at a time, and ${positionals.length} are given.`);
  return {
    file,
    url: parseUrl(values.url),
    key: parseKey(values.key ?? process.env['MILLRACE_KEY']),
    batch: parseBatch(values.batch),
    restart: values.restart,
  };
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new Error(`--url is ${JSON.stringify(text)}, which is not an http address.`);
}

/** Into a header goes nothing but visible ASCII. */
function parseKey(text: string | undefined): string | undefined {
  if (text === undefined || /^[\x21-\x7e]+$/.test(text)) return text;
  throw new Error('--key is no API key.');
}

function parseBatch(text: string): number {
  const batch = Number(text);
  if (/^\d+$/.test(text) && batch >= 1 && batch <= 10_000) return batch;
  throw new Error(`--batch is ${JSON.stringify(text)}, which is not a whole number from 1 to 10000.`);
}
