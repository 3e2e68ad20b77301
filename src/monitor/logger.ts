/**
 * Structured logs: one line of JSON each, with a level. What an event says is in none of them: `data`, lines, bodies and
 * keys are left out wherever they stand, and of an error its message is cut, for parsers quote what they parse.
 *
 * @example
 * const log = createLogger({ level: 'info', fields: { service: 'billing' } });
 * log.info('order billed', { order: 'o-1', tookMs: 12 });
 * log.error('billing failed', { error });
 */
import { isWireError } from '../errors.ts';
import { formatTimestamp } from '../event/timestamp.ts';
import { hostPorts, type Ports } from '../ports.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What is said beside the text. `error` is shown by its name, code, message and stack. */
export interface LogFields {
  readonly [field: string]: unknown;
}

export type Log = (text: string, fields?: LogFields) => void;

export interface Logger extends Readonly<Record<LogLevel, Log>> {
  /** The same, with more fields in every line. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** The lowest that is written. Default: `info`. */
  readonly level?: LogLevel | undefined;
  /** In every line. */
  readonly fields?: LogFields | undefined;
  /** Shows what events say, for the search for a fault on one's own machine. Default: false. */
  readonly payloads?: boolean | undefined;
  /** Default: the console's `warn` and `error`, what is below `warn` included: they are the same on every host. */
  readonly write?: ((line: string, level: LogLevel) => void) | undefined;
  readonly ports?: Pick<Ports, 'now'> | undefined;
}

const MAX_TEXT = 300;
const MAX_DEPTH = 4;
/** Fields that hold what events say, or what opens a door. */
const PAYLOADS: ReadonlySet<string> = new Set([
  ...['data', 'line', 'lines', 'event', 'events', 'body', 'payload', 'excerpt'],
  ...['key', 'secret', 'token', 'authorization', 'cookie'],
]);

export function createLogger(options: LoggerOptions = {}): Logger {
  const { level: lowest = 'info', fields: own = {}, payloads = false } = options;
  const { write = toConsole, ports = hostPorts } = options;
  const at = (level: LogLevel): Log => {
    if (logLevels.indexOf(level) < logLevels.indexOf(lowest)) return () => undefined;
    return (text, fields = {}) => {
      const head = { time: formatTimestamp(ports.now()), level, text: text.slice(0, MAX_TEXT) };
      write(lineOf(head, { ...own, ...fields }, payloads), level);
    };
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => createLogger({ ...options, fields: { ...own, ...fields } }),
  };
}

/** A log never throws: of what cannot be shown, it says so. */
function lineOf(head: object, fields: LogFields, payloads: boolean): string {
  try {
    const said = shown(fields, payloads, 0) as object;
    // First in the line, and not to be said otherwise by a field.
    return JSON.stringify({ ...head, ...said, ...head });
  } catch {
    return JSON.stringify({ ...head, fields: 'cannot be shown' });
  }
}

/** An error without what it may quote. */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) {
    const wire = isWireError(error)
      ? { code: error.code, message: error.message.slice(0, MAX_TEXT) }
      : {};
    return { name: typeof error, ...wire };
  }
  const { name, message, stack } = error;
  return {
    name,
    ...(isWireError(error) && { code: error.code }),
    // The parser's own messages quote what was parsed.
    ...(name !== 'SyntaxError' && { message: message.slice(0, MAX_TEXT) }),
    ...(stack !== undefined && { stack: stack.split('\n').filter((line) => /^\s+at /.test(line)) }),
  };
}

function shown(value: unknown, payloads: boolean, depth: number): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_TEXT);
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error || isWireError(value)) return describeError(value);
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.slice(0, 20).map((one) => shown(one, payloads, depth + 1));
  const kept = Object.entries(value).filter(([field]) => payloads || !PAYLOADS.has(field));
  return Object.fromEntries(kept.map(([field, one]) => [field, shown(one, payloads, depth + 1)]));
}

function toConsole(line: string, level: LogLevel): void {
  if (level === 'error') console.error(line);
  else console.warn(line);
}
